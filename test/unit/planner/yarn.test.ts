import { describe, expect, it } from 'vitest';
import type { BackupStep } from '../../../functions/core/domain/backup-step.ts';
import type { ReplicateData } from '../../../functions/core/domain/edge-reply.ts';
import type { Copy, Observation } from '../../../functions/core/domain/ledger.ts';
import { HostId } from '../../../functions/core/domain/names.ts';
import { epochMs, seconds } from '../../../functions/core/domain/units.ts';
import { absorb } from '../../../functions/core/planner/absorb.ts';
import { decideBackup } from '../../../functions/core/planner/decide-backup.ts';
import { allowedRate, mapsAtOnce } from '../../../functions/core/planner/estimate.ts';
import type { RunHistory } from '../../../functions/core/planner/history.ts';
import { baseOf, historyOf, nameOf, operationOf, slot, targetOf, type World } from './world.ts';

const [home, other] = [HostId.parse('mi-0123456789abcdef0'), HostId.parse('mi-0123456789abcdef1')];
const yarn = { queue: 'backup' };
const aMinuteIn = epochMs(slot + 60_000);
const wait = { kind: 'wait', seconds: seconds(30), reason: 'r' } as const;
const elapsed: Observation = { kind: 'elapsed' };
const noAnswer: Observation = { kind: 'no-answer', error: 'EdgeUnreachable', cause: 'not delivered' };

const copyOf = (change: Partial<Copy> = {}): Copy => ({
  operation: operationOf(77),
  point: nameOf('b'),
  mode: 'incremental',
  base: nameOf('a'),
  host: home,
  from: epochMs(slot - 3_600_000),
  deadline: epochMs(slot + 3_600_000),
  to: null,
  application: operationOf(77),
  ...change,
});

/** Of a policy that copies on YARN, with a copy of an earlier run behind it. */
const onYarn = (world: World, copy?: Copy): RunHistory => {
  const history = historyOf(world);
  const { run, pair } = history;
  return {
    ...history,
    run: { ...run, policy: { ...run.policy, limits: { ...run.policy.limits, maps: 4, yarn } } },
    pair: { ...pair, ...(copy ? { copies: [copy], pinned: { host: copy.host, seeded: true } } : {}) },
  };
};
const decide = (world: World, copy?: Copy, now = aMinuteIn): BackupStep => decideBackup(onYarn(world, copy), now);

const fresh: World = { source: 'a* t1', replica: 'a*', run: 't1:taken' };
const askedFor = [
  { kind: 'compute-diff', base: baseOf('a'), target: targetOf('t1') } as const,
  { kind: 'diff', status: 'done', reason: '' } as const,
] as const;
const world: World = { source: 'a* b t1', replica: 'a*', run: 'b:taken t1:taken', dirty: true };
const over = { to: slot };
const probe = { kind: 'probe', copy: operationOf(77), host: home } as const;
const surveyed = (of: World) =>
  [{ kind: 'survey', host: other } as const, historyOf(of).steps[0]?.observed ?? elapsed] as const;

describe('a copy of a policy with limits.yarn', () => {
  it('goes to its queue, detached, by increment and in full', () => {
    expect(decide({ ...fresh, after: [askedFor] })).toMatchObject({
      mode: 'incremental',
      yarn,
      adopts: null,
      detached: true,
    });
    expect(decide({ source: 't1', replica: '', run: 't1:taken' })).toMatchObject({
      mode: 'bootstrap',
      yarn,
      detached: true,
    });
  });

  it('stays on the host, and in its command, without', () => {
    const step = decideBackup(historyOf({ ...fresh, after: [askedFor] }), aMinuteIn);
    expect(step).toMatchObject({ kind: 'replicate', yarn: null, adopts: null, detached: false });
  });

  it('has as many maps at once as it says; the local runner makes one', () => {
    const limits = onYarn(fresh).run.policy.limits;
    expect([mapsAtOnce(limits), mapsAtOnce({ ...limits, yarn: null })]).toEqual([4, 1]);
    expect([allowedRate({ ...limits, bandwidthMBps: 5 }, 4), allowedRate(limits, 4)]).toEqual([20_000_000, Infinity]);
  });
});

describe('a copy on YARN of which nobody knows how it ended', () => {
  it('is adopted: its application is followed and sealed, and nothing is copied again', () => {
    expect(decide(world, copyOf(over))).toMatchObject({
      kind: 'replicate',
      adopts: operationOf(77),
      mode: 'incremental',
      base: { name: nameOf('a') },
      target: { name: nameOf('b') },
      host: home,
      claim: false,
      brake: null,
      detached: true,
    });
  });

  it('is looked for once its time is over, too', () => {
    const late = epochMs(slot + 2 * 3_600_000);
    expect(decide(world, copyOf(), late)).toMatchObject({ kind: 'replicate', adopts: operationOf(77) });
  });

  it('is asked for on its host first, while that may be at work', () => {
    expect(decide(world, copyOf())).toMatchObject({ kind: 'probe', copy: operationOf(77) });
    const running: Observation = { kind: 'probe', state: 'running' };
    expect(decide({ ...world, after: [[probe, running]] }, copyOf())).toMatchObject({ kind: 'wait' });
  });

  it('is adopted by another host when its own does not answer', () => {
    const silent = { ...world, after: [[probe, noAnswer]] as const };
    expect(decide(silent, copyOf())).toMatchObject({ kind: 'survey', host: other });
    const looked = { ...world, after: [[probe, noAnswer], surveyed(world)] as const };
    expect(decide(looked, copyOf())).toMatchObject({ kind: 'replicate', adopts: operationOf(77), host: other });
  });

  it('is waited for when that host knows no application of it either', () => {
    const gone = copyOf({ application: null });
    const silent = { ...world, after: [[probe, noAnswer]] as const };
    expect(decide(silent, gone)).toMatchObject({ kind: 'wait', reason: expect.stringContaining('does not say') });
  });

  it('is left alone when it copied on the host itself', () => {
    expect(decide(world, copyOf({ ...over, application: null }))).toMatchObject({ mode: 'resync', adopts: null });
  });

  it('is copied anew when its snapshot is gone from the source', () => {
    expect(decide({ ...world, source: 'a* t1' }, copyOf(over))).toMatchObject({ mode: 'resync', adopts: null });
  });

  it('is not adopted when the replica has its point already: a host that was cut off sealed it', () => {
    expect(decide({ ...world, replica: 'a* b' }, copyOf(over))).toMatchObject({ mode: 'resync', adopts: null });
  });

  it('is over when the replica has its point: sealing is the last that its host does, which is not waited for when it is away', () => {
    const sealed = { ...world, replica: 'a* b' };
    const silent = { ...sealed, after: [[probe, noAnswer], surveyed(sealed)] as const };
    expect(decide(sealed, copyOf())).toMatchObject({ kind: 'probe', copy: operationOf(77) });
    expect(decide(silent, copyOf())).toMatchObject({ kind: 'replicate', mode: 'resync', adopts: null, host: other });
  });

  it('and whose client still holds the bucket has it ended before it is adopted', () => {
    const data = {
      ...{ copy: null, diffStatus: null, diffEmpty: null, seal: null, log: '', removals: null, units: null },
      ...{ holder: operationOf(77), detached: false },
    } satisfies ReplicateData;
    const busy: Observation = {
      kind: 'not-done',
      outcome: 'refused',
      code: 'bucket-busy',
      message: 'm',
      data,
      deletion: null,
    };
    const adopt = { kind: 'replicate', mode: 'incremental', target: targetOf('b'), adopts: operationOf(77) } as const;
    const after = [[adopt, busy], [wait, elapsed], surveyed(world)] as const;
    expect(decide({ ...world, after }, copyOf(over))).toMatchObject({
      adopts: operationOf(77),
      supersedes: operationOf(77),
    });
  });
});

describe('what is known of the application of a copy', () => {
  const adopting = operationOf(78);
  const notDone = (outcome: 'refused' | 'failed' | 'interrupted' | 'unreachable', code: string): Observation => ({
    ...{ kind: 'not-done', outcome, code, message: 'as the host says', data: null, deletion: null },
  });
  const after = (observed: Observation) => {
    const decision = {
      kind: 'replicate',
      mode: 'incremental',
      base: baseOf('a'),
      target: targetOf('b'),
      adopts: operationOf(77),
    } as const;
    const history = onYarn({ ...world, after: [[decision, null]] });
    const copies = [copyOf(over), copyOf({ operation: adopting })];
    const step = history.steps.at(-1);
    if (!step) throw new Error('the world has steps');
    const change = absorb({ ...history, pair: { ...history.pair, copies } }, step, observed, adopting, slot);
    return (change.pair.copies ?? copies).map(({ operation, application }) => [operation, application]);
  };

  it.each([
    ['nothing, when nobody could ask', 'unreachable', 'yarn-unreachable', [[operationOf(77), operationOf(77)]]],
    ['that there is none', 'refused', 'no-application', [[operationOf(77), null]]],
    [
      'that it came to no good end',
      'failed',
      'copy-failed',
      [
        [operationOf(77), null],
        [adopting, null],
      ],
    ],
    [
      'nothing, when it was not followed to its end',
      'failed',
      'unclear',
      [
        [operationOf(77), operationOf(77)],
        [adopting, operationOf(77)],
      ],
    ],
    [
      'nothing, when its follower died',
      'interrupted',
      'delivery-died',
      [
        [operationOf(77), operationOf(77)],
        [adopting, operationOf(77)],
      ],
    ],
    [
      'that only the seal is missing',
      'failed',
      'seal-failed',
      [
        [operationOf(77), operationOf(77)],
        [adopting, operationOf(77)],
      ],
    ],
  ] as const)('%s', (_what, outcome, code, expected) => {
    expect(after(notDone(outcome, code))).toEqual(expected);
  });
});
