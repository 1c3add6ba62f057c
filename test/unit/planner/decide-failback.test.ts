import { describe, expect, it } from 'vitest';
import type { DivergenceData } from '../../../functions/core/domain/edge-reply.ts';
import type { Observation, RecoveryPoint } from '../../../functions/core/domain/ledger.ts';
import { OperationId } from '../../../functions/core/domain/names.ts';
import type { RestoreTask } from '../../../functions/core/domain/restore.ts';
import { Bytes, epochMs, later, seconds } from '../../../functions/core/domain/units.ts';
import { type Back, decideFailback, describeFailback } from '../../../functions/core/planner/decide-failback.ts';
import {
  bucketMade,
  compared,
  copied,
  elapsed,
  kept,
  looked,
  noAnswer,
  notDone,
  planHash,
  type RestoreWorld,
  restoreHistory,
} from './restore-world.ts';
import { forward, roleOf } from './role-world.ts';
import { baseOf, historyOf, nameOf, slot } from './world.ts';

const parted = (added: number, changed = 0) => ({
  added,
  changed,
  deleted: 0,
  bytes: Bytes.parse((added + changed) * 10),
  first: added > 0 ? ['late/file'] : [],
});
const diverged = (orphans: number, both = 0): Observation => ({
  kind: 'divergence',
  data: {
    source: parted(orphans),
    replica: parted(3, 4),
    both: { paths: both, first: both > 0 ? ['both/of/them'] : [] },
  } as DivergenceData,
});

const frozenName = 'failback-20261120t020000z-1';
const freeze = { kind: 'create-snapshot', name: frozenName } as const;
const measure = { kind: 'measure-divergence' } as const;
const examine = { kind: 'examine', from: 'source' } as const;
const create = { kind: 'create-target' } as const;
const copy = { kind: 'restore' } as const;
const compare = { kind: 'compare', of: 'target', against: 'source' } as const;
const primary = { kind: 'compare', of: 'primary', against: 'source' } as const;
const round = { kind: 'bring-back', name: 'back-1', input: { back: true } } as const;
const wait = { kind: 'wait' } as const;
const away = notDone('om-unreachable', 'unreachable');
const fails = (error: string, remedy: RegExp = /./) => ({ kind: 'fail', error, remedy: expect.stringMatching(remedy) });

type Did = NonNullable<RestoreWorld['did']>;
const frozen: Did = [[freeze, kept]];
const noOrphans: Did = [...frozen, [measure, diverged(0)]];
const orphans: Did = [...frozen, [measure, diverged(2)]];
const keptApart: Did = [
  ...orphans,
  [examine, looked('missing')],
  [create, bucketMade()],
  [copy, copied(2)],
  [compare, compared()],
];
const unchanged: Did = [...noOrphans, [primary, compared()]];

interface At {
  readonly did?: Did;
  readonly confirmed?: boolean;
  readonly run?: RestoreWorld['run'];
  readonly pace?: number;
  /** Seconds after the begin at which points of the other direction were made, newest first. */
  readonly back?: readonly number[];
  /** Of the pair of the other direction, unless its newest point is its base. */
  readonly backPair?: Partial<Back['pair']>;
  readonly now?: number;
}

const decide = ({ did = [], confirmed = true, run, pace = 1, back = [], backPair, now = did.length * pace }: At) => {
  const { history, task } = restoreHistory({ sides: 'source', digest: null, did, run, pace });
  const preparation: NonNullable<RestoreTask['failback']> = {
    epoch: 1,
    roleOf: forward,
    common: { name: nameOf('b'), id: baseOf('b').sourceId },
    opened: { name: roleOf().opened?.name ?? nameOf('b'), id: baseOf('b').replicaId },
  };
  const [verified] = historyOf({ source: 'b*' }).points;
  if (!verified) throw new Error('there is a point');
  const points = back.map(
    (at): RecoveryPoint => ({
      ...verified,
      name: `odr-nightly-20261120t0300${String(at).padStart(2, '0')}z-1` as RecoveryPoint['name'],
      slot: epochMs(slot + at * 1000),
      bytesCopied: Bytes.parse(100),
    }),
  );
  const [newest] = points;
  return decideFailback(
    history,
    {
      ...task,
      purpose: 'failback',
      confirmed: confirmed ? { plan: planHash, targetCreated: null, replaced: 0, deleted: 0 } : null,
      failback: preparation,
    },
    preparation,
    { points, pair: { base: newest ? { ...baseOf('b'), name: newest.name } : null, dirtySince: null, ...backPair } },
    later(slot, seconds(now)),
  );
};

type Row = readonly [sentence: string, at: At, expected: object];
const decides = (rows: readonly Row[]) =>
  it.each(rows)('%s', (_sentence, at, expected) => {
    expect(decide(at)).toMatchObject(expected);
  });

describe('the report of a failback', () => {
  decides([
    ['freezes the old primary first', { confirmed: false }, { ...freeze, base: null }],
    ['waits for an old primary that is away', { did: [[freeze, away]] }, wait],
    [
      'freezes it again after that',
      {
        did: [
          [freeze, away],
          [wait, elapsed],
        ],
      },
      freeze,
    ],
    ['gives up when it may not', { did: [[freeze, notDone('permission-denied')]] }, fails('AccessDenied')],
    [
      'then finds out what both sides changed since they parted',
      { did: frozen, confirmed: false },
      {
        ...measure,
        base: { name: nameOf('b'), id: baseOf('b').sourceId },
        target: { name: frozenName },
        opened: { id: baseOf('b').replicaId },
      },
    ],
    ['waits when it cannot', { did: [...frozen, [measure, away]] }, wait],
    [
      'then asks a person',
      { did: orphans, confirmed: false },
      {
        kind: 'failback-plan',
        plan: {
          epoch: 1,
          roleOf: forward,
          from: 'dr',
          to: 'prod',
          common: nameOf('b'),
          divergence: { source: { added: 2 } },
        },
      },
    ],
    [
      'of another execution counts no more: it is frozen anew',
      { did: orphans, run: { factsFrom: 2, lease: 2 } },
      { kind: 'create-snapshot', name: 'failback-20261120t020000z-2' },
    ],
  ]);

  it('says what each side changed, what is kept apart, and what counts where both did', () => {
    const textOf = (both: number) => {
      const verdict = decide({ did: [...frozen, [measure, diverged(2, both)]], confirmed: false });
      if (verdict.kind !== 'failback-plan') throw new Error(verdict.kind);
      return describeFailback(verdict.plan);
    };
    expect(textOf(0)).toMatch(
      /on dr, which people use: 3 files added, 4 changed.*on prod, the old primary: 2 files added/,
    );
    expect(textOf(0)).toContain('no file was changed on both sides');
    expect(textOf(1)).toContain('1 files were changed ON BOTH SIDES: both/of/them: what dr has counts');
  });
});

describe('what was written to the old primary', () => {
  decides([
    ['is looked at', { did: orphans }, examine],
    ['is copied to a bucket of its own', { did: [...orphans, [examine, looked('missing')]] }, create],
    [
      'and nothing there is overwritten',
      { did: [...orphans, [examine, looked('missing')], [create, bucketMade()]] },
      { ...copy, overwrite: 'never', deleteExtra: false },
    ],
    [
      'and is compared',
      { did: [...orphans, [examine, looked('missing')], [create, bucketMade()], [copy, copied(2)]] },
      compare,
    ],
    [
      'that is not there as it was stops all of it',
      {
        did: [
          ...orphans,
          [examine, looked('missing')],
          [create, bucketMade()],
          [copy, copied(2)],
          [compare, compared({ missing: 1 })],
        ],
      },
      fails('RestoreDiffers'),
    ],
    ['is kept before anything else', { did: keptApart }, { ...primary, exact: true, level: 'full' }],
    ['where there is none nothing is copied', { did: noOrphans }, primary],
    [
      'that came after the report stops all of it',
      { did: [...noOrphans, [primary, compared({ changed: 1 })]] },
      {
        ...fails('ChangedMeanwhile', /Nothing of the bucket was changed/),
      },
    ],
    ['is asked for again when nobody answered', { did: [...noOrphans, [primary, away]] }, wait],
  ]);
});

describe('the changes of the new primary', () => {
  const failed = (n: number): Did => Array.from({ length: n }, () => [round, noAnswer('States.TaskFailed')] as const);

  decides([
    [
      'are brought back by a backup in the other direction',
      { did: unchanged },
      { kind: 'bring-back', input: { policy: 'nightly', bucket: 'sales/orders', back: true } },
    ],
    ['are tried again when that backup failed', { did: [...unchanged, ...failed(1)] }, wait],
    ['but not for ever', { did: [...unchanged, ...failed(9)] }, fails('BucketsFailed', /go on|goes on/)],
    [
      'that a backup did not bring are brought by another',
      { did: [...unchanged, [round, elapsed]] },
      { kind: 'bring-back' },
    ],
    [
      'that no backup ever brings fail',
      { did: [...unchanged, ...Array.from({ length: 20 }, () => [round, elapsed] as const)] },
      fails('CopyFailed'),
    ],
    [
      'are there when a backup was short',
      { did: [...unchanged, [round, elapsed]], back: [4] },
      {
        kind: 'done',
        outcome: { kind: 'failback-prepared', from: 'dr', to: 'prod', orphans: null, rounds: 1, bytesCopied: 100 },
      },
    ],
    [
      'are not there before the point is the base: the next backup would have to compare everything',
      { did: [...unchanged, [round, elapsed]], back: [4], backPair: { base: null } },
      { kind: 'bring-back' },
    ],
    [
      'are not there while a copy is in doubt',
      {
        did: [...unchanged, [round, elapsed]],
        back: [4],
        backPair: { dirtySince: { operation: OperationId.parse(`op-${'0'.repeat(24)}-001`), at: slot } },
      },
      { kind: 'bring-back' },
    ],
    ['of before the rounds do not count', { did: [...unchanged, [round, elapsed]], back: [1] }, { kind: 'bring-back' }],
    [
      'are brought once more when a backup took long: little is to be left for the switch',
      { did: [...unchanged, [round, elapsed]], pace: 2000, back: [6000] },
      { kind: 'bring-back' },
    ],
    [
      'are brought no more than five times',
      {
        did: [...unchanged, ...Array.from({ length: 5 }, () => [round, elapsed] as const)],
        pace: 2000,
        back: [14_000],
      },
      { kind: 'done', outcome: { rounds: 5 } },
    ],
  ]);

  it('are there, and so is what was kept apart', () => {
    const verdict = decide({ did: [...keptApart, [primary, compared()], [round, elapsed]], back: [8] });
    expect(verdict).toMatchObject({
      kind: 'done',
      outcome: { orphans: { bucket: 'sales/orders-restore-20261120t020000z' } },
    });
    expect(JSON.stringify(verdict)).toContain('nothing deletes that bucket');
  });
});
