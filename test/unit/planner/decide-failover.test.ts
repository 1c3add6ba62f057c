import { describe, expect, it } from 'vitest';
import { later, seconds } from '../../../functions/core/domain/units.ts';
import { decideRestore } from '../../../functions/core/planner/decide-restore.ts';
import { describePlan, openedSnapshotOf, safetySnapshotOf } from '../../../functions/core/planner/restore-plan.ts';
import {
  compared,
  copied,
  kept,
  looked,
  noAnswer,
  notDone,
  type RestoreWorld,
  restoreHistory,
  targetCreated,
} from './restore-world.ts';
import { roleOf } from './role-world.ts';
import { nameOf, slot } from './world.ts';

const aMinuteIn = later(slot, seconds(60));
/** The replica, which is dr, brought to the point from its own snapshot, with the words. */
const failover: RestoreWorld = {
  target: 'in-place',
  on: 'dr',
  sides: 'replica',
  overwrite: 'if-different',
  deleteExtra: true,
  confirmed: { replaced: 10, deleted: 2 },
  failover: {},
};
const decide = (world: RestoreWorld) => {
  const { history, task } = restoreHistory({ ...failover, ...world });
  return decideRestore(history, task, aMinuteIn);
};
const { run } = restoreHistory(failover).history;

const examine = { kind: 'examine', from: 'replica' } as const;
const primary = { kind: 'compare', of: 'primary', against: 'replica' } as const;
const safety = { kind: 'safety-snapshot', name: safetySnapshotOf(run) } as const;
const copy = { kind: 'restore', from: 'replica' } as const;
const compare = { kind: 'compare', of: 'target', against: 'replica' } as const;
const opening = { kind: 'safety-snapshot', name: openedSnapshotOf(run) } as const;
const half = looked({ absent: 2, same: 8, extra: 2 });
const away = notDone('om-unreachable', 'unreachable');

type Row = readonly [sentence: string, world: RestoreWorld, expected: object];
const decides = (rows: readonly Row[]) =>
  it.each(rows)('%s', (_sentence, world, expected) => {
    expect(decide(world)).toMatchObject(expected);
  });

describe('the plan of a failover', () => {
  const asked: RestoreWorld = { ...failover, confirmed: undefined };

  decides([
    ['looks at the replica', asked, examine],
    ['looks once what the source has otherwise', { ...asked, did: [[examine, half]] }, primary],
    ...[compared({ extra: 3, changed: 1 }), away, noAnswer(), notDone('source-missing')].map(
      (answer): Row => [
        `is made whatever came of that: ${JSON.stringify(answer).slice(0, 60)}`,
        {
          ...asked,
          did: [
            [examine, half],
            [primary, answer],
          ],
        },
        { kind: 'plan', plan: { failover: { kind: 'unplanned', from: 'prod' }, replaced: 8, deleted: 2 } },
      ],
    ),
  ]);

  it('says how long ago the point was, and that what was written since is not there', () => {
    const verdict = decide({
      ...asked,
      did: [
        [examine, half],
        [primary, away],
      ],
    });
    if (verdict.kind !== 'plan') throw new Error(verdict.kind);
    const { point, failover: over } = verdict.plan;
    expect(over?.lossSeconds).toBeGreaterThan(0);
    const text = describePlan(verdict.plan);
    expect(text).toContain(`dr becomes the primary instead of prod, as of ${point}`);
    expect(text).toContain('WHAT WAS WRITTEN TO prod SINCE IS NOT THERE');
  });

  it('says of one on purpose that nothing is lost, and what has to be stopped', () => {
    const verdict = decide({
      ...asked,
      failover: { kind: 'planned' },
      did: [
        [examine, half],
        [primary, compared()],
      ],
    });
    if (verdict.kind !== 'plan') throw new Error(verdict.kind);
    expect(describePlan(verdict.plan)).toMatch(/after a last backup .*; stop what writes to prod .*nothing is lost/);
  });
});

describe('a failover with the words', () => {
  const moving = roleOf({ state: 'moving', opened: null });

  decides([
    ['looks at the replica first', {}, examine],
    ['then keeps what is there, without asking a source that is lost', { did: [[examine, half]] }, safety],
    [
      'then copies, deleting what the point has not',
      {
        role: moving,
        did: [
          [examine, half],
          [safety, kept],
        ],
      },
      { ...copy, overwrite: 'if-different', deleteExtra: true, targetCreated },
    ],
    [
      'then compares all of it',
      {
        role: moving,
        did: [
          [examine, half],
          [safety, kept],
          [copy, copied(2)],
        ],
      },
      { ...compare, exact: true },
    ],
    [
      'then keeps what people begin with',
      {
        role: moving,
        did: [
          [examine, half],
          [safety, kept],
          [copy, copied(2)],
          [compare, compared()],
        ],
      },
      opening,
    ],
    [
      'and that snapshot is none of what was there before',
      {
        role: moving,
        did: [
          [examine, half],
          [opening, kept],
        ],
      },
      safety,
    ],
    [
      'fails when the replica is not the point after all',
      {
        role: moving,
        did: [
          [examine, half],
          [safety, kept],
          [copy, copied(2)],
          [compare, compared({ missing: 1 })],
        ],
      },
      { kind: 'fail', error: 'RestoreDiffers' },
    ],
    [
      'changes nothing when more would be lost than was confirmed',
      { did: [[examine, looked({ same: 8, extra: 3 })]] },
      { kind: 'fail', error: 'ChangedMeanwhile' },
    ],
    [
      'that goes on in another execution keeps once more what is there, and asks nobody again',
      {
        role: moving,
        run: { factsFrom: 2 },
        did: [
          [examine, half],
          [copy, noAnswer()],
          [examine, half],
        ],
      },
      safety,
    ],
    [
      'of a replica that is gone fails',
      { did: [[examine, notDone('source-missing')]] },
      { kind: 'fail', error: 'PointGone' },
    ],
  ]);
});

describe('a failover on purpose', () => {
  const planned: RestoreWorld = { failover: { kind: 'planned' } };

  decides([
    [
      'proves first that what people write to is the point',
      { ...planned, did: [[examine, half]] },
      { ...primary, exact: true },
    ],
    [
      'then goes on as any other',
      {
        ...planned,
        did: [
          [examine, half],
          [primary, compared()],
        ],
      },
      safety,
    ],
    ...(
      [
        ['is missing', { missing: 1 }],
        ['is changed', { changed: 1 }],
        ['came', { equal: false, extra: 1 }],
      ] as const
    ).map(
      ([what, difference]): Row => [
        `is refused when something there ${what}, and nothing has changed`,
        {
          ...planned,
          did: [
            [examine, half],
            [primary, compared(difference)],
          ],
        },
        {
          kind: 'fail',
          error: 'ChangedMeanwhile',
          remedy: expect.stringMatching(/^Stop what writes there.*Nothing was/),
        },
      ],
    ),
    [
      'waits for a source that is away: it cannot prove anything',
      {
        ...planned,
        did: [
          [examine, half],
          [primary, away],
        ],
      },
      { kind: 'wait' },
    ],
    [
      'that has moved the roles asks no more: nobody may write there',
      { ...planned, role: roleOf({ state: 'moving', opened: null }), did: [[examine, half]] },
      safety,
    ],
    [
      'replaces more than its plan says: it has brought over more since',
      {
        ...planned,
        did: [
          [examine, looked({ same: 90 })],
          [primary, compared()],
        ],
      },
      safety,
    ],
  ]);
});

describe('the outcome of a failover', () => {
  const done = (change: RestoreWorld) =>
    decide({
      role: roleOf({ state: 'moving', opened: null }),
      did: [
        [examine, half],
        [primary, compared()],
        [safety, kept],
        [copy, copied(2)],
        [compare, compared()],
        [opening, kept],
      ],
      ...change,
    });

  it('says what was lost, what was kept, and with what people begin', () => {
    expect(done({})).toMatchObject({
      kind: 'done',
      outcome: {
        kind: 'failed-over',
        bucket: 'sales/orders',
        failover: 'unplanned',
        from: 'prod',
        to: 'dr',
        epoch: 1,
        point: nameOf('a'),
        lossSeconds: expect.any(Number),
        files: 10,
        bytes: 100,
        bytesCopied: 20,
        safetySnapshot: safety.name,
        opened: { name: opening.name },
        notes: [
          expect.stringMatching(/^point everything that reads or writes sales\/orders to dr/),
          'backups and prunes of this bucket wait until a failback; prod must not be written to',
        ],
      },
    });
  });

  it('on purpose has lost nothing', () => {
    expect(done({ failover: { kind: 'planned' } })).toMatchObject({ outcome: { failover: 'planned', lossSeconds: 0 } });
  });

  it('of the way back says that backups go on as before', () => {
    const { source } = restoreHistory({}).history.run.policy;
    const back = done({
      failover: { kind: 'planned', to: 'source', epoch: 2, from: { ...source, name: 'dr' as never } },
    });
    if (back.kind !== 'done' || back.outcome.kind !== 'failed-over') throw new Error(back.kind);
    const text = back.outcome.notes.join('; ');
    expect(text).toContain('backups and prunes of this bucket go on in the usual direction with the next slot');
    expect(text).toContain('dr is its replica again');
    expect(text).not.toContain('wait until a failback');
  });
});
