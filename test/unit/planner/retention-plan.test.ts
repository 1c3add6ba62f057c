import { describe, expect, it } from 'vitest';
import type { SeenSide, SeenSnapshot } from '../../../functions/core/domain/edge-reply.ts';
import type { PointState } from '../../../functions/core/domain/ledger.ts';
import { PolicyName, RunId, SnapshotId, SnapshotName } from '../../../functions/core/domain/names.ts';
import type { Side } from '../../../functions/core/domain/retention.ts';
import { LegalHold, Pin, RetentionRules } from '../../../functions/core/domain/retention.ts';
import { type EpochMs, epochMs, later, seconds } from '../../../functions/core/domain/units.ts';
import { type PrunePlan, type PruneSettings, planPrune } from '../../../functions/core/planner/plan-prune.ts';
import type { BucketToPrune, LedgerPoint } from '../../../functions/core/planner/protections.ts';

const HOUR = 3_600_000;
const now = epochMs(Date.UTC(2026, 10, 30, 12));
const policy = PolicyName.parse('nightly');
const run = RunId.parse('prod/sales/orders#dr#nightly#20261130t020000z');

/** A point is one letter: `a` is of 1 November, `b` of the 2nd, and so on, each at 02:00 UTC. */
const nameOf = (letter: string) => SnapshotName.parse(`odr-${letter}`);
const letterOf = (name: string) => name.replace('odr-', '');
const timeOf = (letter: string) => epochMs(Date.UTC(2026, 10, letter.charCodeAt(0) - 96, 2));
const idOf = (letter: string, side: Side | 'other') =>
  SnapshotId.parse(
    `00000000-0000-4000-8000-0000${{ source: '1', replica: '2', other: '3' }[side]}${letter.charCodeAt(0).toString(16).padStart(7, '0')}`,
  );

const STATES: Readonly<Record<string, PointState>> = { '': 'taken', '~': 'sealed', '*': 'verified', '!': 'differs' };

const seen = (letter: string, side: Side | 'other', status: SeenSnapshot['status'] = 'ACTIVE'): SeenSnapshot => ({
  name: nameOf(letter),
  id: idOf(letter, side),
  created: epochMs(timeOf(letter) + (side === 'replica' ? HOUR : 0)),
  status,
});

const read = (snapshots: readonly SeenSnapshot[]): SeenSide => ({
  state: 'read',
  bucket: {
    created: '2026-01-01T00:00:00Z',
    layout: 'FILE_SYSTEM_OPTIMIZED',
    link: false,
    usedBytes: 1,
    usedNamespace: 1,
    owner: 'dr',
    quotaInBytes: -1,
    quotaInNamespace: -1,
    replication: '',
    encryptionKey: null,
    acls: null,
  },
  snapshots: [...snapshots],
});

interface World {
  /** `a* b~ c! d` : verified, sealed, differs, taken; all are on the source unless `gone` there. */
  readonly ledger: string;
  readonly base?: string;
  readonly previous?: string;
  readonly local?: boolean;
  readonly gone?: Partial<Record<Side, string>>;
  /** Snapshots of others that bear these names. */
  readonly foreign?: Partial<Record<Side, string>>;
  readonly more?: Partial<BucketToPrune>;
}

const letters = (text = '') => text.split(' ').filter((letter) => letter !== '');

const bucketOf = (world: World): BucketToPrune => {
  const points = letters(world.ledger).map((token): LedgerPoint => {
    const letter = token.charAt(0);
    const state = STATES[token.slice(1)] ?? 'taken';
    return {
      name: nameOf(letter),
      policy,
      state,
      source: { id: idOf(letter, 'source'), created: timeOf(letter) },
      replica:
        state === 'taken'
          ? null
          : { id: idOf(letter, 'replica'), created: epochMs(timeOf(letter) + HOUR), condemned: state === 'differs' },
    };
  });
  const baseOf = (letter: string | undefined) =>
    letter
      ? {
          name: nameOf(letter),
          created: timeOf(letter),
          sourceId: idOf(letter, 'source'),
          replicaId: idOf(letter, 'replica'),
        }
      : null;
  const onSide = (side: Side) => [
    ...points
      .filter((point) => point[side] && !letters(world.gone?.[side]).includes(letterOf(point.name)))
      .map((point) => seen(letterOf(point.name), side)),
    ...letters(world.foreign?.[side]).map((letter) => seen(letter, 'other')),
  ];
  return {
    points,
    pairs: [{ base: baseOf(world.base), previousBase: baseOf(world.previous) }],
    inUse: [],
    pins: [],
    holds: [],
    listings: { source: read(onSide('source')), replica: world.local ? null : read(onSide('replica')) },
    ...world.more,
  };
};

const inForce = (rules: RetentionRules) => [{ rules, zone: 'UTC', until: null }];
const keepOne = RetentionRules.parse({ keepLast: 1 });
const settings = (more: Partial<PruneSettings> = {}): PruneSettings => ({
  policy,
  inForce: { source: inForce(keepOne), replica: inForce(keepOne) },
  grace: seconds(24 * 3600),
  maxDeletions: 100,
  ...more,
});

/** Everything was condemned long ago. */
const longAgo: ReadonlyMap<SnapshotId, EpochMs> = new Map(
  [...'abcdefghijklmnopqrstuvwxyz'].flatMap((letter) =>
    (['source', 'replica', 'other'] as const).map(
      (side) => [idOf(letter, side), epochMs(Date.UTC(2026, 9, 1))] as const,
    ),
  ),
);

const plan = (world: World, more: Partial<PruneSettings> = {}, condemned = longAgo) =>
  planPrune(bucketOf(world), condemned, settings(more), now);
const sides = (planned: PrunePlan) => {
  if (planned.kind === 'refused') throw new Error(planned.reason);
  return planned;
};
const removed = (planned: PrunePlan) => {
  const { source, replica } = sides(planned);
  const of = (side: typeof source | null) => side?.remove.map(({ name }) => letterOf(name)).join(' ');
  return { source: of(source), replica: of(replica) };
};
const reasonsOf = (planned: PrunePlan, side: Side, letter: string) =>
  [...(sides(planned)[side]?.keep ?? []), ...(sides(planned)[side]?.condemn ?? [])].find(
    ({ name }) => name === nameOf(letter),
  )?.reasons;

const usual: World = { ledger: 'a* b* c* d* e* f*', base: 'f', previous: 'e' };

describe('a plan to prune', () => {
  it('removes what no rule keeps and nothing protects, on each side, with reasons', () => {
    const planned = sides(plan(usual));
    expect(removed(planned)).toEqual({ source: 'd c b a', replica: 'd c b a' });
    expect(planned.source.remove[0]?.reasons).toEqual(['no rule of the source keeps it']);
    expect(planned.source.remove[0]?.id).toBe(idOf('d', 'source'));
    expect(planned.replica?.remove[0]?.id).toBe(idOf('d', 'replica'));
  });

  it('judges each side by its own rules', () => {
    const replica = inForce(RetentionRules.parse({ keepLast: 4 }));
    expect(removed(plan(usual, { inForce: { source: inForce(keepOne), replica } }))).toEqual({
      source: 'd c b a',
      replica: 'b a',
    });
  });

  it('says each reason of a point that stays', () => {
    expect(reasonsOf(plan(usual), 'source', 'f')).toEqual([
      'last snapshot',
      'the base of the next increment',
      'the newest point that is proved on all sides',
      'the newest good point',
    ]);
    expect(reasonsOf(plan(usual), 'replica', 'e')).toEqual(['the base before the last']);
  });

  it('lists every active snapshot once', () => {
    const { source, replica } = sides(plan({ ...usual, foreign: { source: 'p q', replica: 'r' } }));
    const names = (side: typeof source | null) =>
      [...(side?.keep ?? []), ...(side?.condemn ?? []), ...(side?.remove ?? [])]
        .map(({ name }) => letterOf(name))
        .sort();
    expect(names(source).join('')).toBe('abcdefpq');
    expect(names(replica).join('')).toBe('abcdefr');
  });

  it('works without a replica: taken is then as good as it gets', () => {
    expect(removed(plan({ ledger: 'a b c', local: true }))).toEqual({ source: 'b a', replica: undefined });
  });
});

describe('nothing is pruned on either side', () => {
  const world = bucketOf(usual);
  it.each(['missing', 'unreachable', 'denied', 'unreadable'] as const)('while a side is %s', (state) => {
    const broken: SeenSide = { state, code: 'timeout', message: 'no answer after 30 seconds' };
    for (const side of ['source', 'replica'] as const) {
      const planned = planPrune(
        { ...world, listings: { ...world.listings, [side]: broken } },
        longAgo,
        settings(),
        now,
      );
      expect(planned).toMatchObject({ kind: 'refused', reason: expect.stringContaining(`the ${side} is ${state}`) });
    }
  });

  it.each([
    ['there are no rules', []],
    ['the rules keep nothing', [{ rules: {}, zone: 'UTC', until: null }]],
    ['every count is zero', [{ rules: { keepLast: 0, keepDaily: 0 }, zone: 'UTC', until: null }]],
  ])('when %s, as a ledger of long ago may have it', (_sentence, rules) => {
    for (const side of ['source', 'replica'] as const)
      expect(plan(usual, { inForce: { source: inForce(keepOne), replica: inForce(keepOne), [side]: rules } })).toEqual({
        kind: 'refused',
        reason: `the rules would remove all 6 points of the ${side}`,
      });
  });
});

describe('what protects a point on both sides', () => {
  const cases: readonly (readonly [string, Partial<BucketToPrune>, string])[] = [
    ['an open run', { inUse: [{ by: run, points: [nameOf('b')] }] }, `in use by ${run}`],
    [
      'a pin',
      { pins: [{ point: nameOf('b'), ...Pin.parse({ by: 'ann', reason: 'audit 2026', at: now }) }] },
      'pinned by ann: audit 2026',
    ],
    [
      'a legal hold without end',
      { holds: [{ point: nameOf('b'), ...LegalHold.parse({ by: 'ann', reason: 'case 17', at: now, until: null }) }] },
      'legal hold without end: case 17',
    ],
    [
      'a legal hold that ends in a second',
      {
        holds: [
          { point: nameOf('b'), ...LegalHold.parse({ by: 'ann', reason: 'case 17', at: now, until: now + 1000 }) },
        ],
      },
      'legal hold until 2026-11-30T12:00:01.000Z: case 17',
    ],
  ];
  it.each(cases)('%s', (_sentence, more, reason) => {
    const planned = plan({ ...usual, more });
    expect(removed(planned)).toEqual({ source: 'd c a', replica: 'd c a' });
    expect(reasonsOf(planned, 'source', 'b')).toEqual([reason]);
    expect(reasonsOf(planned, 'replica', 'b')).toEqual([reason]);
  });

  it('but not a legal hold that is over', () => {
    const holds = [{ point: nameOf('b'), ...LegalHold.parse({ by: 'ann', reason: 'case 17', at: now, until: now }) }];
    expect(removed(plan({ ...usual, more: { holds } })).source).toBe('d c b a');
  });

  it('a hold and a pin without a reason do not exist', () => {
    expect(LegalHold.safeParse({ by: 'ann', reason: '  ', at: now, until: null }).success).toBe(false);
    expect(Pin.safeParse({ by: 'ann', reason: '', at: now }).success).toBe(false);
  });

  it('being the base of any pair of the bucket, or the one before it', () => {
    const of = (letter: string) => ({
      name: nameOf(letter),
      created: timeOf(letter),
      sourceId: idOf(letter, 'source'),
      replicaId: idOf(letter, 'replica'),
    });
    const pairs = [
      { base: of('f'), previousBase: of('e') },
      { base: of('c'), previousBase: of('a') },
    ];
    expect(removed(plan({ ...usual, more: { pairs } })).source).toBe('d b');
  });

  it('belonging to another policy', () => {
    const bucket = bucketOf(usual);
    const hourly = PolicyName.parse('hourly');
    const points = bucket.points.map((point) => (point.name === nameOf('b') ? { ...point, policy: hourly } : point));
    const planned = planPrune({ ...bucket, points }, longAgo, settings(), now);
    expect(removed(planned)).toEqual({ source: 'd c a', replica: 'd c a' });
    expect(reasonsOf(planned, 'source', 'b')).toEqual(['of the policy hourly']);
  });

  it('being younger than the grace, by the snapshot of that side', () => {
    // d was made on the 4th; its copy an hour later.
    const grace = seconds((now - timeOf('d')) / 1000 - 1);
    const planned = plan(usual, { grace }, new Map([...longAgo.keys()].map((id) => [id, epochMs(0)])));
    expect(removed(planned)).toEqual({ source: 'd c b a', replica: 'c b a' });
  });

  it('a date in the future, which also takes nobody else’s place', () => {
    const bucket = bucketOf({ ledger: 'a* b* c*', base: 'b', previous: 'a' });
    const ahead = later(now, seconds(60));
    const points = bucket.points.map((point) =>
      point.name === nameOf('c') ? { ...point, source: { ...point.source, created: ahead } } : point,
    );
    const planned = planPrune({ ...bucket, points }, longAgo, settings(), now);
    expect(reasonsOf(planned, 'source', 'c')).toContain('future-dated');
    expect(reasonsOf(planned, 'source', 'b')).toContain('last snapshot');
  });
});

describe('good points', () => {
  it('stay in the number of minGood, on each side those that are there', () => {
    const rules = inForce(RetentionRules.parse({ keepLast: 1, minGood: 3 }));
    const planned = plan(
      { ...usual, base: 'b', previous: 'a', gone: { replica: 'e' } },
      { inForce: { source: rules, replica: rules } },
    );
    expect(removed(planned)).toEqual({ source: 'c', replica: '' });
    expect(reasonsOf(planned, 'source', 'd')).toEqual(['one of the 3 newest good points']);
  });

  it('are not pushed out by newer ones that failed', () => {
    const planned = plan({ ledger: 'a* b* c d! e! f!', base: 'b', previous: 'a' });
    expect(removed(planned)).toEqual({ source: '', replica: '' });
    expect(reasonsOf(planned, 'source', 'c')).toEqual(['not yet replicated']);
    expect(reasonsOf(planned, 'replica', 'b')).toContain('last snapshot');
  });

  it('that are gone from one side do not count as the newest proved on both', () => {
    const planned = plan({ ...usual, base: 'b', previous: 'a', gone: { replica: 'f' } });
    expect(reasonsOf(planned, 'source', 'e')).toEqual(['the newest point that is proved on all sides']);
    expect(reasonsOf(planned, 'replica', 'e')).toContain('last snapshot');
  });

  it('of the future are not the newest ones: neither for minGood nor for what is yet to be replicated', () => {
    const bucket = bucketOf({ ledger: 'a* b* c d*' });
    const ahead = later(now, seconds(60));
    const points = bucket.points.map((point) =>
      point.name === nameOf('d') ? { ...point, source: { ...point.source, created: ahead } } : point,
    );
    const planned = planPrune({ ...bucket, points }, longAgo, settings(), now);
    expect(reasonsOf(planned, 'source', 'b')).toContain('the newest good point');
    expect(reasonsOf(planned, 'source', 'b')).toContain('the newest point that is proved on all sides');
    expect(reasonsOf(planned, 'source', 'c')).toContain('not yet replicated');
  });

  it('of which there is none: everything stays', () => {
    expect(removed(plan({ ledger: 'a b c! d~ e' }))).toEqual({ source: '', replica: '' });
  });
});

describe('copies that failed', () => {
  it('go from the replica once a newer point is verified; their source stays by its rules', () => {
    const rules = { source: inForce(RetentionRules.parse({ keepLast: 4 })), replica: inForce(keepOne) };
    const planned = sides(plan({ ledger: 'a* b! c~ d*', base: 'd', previous: 'a' }, { inForce: rules }));
    expect(removed(planned)).toEqual({ source: '', replica: 'c b' });
    expect(planned.replica?.remove.map(({ reasons }) => reasons)).toEqual([
      ['never verified, and a newer point is'],
      ['its content differs from the source'],
    ]);
  });

  it('stay while nothing newer is verified', () => {
    const planned = plan({ ledger: 'a* b*  c!', base: 'b', previous: 'a' });
    expect(reasonsOf(planned, 'replica', 'c')).toEqual(['not verified, and nothing newer is']);
  });

  it('take no verified one’s place in the rules', () => {
    const rules = inForce(RetentionRules.parse({ keepDaily: 3 }));
    const world: World = { ledger: 'a* b* c* d! e! f*', base: 'f', previous: 'a' };
    expect(removed(plan(world, { inForce: { source: rules, replica: rules } })).replica).toBe('e d');
  });
});

describe('snapshots that are not ours', () => {
  it('are never touched, whatever their names', () => {
    const planned = plan({ ...usual, gone: { source: 'a' }, foreign: { source: 'a', replica: 'z' } });
    expect(removed(planned)).toEqual({ source: 'd c b', replica: 'd c b a' });
    expect(reasonsOf(planned, 'source', 'a')).toEqual(['not ours']);
  });

  it('and those that are deleted already are not planned for, and take no place', () => {
    const bucket = bucketOf({ ledger: 'a b', local: true });
    const listings = { source: read([seen('a', 'source'), seen('b', 'source', 'DELETED')]), replica: null };
    const planned = sides(planPrune({ ...bucket, listings }, longAgo, settings(), now));
    expect(planned.source.keep.map(({ name }) => letterOf(name))).toEqual(['a']);
  });
});

describe('condemned first, removed later', () => {
  const hours = (count: number) => epochMs(now - count * HOUR);

  it('a point is condemned, waits out the grace and then goes', () => {
    const planned = sides(plan({ ledger: 'a b c', local: true }, {}, new Map([[idOf('a', 'source'), hours(24)]])));
    expect(removed(planned).source).toBe('a');
    expect(planned.source.condemn).toEqual([
      {
        name: 'odr-b',
        id: idOf('b', 'source'),
        created: timeOf('b'),
        reasons: ['no rule of the source keeps it', 'may go after 2026-12-01T12:00:00.000Z'],
      },
    ]);
  });

  it('a condemnation that is a second short of the grace does not count yet', () => {
    const condemned = new Map([[idOf('a', 'source'), epochMs(hours(24) + 1000)]]);
    expect(removed(plan({ ledger: 'a b c', local: true }, {}, condemned)).source).toBe('');
  });

  it('a pin takes it back', () => {
    const pins = [{ point: nameOf('a'), ...Pin.parse({ by: 'ann', reason: 'look at it', at: now }) }];
    const condemned = new Map([[idOf('a', 'source'), hours(48)]]);
    const planned = sides(plan({ ledger: 'a b c', local: true, more: { pins } }, {}, condemned));
    expect(removed(planned).source).toBe('');
    expect(planned.source.spare).toEqual([idOf('a', 'source')]);
  });

  it('the cap holds for both sides together, the oldest go first', () => {
    const planned = sides(plan(usual, { maxDeletions: 3 }));
    expect(removed(planned)).toEqual({ source: 'b a', replica: 'a' });
    expect(reasonsOf(planned, 'source', 'c')).toEqual([
      'no rule of the source keeps it',
      'over the cap of 3 deletions of one run',
    ]);
  });
});
