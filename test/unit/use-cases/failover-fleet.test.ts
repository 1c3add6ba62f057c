import { beforeEach, describe, expect, it } from 'vitest';
import { RunId, SnapshotName } from '../../../functions/core/domain/names.ts';
import type { Role } from '../../../functions/core/domain/roles.ts';
import { nextOfFleet } from '../../../functions/core/use-cases/failover-fleet.ts';
import { nameOf } from '../planner/world.ts';
import { lineage, restoreStage, startedAt } from './restore-fixture.ts';

let stage: Awaited<ReturnType<typeof restoreStage>>;
beforeEach(async () => {
  stage = await restoreStage();
});

const request = { policy: 'nightly', kind: 'planned', by: 'Ada', reason: 'the building is closed' } as const;
const next = (more: object = {}) =>
  nextOfFleet(stage)({ request: { ...request, ...more }, execution: 'fleet', startedAt, results: [] });

/** The failover of the bucket, or its way back, began and did not end. */
const halfMoved = async (change: Partial<Role> = {}) => {
  const { ledger, clock } = stage;
  const pair = await ledger.loadPair(lineage);
  const by = RunId.parse(`${lineage}#failover.nightly#20261120t110000z`);
  const lease = await ledger.takeLease(pair, { runId: by, execution: 'gone' }, clock.now());
  await ledger.moveRole(lineage, null, {
    primary: 'replica',
    epoch: 1,
    state: 'moving',
    point: nameOf('a'),
    since: clock.now(),
    by,
    opened: null,
    prepared: null,
    restricted: null,
    ...change,
  });
  await ledger.releaseLease(lineage, lease?.token ?? 0);
};

describe('a bucket that a failover of several left half moved', () => {
  it('is in a new plan, with the point where it began, and is gone on with', async () => {
    await halfMoved();
    const planned = await next();
    expect(planned).toMatchObject({
      kind: 'planned',
      confirmation: expect.stringMatching(/^fail over 1 buckets of nightly to dr /),
      groups: [[{ bucket: 'sales/orders', point: nameOf('a'), resumes: true, blocker: null }]],
    });
    const words = planned.kind === 'planned' ? { plan: planned.plan, confirmation: planned.confirmation } : {};
    expect(await next(words)).toMatchObject({ kind: 'group', runs: [{ input: { bucket: 'sales/orders' } }] });
  });

  it.each<readonly [string, Partial<Role>]>([
    ['on its way back', { primary: 'source', epoch: 2 }],
    ['and whose point is not there any more', { point: SnapshotName.parse('odr-nightly-20251120t120000z-1') }],
  ])('%s is in the way of a plan', async (_sentence, change) => {
    await halfMoved(change);
    expect(await next()).toMatchObject({
      kind: 'planned',
      confirmation: null,
      groups: [[{ resumes: false, blocker: expect.stringContaining('its roles are being moved') }]],
    });
  });

  it('is none that goes on when it never began', async () => {
    expect(await next()).toMatchObject({ groups: [[{ point: nameOf('b'), resumes: false, blocker: null }]] });
  });
});
