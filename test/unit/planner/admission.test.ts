import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { emptyPair, type PairState } from '../../../functions/core/domain/ledger.ts';
import { BucketRef, ClusterName, HostId, OperationId, pairId, RunId } from '../../../functions/core/domain/names.ts';
import { Resource, type Slots } from '../../../functions/core/domain/slots.ts';
import { type EpochMs, epochMs, later, seconds } from '../../../functions/core/domain/units.ts';
import {
  admit,
  beginBy,
  capacitiesOf,
  emptiestHost,
  heldBy,
  leastSlackFirst,
  needsOf,
  outrunIn,
  queueText,
  requestOf,
  type SlotRequest,
  withoutPlace,
} from '../../../functions/core/planner/admission.ts';
import { decideBackup } from '../../../functions/core/planner/decide-backup.ts';
import { decideRestore } from '../../../functions/core/planner/decide-restore.ts';
import { bucketMade, elapsed, looked, type RestoreWorld, restoreHistory } from './restore-world.ts';
import { baseOf, historyOf, nameOf, policyOf, slot, targetOf, type World } from './world.ts';

const run = (n: number): RunId => RunId.parse(`prod/sales/b${String(n).padStart(3, '0')}#dr#nightly#20261120t020000z`);
const at = (minutes: number): EpochMs => epochMs(slot + Math.round(minutes * 60_000));
const [x, y] = ['copy:dr', 'host:mi-0123456789abcdef0'].map((it) => Resource.parse(it));
if (!x || !y) throw new Error('there are two resources');
const empty = (resource: Resource): Slots => ({ resource, revision: 0, holders: {}, waiters: {} });

interface Wish {
  readonly n: number;
  /** In minutes. */
  readonly by: number;
  readonly of: readonly Resource[];
  readonly capacity: number;
  readonly weight?: number;
}
const request = ({ n, by, of, capacity, weight = 1 }: Wish): SlotRequest => ({
  holder: run(n),
  by: at(by),
  expected: seconds(600),
  visits: [],
  needs: of.map((resource) => ({ resource, capacity, weight: Math.min(weight, capacity), holdFor: seconds(3600) })),
});

/** The books of a ledger, changed as it would. */
class Books {
  readonly all = new Map<Resource, Slots>();
  of(resource: Resource): Slots {
    return this.all.get(resource) ?? empty(resource);
  }
  ask(wish: Wish, now: EpochMs) {
    const verdict = admit(
      wish.of.map((it) => this.of(it)),
      request(wish),
      now,
    );
    for (const slots of verdict.changed) this.all.set(slots.resource, { ...slots, revision: slots.revision + 1 });
    return verdict.refusal;
  }
  release(n: number): void {
    for (const slots of this.all.values()) {
      const { [run(n)]: _held, ...holders } = slots.holders;
      const { [run(n)]: _waited, ...waiters } = slots.waiters;
      this.all.set(slots.resource, { ...slots, holders, waiters });
    }
  }
}

const one = fc.record({
  n: fc.integer({ min: 0, max: 12 }),
  by: fc.integer({ min: -300, max: 300 }),
  both: fc.boolean(),
  weight: fc.integer({ min: 1, max: 4 }),
  does: fc.constantFrom('ask', 'ask', 'ask', 'release', 'pass'),
});

describe('the order of a slot', () => {
  const policy = policyOf('incremental');
  const pairs = ['a', 'b', 'c', 'd'].map((name) => ({
    ...emptyPair(pairId(policy.source.name, BucketRef.parse(`sales/b-${name}`), ClusterName.parse('dr'))),
    base: { ...baseOf('a'), created: at(-24 * 60) },
  }));
  const names = (states: readonly PairState[]) =>
    leastSlackFirst(policy, states, slot).map(({ pair }) => /b-(.)/.exec(pair)?.[1]);
  const tookHours = (hours: number): PairState['copies'] => [
    {
      operation: OperationId.parse('op-0123456789abcdef01234567-001'),
      point: nameOf('a'),
      mode: 'incremental' as const,
      base: null,
      host: HostId.parse('mi-0123456789abcdef0'),
      from: at(-60 * hours),
      deadline: at(0),
      to: at(0),
    },
  ];

  it('begins with the bucket whose copies take long, and with the one that is behind', () => {
    const [a, b, c, d] = pairs;
    if (!a || !b || !c || !d) throw new Error('there are four');
    expect(names([a, b, { ...c, copies: tookHours(3) }, { ...d, base: { ...d.base, created: at(-30 * 60) } }])).toEqual(
      ['d', 'c', 'a', 'b'],
    );
  });

  it.each<readonly [what: string, change: object]>([
    ['that has not ended', { to: null }],
    ['of a whole bucket, the first one', { mode: 'bootstrap' }],
  ])('is that of the policy where nothing tells them apart: a copy %s says nothing', (_, change) => {
    const last = pairs.at(-1);
    const slow = tookHours(3).map((it) => ({ ...it, ...change }));
    expect(names(pairs.map((pair) => (pair === last ? { ...pair, copies: slow } : pair)))).toEqual([
      'a',
      'b',
      'c',
      'd',
    ]);
  });
});

describe('whoever asks for places, in whatever order', () => {
  it('no more are held than there are, and who is refused holds none', () => {
    fc.assert(
      fc.property(fc.array(one, { maxLength: 80 }), fc.integer({ min: 1, max: 5 }), (events, capacity) => {
        const books = new Books();
        let now = 0;
        for (const { n, by, both, weight, does } of events) {
          if (does === 'pass') now += weight * 10;
          else if (does === 'release') books.release(n);
          else {
            const of = both ? [x, y] : [x];
            const refusal = books.ask({ n, by, of, capacity, weight }, at(now));
            for (const resource of of) expect(books.of(resource).holders[run(n)] === undefined).toBe(refusal !== null);
          }
          for (const { holders } of books.all.values()) {
            const held = Object.values(holders).filter(({ until }) => until > at(now));
            expect(held.reduce((sum, it) => sum + it.weight, 0)).toBeLessThanOrEqual(capacity);
          }
        }
      }),
    );
  });

  it('the same request again changes nothing and is answered alike', () => {
    fc.assert(
      fc.property(fc.array(one, { maxLength: 40 }), fc.integer({ min: 1, max: 4 }), one, (events, capacity, last) => {
        const books = new Books();
        for (const { n, by, both, weight } of events)
          books.ask({ n, by, of: both ? [x, y] : [x], capacity, weight }, at(0));
        books.release(last.n);
        const wish = { ...last, of: [x, y], capacity };
        const first = books.ask(wish, at(0));
        const known = [books.of(x), books.of(y)].map(({ holders, waiters }) => ({ holders, waiters }));
        expect(books.ask(wish, at(0))).toEqual(first);
        expect([books.of(x), books.of(y)].map(({ holders, waiters }) => ({ holders, waiters }))).toEqual(known);
      }),
    );
  });

  it('everybody gets all that it needs in the end, however many come later and whatever they need', () => {
    fc.assert(
      fc.property(
        fc.array(fc.record({ by: fc.integer({ min: -60, max: 60 }), needs: fc.integer({ min: 1, max: 3 }) }), {
          minLength: 2,
          maxLength: 12,
        }),
        fc.integer({ min: 1, max: 3 }),
        fc.integer({ min: 1, max: 20 }),
        (all, capacity, lasts) => {
          const books = new Books();
          const waiting = new Map<number, Wish>();
          const ends = new Map<number, number>();
          let [next, served] = [0, 0];
          // One that is in no hurry comes every minute.
          let hurried = 0;
          for (let minute = 0; served < all.length; minute += 0.5) {
            expect(minute).toBeLessThan(60 + all.length * (lasts + 20));
            for (const [n, end] of ends)
              if (end <= minute) {
                books.release(n);
                ends.delete(n);
              }
            const wish = all[next];
            if (wish) {
              waiting.set(next, { n: next, by: wish.by, of: [[x], [y], [x, y]][wish.needs - 1] ?? [], capacity });
              next += 1;
            }
            if (Number.isInteger(minute) && hurried < 40) {
              waiting.set(500 + hurried, { n: 500 + hurried, by: minute + 600, of: hurried % 2 ? [x] : [y], capacity });
              hurried += 1;
            }
            for (const [n, asked] of waiting)
              if (!books.ask(asked, at(minute))) {
                waiting.delete(n);
                ends.set(n, minute + lasts);
                if (n < 500) served += 1;
              }
          }
        },
      ),
      { numRuns: 8 },
    );
  }, 60_000);
});

describe('a place in the line', () => {
  it('goes to whoever has to begin first of those that wait, however long the others do', () => {
    const books = new Books();
    books.ask({ n: 0, by: 0, of: [x], capacity: 1 }, at(0));
    expect(books.ask({ n: 1, by: 200, of: [x], capacity: 1 }, at(0))).toMatchObject({
      place: 1,
      taken: 1,
      capacity: 1,
    });
    expect(books.ask({ n: 2, by: 100, of: [x], capacity: 1 }, at(0))).toMatchObject({ place: 1 });
    expect(books.ask({ n: 1, by: 200, of: [x], capacity: 1 }, at(0.5))).toMatchObject({ place: 2 });
    books.release(0);
    expect(books.ask({ n: 1, by: 200, of: [x], capacity: 1 }, at(1))).toMatchObject({ place: 2, taken: 0 });
    expect(books.ask({ n: 2, by: 100, of: [x], capacity: 1 }, at(1))).toBeNull();
  });

  it('of a lost waiter counts for some minutes and blocks nobody after that', () => {
    const books = new Books();
    books.ask({ n: 0, by: 0, of: [x], capacity: 1 }, at(0));
    books.ask({ n: 1, by: -100, of: [x], capacity: 1 }, at(0));
    books.release(0);
    expect(books.ask({ n: 2, by: 100, of: [x], capacity: 1 }, at(2))).toMatchObject({ place: 2 });
    expect(books.ask({ n: 2, by: 100, of: [x], capacity: 1 }, at(3))).toBeNull();
  });

  it('keeps nothing empty that the waiter cannot use, unless it is late and first', () => {
    const books = new Books();
    books.ask({ n: 0, by: 0, of: [y], capacity: 1 }, at(0));
    books.ask({ n: 1, by: 50, of: [x, y], capacity: 1 }, at(0));
    expect(books.ask({ n: 2, by: 100, of: [x], capacity: 1 }, at(1))).toBeNull();
    books.release(2);
    books.ask({ n: 1, by: 50, of: [x, y], capacity: 1 }, at(51));
    expect(books.ask({ n: 2, by: 100, of: [x], capacity: 1 }, at(52))).toMatchObject({ place: 2, taken: 0 });
    books.release(0);
    expect(books.ask({ n: 1, by: 50, of: [x, y], capacity: 1 }, at(52))).toBeNull();
  });

  it('is noted for the fifty most urgent alone, and who is not noted comes to its turn all the same', () => {
    const books = new Books();
    const wish = (n: number) => ({ n, by: 500 - n, of: [x], capacity: 1 });
    for (let n = 0; n < 200; n++) books.ask(wish(n), at(0));
    const noted = Object.keys(books.of(x).waiters);
    expect(noted).toHaveLength(50);
    expect(noted).toContain(run(199));
    expect(noted).not.toContain(run(1));
    expect(JSON.stringify(books.of(x)).length).toBeLessThan(10_000);
    expect(books.ask(wish(1), at(0))).toMatchObject({ place: 51 });
    expect(books.ask(wish(1), at(70))).toBeNull();
  });

  it('is asked for often in front, seldom behind and after hours, and always within a lease', () => {
    const pause = (place: number, expected: number, minutesInFront = 0, by = 400) => {
      const books = new Books();
      for (let n = 0; n <= place; n++) books.ask({ n, by: n, of: [x], capacity: 2, weight: n === 0 ? 2 : 1 }, at(0));
      const asked = request({ n: 400, by, of: [x], capacity: 2 });
      const visits = [
        { at: at(-minutesInFront - 5), place: 9 },
        { at: at(-minutesInFront), place: 2 },
      ];
      return admit([books.of(x)], { ...asked, expected: seconds(expected), visits }, at(0)).refusal?.pause;
    };
    expect([pause(0, 60), pause(1, 60), pause(1, 900), pause(1, 7200)]).toEqual([20, 20, 113, 300]);
    expect([pause(3, 60), pause(9, 60), pause(40, 60)]).toEqual([80, 260, 320]);
    expect([pause(1, 60, 60), pause(1, 60, 12 * 60), pause(1, 60, 6 * 1440)]).toEqual([225, 450, 1500]);
    expect([pause(60, 60), pause(60, 60, 0, 100), pause(60, 60, 0, 5000)]).toEqual([1500, 375, 1500]);
  });
});

describe('bandwidth', () => {
  it('is shared by weight, and a small one does not slip past a large one that is more urgent', () => {
    const books = new Books();
    const mbps = (n: number, by: number, weight: number) => books.ask({ n, by, of: [x], capacity: 100, weight }, at(0));
    expect([mbps(0, 0, 60), mbps(1, 10, 60), mbps(2, 20, 40)]).toMatchObject([null, { taken: 60 }, { place: 2 }]);
    books.release(0);
    expect([mbps(2, 20, 40), mbps(1, 10, 60)]).toEqual([null, null]);
  });

  it('of a copy that would take more than there is, is all that there is', () => {
    const books = new Books();
    expect(books.ask({ n: 0, by: 0, of: [x], capacity: 100, weight: 400 }, at(0))).toBeNull();
    expect(books.ask({ n: 1, by: 0, of: [x], capacity: 100, weight: 1 }, at(0))).toMatchObject({ taken: 100 });
  });
});

const policy = historyOf({}).run.policy;
const limited = {
  ...policy,
  replica: policy.replica && { ...policy.replica, linkMBps: 500 },
  limits: { ...policy.limits, bandwidthMBps: 50 },
};
const copyOf = (world: World) => decideBackup(historyOf(world), at(1));
const increment: World = {
  source: 'a* t1',
  replica: 'a*',
  run: 't1:taken',
  after: [
    [
      { kind: 'compute-diff', base: baseOf('a'), target: targetOf('t1') },
      { kind: 'diff', status: 'done', reason: '' },
    ],
  ],
};
const names = (world: World, of = policy) => needsOf(of, copyOf(world)).map(({ resource }) => resource);

describe('what a step needs', () => {
  it('a survey nothing, a snapshot its diff, a copy its places in one order for all', () => {
    expect(names({ source: '', replica: '' })).toEqual([]);
    expect(names({ source: 'a*', replica: 'a*' })).toEqual(['diff:prod']);
    const step = copyOf(increment);
    const host = 'host' in step ? step.host : '';
    const all = ['copy:dr', 'copy:prod', 'diff:dr', `host:${host}`];
    expect(names(increment)).toEqual(all);
    expect(names(increment, limited)).toEqual([...all, 'link:prod>dr']);
  });

  it('a copy weighs what its maps may take of the link at once, and as a whole no more than that', () => {
    const link = (bandwidthMBps: number, yarn: { readonly queue: string } | null) => {
      const step = copyOf(increment);
      if (step.kind !== 'replicate') throw new Error(step.kind);
      return needsOf({ ...limited, limits: { ...limited.limits, bandwidthMBps } }, { ...step, yarn }).at(-1);
    };
    expect([link(50, null), link(900, null)]).toMatchObject([{ weight: 50, capacity: 500 }, { weight: 500 }]);
    expect([link(50, { queue: 'backup' }), link(200, { queue: 'backup' })]).toMatchObject([
      { weight: 200 },
      { weight: 500 },
    ]);
  });

  it('a detached copy leaves the workers of its host alone', () => {
    const step = copyOf(increment);
    if (step.kind !== 'replicate') throw new Error(step.kind);
    const needs = needsOf(policy, { ...step, detached: true }).map(({ resource }) => resource);
    expect(needs).toEqual(['copy:dr', 'copy:prod', 'diff:dr']);
  });

  it('two of the workers of a host are left for short commands', () => {
    const step = copyOf({ source: 'a* t1', replica: 'a* t1', run: 't1:sealed' });
    expect(step.kind).toBe('verify');
    expect(needsOf(policy, step)).toMatchObject([{ capacity: 3, weight: 1 }]);
  });

  it('what a run has follows from its steps: while it waits in a line, nothing', () => {
    const asked = historyOf(increment);
    expect(heldBy(asked)).toEqual(['diff:prod']);
    const queued = { resource: x, place: 1, by: slot };
    const wait = { kind: 'wait', seconds: seconds(30), reason: 'r' } as const;
    const then = (step: object): World => ({
      ...increment,
      after: [...(increment.after ?? []), [step as never, { kind: 'elapsed' }]],
    });
    expect(heldBy(historyOf(then(wait)))).toEqual(['diff:prod']);
    expect(heldBy(historyOf(then({ ...wait, queued })))).toEqual([]);
    expect(heldBy(historyOf(then(copyOf(increment))))).toContain('copy:dr');
    expect(heldBy(historyOf(then(copyOf(increment))))).not.toContain('diff:prod');
  });
});

describe('a restore', () => {
  const toCopy: RestoreWorld = {
    sides: 'replica',
    did: [
      [{ kind: 'examine', from: 'replica' }, looked('missing')],
      [{ kind: 'create-target' }, bucketMade()],
    ],
  };
  const drill: RestoreWorld = { ...toCopy, purpose: 'drill', scratch: {} };
  const nextOf = (world: RestoreWorld) => {
    const { history, task } = restoreHistory(world);
    const step = decideRestore(history, task, at(1));
    if (step.kind !== 'restore') throw new Error(step.kind);
    return { history, step, asked: requestOf(history, step) };
  };
  /** As many others as there are places have them. */
  const crowded = ({ needs }: SlotRequest): readonly Slots[] =>
    needs.map(({ resource, capacity }) => ({
      ...empty(resource),
      holders: Object.fromEntries(
        Array.from({ length: capacity }, (_, n) => [run(n), { until: at(600), weight: 1 }] as const),
      ),
    }));

  it('has places on the cluster that it writes to, on that which it reads, and on its host; a comparison on its host', () => {
    const { history, step, asked } = nextOf(toCopy);
    expect(asked.needs.map(({ resource }) => resource)).toEqual(['copy:dr', 'copy:prod', `host:${step.host}`]);
    const inPlace = nextOf(drill);
    expect(inPlace.asked.needs.map(({ resource }) => resource)).toEqual(['copy:dr', `host:${inPlace.step.host}`]);
    const compare = { kind: 'compare', host: step.host, timeoutSeconds: seconds(900) } as never;
    expect(needsOf(policy, compare, history.run.restore).map(({ resource }) => resource)).toEqual([
      `host:${step.host}`,
    ]);
  });

  it('never waits behind backups: it takes its places whoever has them, and they see it', () => {
    const { asked } = nextOf(toCopy);
    const full = crowded(asked);
    const { refusal, changed } = admit(full, asked, at(1));
    expect(refusal).toBeNull();
    const [taken] = changed;
    if (!taken) throw new Error('it takes a place');
    expect(Object.keys(taken.holders)).toContain(asked.holder);
    const { capacity } = asked.needs.find(({ resource }) => resource === taken.resource) ?? { capacity: 0 };
    const backup = request({ n: 200, by: 0, of: [taken.resource], capacity: capacity + 1 });
    expect(admit([taken], backup, at(1)).refusal).toMatchObject({ taken: capacity + 1 });
  });

  it('as a drill waits like a backup, which does not count in what it measures', () => {
    const { asked } = nextOf(drill);
    expect(admit(crowded(asked), asked, at(1)).refusal).toMatchObject({ place: 1 });
    const queued = { resource: x, place: 1, by: slot };
    const waited: RestoreWorld = { ...drill, did: [...(drill.did ?? []), [{ kind: 'wait', queued }, elapsed]] };
    expect(nextOf(waited).step.kind).toBe('restore');
    expect(heldBy(restoreHistory(waited).history)).toEqual([]);
  });
});

describe('when a copy has to begin', () => {
  const step = copyOf(increment);
  const history = historyOf(increment);
  const { rpo } = policy.objectives;
  const verifiedAt = (instant: EpochMs) => ({
    ...history,
    pair: {
      ...history.pair,
      newest: { [policy.name]: { taken: null, verified: { full: { name: nameOf('a'), at: instant } }, runs: {} } },
    },
  });

  it('is the objective after the newest verified point, less what a copy takes', () => {
    expect(beginBy(verifiedAt(at(-60)), step)).toBe(at(-60) + (rpo - 60) * 1000);
    const [point] = history.points;
    const measured = {
      ...verifiedAt(at(-60)),
      points: point ? [{ ...point, mode: 'incremental' as const, copySeconds: 900 }] : [],
    };
    expect(beginBy(measured, step)).toBe(at(-60) + (rpo - 900) * 1000);
    const resync = copyOf({ ...increment, mode: 'resync' });
    const estimate = resync.kind === 'replicate' ? (resync.estimate?.seconds ?? 0) : 0;
    expect(beginBy(verifiedAt(at(-60)), resync)).toBe(at(-60) + (rpo - estimate) * 1000);
  });

  it('counts from the begin of the run where nothing was ever verified, and is never later by more than an objective', () => {
    const never = { ...history, pair: { ...history.pair, base: null } };
    expect(beginBy(never, step)).toBe(slot + (rpo - 60) * 1000);
    expect(beginBy(verifiedAt(epochMs(0)), step)).toBe(slot - rpo * 1000);
  });

  it('does not change while it waits', () => {
    const first = requestOf(verifiedAt(at(-60)), step);
    const waits = [0, 1, 2].map(
      () =>
        [
          { kind: 'wait', seconds: seconds(30), reason: 'r', queued: { resource: x, place: 1, by: first.by } },
          { kind: 'elapsed' },
        ] as const,
    );
    const later = historyOf({ ...increment, after: [...(increment.after ?? []), ...waits] });
    const again = requestOf({ ...later, pair: verifiedAt(at(-60)).pair }, step);
    expect(again).toMatchObject({
      by: first.by,
      visits: later.steps.slice(2).map(({ decidedAt }) => ({ at: decidedAt, place: 1 })),
    });
  });
});

describe('what is said of a wait', () => {
  it('names what is waited for, the place in the line and the slack', () => {
    const refusal = { taken: 8, capacity: 8, place: 3, pause: seconds(30) };
    const said = (resource: Resource, by: EpochMs) => {
      const step = withoutPlace(copyOf(increment), { ...refusal, resource }, by, at(0));
      return step.kind === 'wait' ? step.reason : step.kind;
    };
    expect(said(x, at(125))).toBe(
      'waits for a copy on dr, 8 of 8 taken: place 3 in line, 2 h until it has to begin for its objective',
    );
    expect(said(y, at(-20))).toBe(
      'waits for a long command on host mi-0123456789abcdef0, 8 of 8 taken: place 3 in line, 20 min late for its objective',
    );
    const link = { ...refusal, resource: Resource.parse('link:prod>dr'), taken: 400, capacity: 500, place: 0 };
    expect(queueText(link)).toBe(
      'waits for bandwidth of the link prod>dr, 400 of 500 MB/s taken: others took places at the same moment',
    );
  });
});

describe('of several hosts', () => {
  const [first, second] = policy.replica?.hosts ?? [];
  if (!first || !second || !policy.replica) throw new Error('the replica has two hosts');
  const { replica } = policy;
  const wish = { holder: run(1), by: at(0) };
  const seen = (host: typeof first, count: number) => ({
    host,
    slots: {
      ...empty(Resource.parse(`host:${host}`)),
      holders: Object.fromEntries(Array.from({ length: count }, (_, n) => [run(n + 10), { until: at(9), weight: 1 }])),
    },
  });

  it('the emptiest is chosen, and none when all are full', () => {
    expect(emptiestHost([seen(first, 2), seen(second, 1)], replica, wish, at(0))).toBe(second);
    expect(emptiestHost([seen(first, 3), seen(second, 3)], replica, wish, at(0))).toBeUndefined();
    expect(emptiestHost([seen(first, 3), seen(second, 3)], replica, wish, at(9))).toBe(first);
  });
});

describe('a line in which turns come too late', () => {
  const resource = Resource.parse('copy:dr');
  const waiter = (n: number) => RunId.parse(`prod/sales/bucket-${n}#dr#nightly#20261120t020000z`);
  const line = (...slack: readonly number[]) => ({
    resource,
    revision: 1,
    holders: {},
    waiters: Object.fromEntries(
      slack.map((of, n) => [
        waiter(n),
        { by: later(slot, seconds(of)), until: later(slot, seconds(600)), weight: 1, expected: seconds(3600) },
      ]),
    ),
  });

  it('has those whose turn comes after they have to begin, even if every place were free now', () => {
    // Two places, an hour each: the third begins in an hour, the fifth in two.
    expect(outrunIn(line(1800, 1800, 3600, 3600, 5000), 2, slot)).toMatchObject([{ holder: waiter(4) }]);
    expect(outrunIn(line(1800, 1800, 3600, 3600, 7200), 2, slot)).toEqual([]);
  });

  it('has who has to have begun already, and not who was lost', () => {
    const seen = line(1);
    const now = later(slot, seconds(60));
    expect(outrunIn(seen, 8, now)).toEqual([{ holder: waiter(0), by: later(slot, seconds(1)), begins: now }]);
    expect(outrunIn(seen, 8, later(slot, seconds(600)))).toEqual([]);
  });

  it('is looked at for every line that a policy can wait in', () => {
    const policy = policyOf('incremental');
    expect([...capacitiesOf([policy])].map(([name, places]) => `${name} ${places}`)).toEqual(
      expect.arrayContaining(['copy:dr 8', 'copy:prod 8', 'diff:dr 4', 'host:mi-0123456789abcdef0 3']),
    );
  });
});
