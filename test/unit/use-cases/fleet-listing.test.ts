import { describe, expect, it } from 'vitest';
import { BucketPattern } from '../../../functions/core/domain/buckets.ts';
import type { Policy } from '../../../functions/core/domain/policy.ts';
import { type EpochMs, epochMs } from '../../../functions/core/domain/units.ts';
import { type Expanded, expandPolicy } from '../../../functions/core/use-cases/fleet.ts';
import { memoryFleetLists, memoryLedger, noPairs } from '../../fixtures/memory-store.ts';
import { policyOf } from '../planner/lineage-world.ts';

const NOON = epochMs(Date.UTC(2026, 10, 20, 12));
const policy = { ...policyOf({}), retention: null, buckets: [BucketPattern.parse('sales/*')] };

/** Slots of a policy with a glob, and what its hosts answer. */
const stage = (of: Policy = policy) => {
  const ledger = memoryLedger();
  const lists = memoryFleetLists();
  let reply: readonly string[] | undefined;
  const outcomeOf = (id: string) =>
    reply && {
      kind: 'reply',
      reply: `-----BEGIN OZONE-DR REPLY-----\n${JSON.stringify({
        version: 1,
        operation: id,
        verb: 'buckets',
        outcome: 'ok',
        code: '',
        message: '',
        host: 'h',
        startedAt: 1,
        endedAt: 2,
        jvmStarts: 2,
        data: { volumes: 1, buckets: reply },
      })}\n-----END OZONE-DR REPLY-----\n`,
    };
  const expand = expandPolicy({
    policies: [of],
    ledger,
    operations: { load: async (id) => (reply ? ({ id, outcome: outcomeOf(id) } as never) : undefined) },
    pairs: noPairs,
    lists,
    records: { append: async () => undefined },
    clock: { now: () => NOON },
  });
  const slot = async (at: EpochMs, answers: readonly (readonly string[] | undefined)[], work = 'backup') => {
    const startedAt = new Date(at).toISOString();
    const event = { request: { policy: policy.name, work }, execution: `fleet-${at}`, startedAt };
    let next: Expanded = await expand(event);
    let asked = 0;
    while (next.kind === 'list') {
      reply = answers[asked];
      asked += 1;
      const failure = reply ? null : { Error: 'States.HeartbeatTimeout', Cause: 'no sign of life' };
      next = await expand({ ...event, listing: { runId: next.runId, step: next.step, failure } });
    }
    return { asked, next, runs: lists.due(next).map(({ bucket }) => bucket) };
  };
  return { ledger, slot };
};

describe('a slot of a policy with globs', () => {
  it('asks which buckets there are, enrols them and runs them; prunes do not ask', async () => {
    const { slot } = stage();
    const { asked, next, runs } = await slot(NOON, [['sales/a-1', 'sales/b-1', 'Sales/none', 'sales/odr-drill-1']]);
    expect({ asked, runs }).toEqual({ asked: 1, runs: ['sales/a-1', 'sales/b-1'] });
    expect(next).toMatchObject({ announcements: [`${policy.name}: 2 new of 2 buckets: sales/a-1, sales/b-1`] });
    expect(await slot(epochMs(NOON + 1000), [], 'prune')).toMatchObject({ asked: 0, runs: ['sales/a-1', 'sales/b-1'] });
  });

  it('drops and enrols nothing when the listing failed, and goes on with what is known', async () => {
    const { slot, ledger } = stage();
    await slot(NOON, [['sales/a-1']]);
    const before = await ledger.loadEnrolment(policy.name);
    const { asked, next, runs } = await slot(epochMs(NOON + 3600_000), []);
    expect({ asked, runs }).toEqual({ asked: Math.min(policy.source.hosts.length, 2), runs: ['sales/a-1'] });
    expect(next).toMatchObject({
      announcements: [expect.stringContaining('nothing was enrolled and nothing dropped')],
    });
    expect(await ledger.loadEnrolment(policy.name)).toEqual(before);
  });

  it('fails when the first listing failed: no bucket is known', async () => {
    await expect(stage().slot(NOON, [])).rejects.toMatchObject({ name: 'EdgeUnreachable' });
  });

  it('starts no backup of a bucket that vanished, but prunes what it left', async () => {
    const { slot } = stage();
    await slot(NOON, [['sales/a-1', 'sales/b-1']]);
    const gone = await slot(epochMs(NOON + 3600_000), [['sales/b-1']]);
    expect(gone.runs).toEqual(['sales/b-1']);
    expect(gone.next).toMatchObject({
      announcements: [`${policy.name}: 1 vanished from ${policy.source.name}: sales/a-1`],
    });
    expect((await slot(epochMs(NOON + 7200_000), [], 'prune')).runs).toEqual(['sales/b-1', 'sales/a-1']);
  });

  it('of a policy whose buckets go together refuses more than one command takes, and says what would make it go', async () => {
    const { slot } = stage({ ...policy, fleet: { tolerated: 0, together: true } });
    const listed = Array.from({ length: 26 }, (_, n) => `sales/b-${n + 10}`);
    await expect(slot(NOON, [listed])).rejects.toMatchObject({
      name: 'PolicyInvalid',
      message: expect.stringMatching(/it has 26 buckets.* at most 25; write narrower globs/),
    });
    const { next } = await slot(epochMs(NOON + 3600_000), [listed.slice(1)]);
    expect(next).toMatchObject({ items: 1, together: { buckets: listed.slice(1) } });
  });

  it('refuses a glob that matches nothing', async () => {
    await expect(stage().slot(NOON, [['other/a-1']])).rejects.toMatchObject({
      name: 'PolicyInvalid',
      message: expect.stringContaining('matches sales/*'),
    });
  });
});
