import { describe, expect, it } from 'vitest';
import type { BackupStep } from '../../../functions/core/domain/backup-step.ts';
import type { Observation } from '../../../functions/core/domain/ledger.ts';
import type { Role } from '../../../functions/core/domain/roles.ts';
import { decideRestore, restrictedAfter } from '../../../functions/core/planner/decide-restore.ts';
import { exchanged } from '../../../functions/core/planner/roles.ts';
import {
  bucketSeen,
  compared,
  copied,
  elapsed,
  kept,
  looked,
  noAnswer,
  notDone,
  type RestoreWorld,
  restoreHistory,
  targetCreated,
} from './restore-world.ts';
import { nameOf, slot } from './world.ts';

const SOURCE_CREATED = '2026-01-01T00:00:00.000Z';
const BEFORE = ['user:bob:a', 'user:zoe:rwcld[DEFAULT]'];
const AFTER = ['user:bob:rl', 'user:zoe:rl[DEFAULT]'];
const answered = (before = BEFORE, after = AFTER): Observation => ({ kind: 'restricted', data: { before, after } });
const restrict = { kind: 'restrict', service: 'ozone-prod', created: SOURCE_CREATED, acls: null } as const;

interface World {
  readonly did?: RestoreWorld['did'];
  readonly restrict?: boolean;
  readonly to?: 'source' | 'replica';
  readonly restricted?: Role['restricted'];
  readonly settled?: boolean;
  readonly sourceCreated?: string | null;
}

/** A failover whose new primary is proved and kept, and what was done after that. */
const scene = ({ did = [], to = 'replica', restricted = null, settled = false, ...world }: World) => {
  const { history: plain, task: restore } = restoreHistory({
    target: 'in-place',
    on: to === 'replica' ? 'dr' : 'prod',
    sides: 'replica',
    confirmed: {},
    overwrite: 'if-different',
    policy: { failover: { restrict: world.restrict ?? true } },
    did: [
      [{ kind: 'examine', from: 'replica' }, looked({ same: 10, bucket: bucketSeen() })],
      [{ kind: 'safety-snapshot' }, kept],
      [{ kind: 'restore', from: 'replica', overwrite: 'if-different', deleteExtra: true }, copied(0)],
      [{ kind: 'compare', against: 'replica', exact: true, of: 'target' }, compared()],
      [{ kind: 'safety-snapshot', name: 'failover-20261120t020000z-1' }, kept],
      ...did,
    ],
  });
  const { policy, runId } = plain.run;
  const from = to === 'replica' ? policy.source : policy.replica;
  if (!from) throw new Error('the sample has a replica');
  const failover = { kind: 'unplanned', from, epoch: 2, to, roleOf: restore.lineage } as const;
  const task = { ...restore, purpose: 'failover', failover } as const;
  const role: Role = {
    primary: to,
    epoch: 2,
    state: settled ? 'settled' : 'moving',
    point: nameOf('a'),
    since: slot,
    by: runId,
    opened: null,
    prepared: null,
    restricted,
  };
  const sourceCreated = world.sourceCreated === undefined ? SOURCE_CREATED : world.sourceCreated;
  const history = {
    ...plain,
    run: { ...plain.run, restore: task, policy: to === 'replica' ? policy : exchanged(policy) },
    pair: { ...plain.pair, role, sourceCreated },
  };
  return { verdict: decideRestore(history, task, slot), after: restrictedAfter(history, failover) };
};

const outcomeOf = (verdict: ReturnType<typeof decideRestore>) => {
  const outcome = verdict.kind === 'done' ? verdict.outcome : undefined;
  if (outcome?.kind !== 'failed-over') throw new Error(`${verdict.kind} instead of a failover`);
  return { restricted: outcome.restricted, notes: outcome.notes.slice(2).join('; ') };
};
const known = { cluster: exchanged(restoreHistory({}).history.run.policy).source.name, before: BEFORE };
const failing = (observed: Observation) => [restrict, observed] as const;

describe('the old primary of a failover', () => {
  it('is restricted once the new one is proved and kept', () => {
    const { verdict } = scene({});
    expect(verdict).toMatchObject({ kind: 'restrict', created: SOURCE_CREATED, acls: null });
  });

  it('is left alone unless the policy asks for it', () => {
    expect(outcomeOf(scene({ restrict: false }).verdict)).toEqual({ restricted: null, notes: '' });
  });

  it('is restricted when it answered, and what it had is kept', () => {
    const { verdict, after } = scene({ did: [failing(answered())] });
    expect(outcomeOf(verdict)).toEqual({ restricted: true, notes: '' });
    expect(after?.before).toEqual(BEFORE);
  });

  it('is not asked again by an attempt after the roles were settled', () => {
    const { verdict, after } = scene({ settled: true, restricted: known });
    expect(outcomeOf(verdict).restricted).toBe(true);
    expect(after).toEqual(known);
  });

  it('keeps what it had before an earlier failover that was never given back', () => {
    const { after } = scene({ restricted: known, did: [failing(answered(AFTER, AFTER))] });
    expect(after?.before).toEqual(BEFORE);
  });

  it('is noted when nobody could write there anyway', () => {
    const { verdict } = scene({ did: [failing(answered(AFTER, AFTER))] });
    expect(outcomeOf(verdict)).toMatchObject({ restricted: true, notes: expect.stringContaining('let nobody write') });
  });

  it.each([
    ['unreachable', notDone('connection', 'unreachable'), 'so nothing keeps people from writing'],
    ['refused', notDone('permission-denied'), 'so nothing keeps people from writing'],
    ['failed on its way', notDone('acl-differs', 'failed'), 'it is not known whether people can still write'],
    ['never answered', noAnswer(), 'it is not known whether people can still write'],
  ])('is tried once: %s is a note, and the failover succeeds', (_, observed, note) => {
    const { verdict, after } = scene({ did: [failing(observed)] });
    expect(outcomeOf(verdict)).toMatchObject({ restricted: false, notes: expect.stringContaining(note) });
    expect(after).toBeNull();
  });

  it('is left alone when the ledger does not know which bucket it is', () => {
    expect(outcomeOf(scene({ sourceCreated: null }).verdict)).toMatchObject({ restricted: false });
  });
});

describe('the way back', () => {
  const back = { to: 'source', restricted: known } as const;
  const again = [restrict, notDone('connection', 'unreachable')] as const;
  const wait = [{ kind: 'wait' }, elapsed] as const;

  it('gives the new primary the ACL back that it had', () => {
    const { verdict } = scene(back);
    expect(verdict).toMatchObject({ kind: 'restrict', created: targetCreated, acls: BEFORE });
  });

  it('has nothing to give back where nothing was taken', () => {
    expect(outcomeOf(scene({ to: 'source' }).verdict)).toEqual({ restricted: null, notes: '' });
  });

  it('forgets what was there once it is there again', () => {
    const { verdict, after } = scene({ ...back, did: [failing(answered(AFTER, BEFORE))] });
    expect(outcomeOf(verdict)).toEqual({ restricted: false, notes: '' });
    expect(after).toBeNull();
  });

  it('tries as often as the policy says, then tells what to type and keeps what was there', () => {
    const kinds: BackupStep['kind'][] = [
      scene({ ...back, did: [again] }).verdict,
      scene({ ...back, did: [again, wait] }).verdict,
    ].map((verdict) => (verdict.kind === 'plan' ? 'fail' : verdict.kind));
    expect(kinds).toEqual(['wait', 'restrict']);
    const { verdict, after } = scene({ ...back, did: [again, wait, again, wait, again] });
    const { restricted, notes } = outcomeOf(verdict);
    expect(restricted).toBe(true);
    expect(notes).toContain(`Type: ozone sh bucket setacl -a '${BEFORE.join(',')}' o3://`);
    expect(after).toEqual(known);
  });
});
