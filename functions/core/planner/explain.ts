import type { Entry } from '../domain/chain.ts';
import type { BucketPage, PointPage, PointView, SideView, Trouble } from '../domain/explanation.ts';
import type { BackupRun, PairState, RecoveryPoint } from '../domain/ledger.ts';
import type { BucketRef, SnapshotId } from '../domain/names.ts';
import type { Policy } from '../domain/policy.ts';
import type { Happening } from '../domain/record.ts';
import { type DrillTurn, isInForce, type Pause, Side } from '../domain/retention.ts';
import { type EpochMs, later, secondsBetween } from '../domain/units.ts';
import { bucketToPrune, condemnedByLedger, inUseByCopies, isOn, listingsByLedger } from './bucket-to-prune.ts';
import { consequencesOf, instantText, isGoodPoint, spanText } from './consequences.ts';
import { describePause } from './decision.ts';
import { lastDrillOf } from './drill-rota.ts';
import { type PrunePlan, type PruneSettings, planPrune } from './plan-prune.ts';
import { readinessOf } from './readiness.ts';
import { restoreRate, restoreTime } from './restore-rate.ts';
import { unjudged } from './unjudged.ts';

/** What the ledger says of one bucket under one policy. */
export interface LedgerFacts {
  readonly bucket: BucketRef;
  readonly policy: Policy;
  /** All of the policy file. */
  readonly policies: readonly Pick<Policy, 'name'>[];
  readonly pair: PairState;
  /** Of every pair that has this bucket as its source, `pair` among them. */
  readonly pairs: readonly Pick<PairState, 'base' | 'previousBase'>[];
  /** Every living point, newest first. */
  readonly points: readonly RecoveryPoint[];
  /** What a prune of the policy goes by now; null: nothing is ever deleted. */
  readonly settings: PruneSettings | null;
  /** The backup of the policy that is of the latest slot. */
  readonly lastRun: BackupRun | null;
  /** What the drills of the bucket hold and remember. */
  readonly drills: Pick<PairState, 'lease' | 'scratch' | 'lastDrill'>;
  /** Who stopped the schedules of the policy. */
  readonly paused?: Pause | null | undefined;
  /** Null before the first slot of drills. */
  readonly turn: DrillTurn | null;
  /** What a restore into the bucket itself holds. */
  readonly restore: Pick<PairState, 'lease' | 'dirtySince'>;
}

export const BASIS = 'from the ledger, as of the last run; a prune looks at the clusters first';

type NextOfSide = Pick<SideView, 'next' | 'due' | 'reasons'>;

/** What the next plan makes of each snapshot, by id. */
interface Outlook {
  readonly plan: PrunePlan | null;
  readonly of: (id: SnapshotId) => NextOfSide;
}

const untouched = (reason: string): NextOfSide => ({ next: 'nothing', due: null, reasons: [reason] });

const outlookOf = ({ policy, pair, pairs, points, settings }: LedgerFacts, now: EpochMs): Outlook => {
  if (!settings)
    return { plan: null, of: () => untouched(`the policy ${policy.name} has no retention: nothing is ever deleted`) };
  const condemned = condemnedByLedger(points.filter((point) => point.policy === policy.name));
  const bucket = bucketToPrune(points, pairs, inUseByCopies(pair), listingsByLedger(policy, points));
  const plan = planPrune(bucket, condemned, settings, now);
  if (plan.kind === 'refused') return { plan, of: () => untouched(plan.reason) };
  const found = new Map<SnapshotId, NextOfSide>();
  for (const side of [plan.source, plan.replica]) {
    const spared = new Set(side?.spare);
    for (const { id, reasons } of side?.keep ?? [])
      found.set(id, { next: spared.has(id) ? 'spare' : 'keep', due: null, reasons: [...reasons] });
    for (const { id, reasons } of side?.condemn ?? [])
      found.set(id, { next: 'condemn', due: later(condemned.get(id) ?? now, settings.grace), reasons: [...reasons] });
    for (const { id, reasons } of side?.remove ?? [])
      found.set(id, { next: 'delete', due: now, reasons: [...reasons] });
  }
  return { plan, of: (id) => found.get(id) ?? untouched('the plan does not know it') };
};

type Snapshot = RecoveryPoint['source'];

const sideView = (point: RecoveryPoint, side: Side, { id, created }: Snapshot, outlook: Outlook): SideView => {
  const removal = point.removal[side];
  return {
    id,
    created,
    state: removal?.state ?? 'present',
    plan: removal?.plan ?? null,
    condemnedAt: removal?.condemnedAt ?? null,
    deletedAt: removal?.deletedAt ?? null,
    ...(removal?.state === 'deleted' ? untouched(whyDeleted(point, side)) : outlook.of(id)),
  };
};

const whyDeleted = (point: RecoveryPoint, side: Side): string => {
  const plan = point.removal[side]?.plan;
  return plan ? `deleted by the plan ${plan}` : 'gone without a plan: somebody else deleted it';
};

const viewOf = (point: RecoveryPoint, outlook: Outlook): PointView => ({
  name: point.name,
  at: point.source.created,
  policy: point.policy,
  group: point.group ?? null,
  state: point.state,
  mode: point.mode,
  base: point.base,
  verification: point.verification && {
    level: point.verification.level,
    at: point.verification.at,
    files: point.verification.files,
    bytes: point.verification.bytes,
    differences: point.verification.differences,
  },
  source: sideView(point, 'source', point.source, outlook),
  replica: point.replica && sideView(point, 'replica', point.replica, outlook),
  pinned: point.pinned,
  pins: [...point.pins],
  holds: [...point.holds],
  drilled: point.drilled,
});

const named = ({ name, source }: RecoveryPoint) => ({ name, at: source.created });
const aged = (point: RecoveryPoint, now: EpochMs) => ({
  ...named(point),
  age: secondsBetween(point.source.created, now),
});

const lastRunTroubles = ({ lastRun, pair }: LedgerFacts, now: EpochMs): readonly Trouble[] => {
  if (!lastRun) return [{ kind: 'never-ran', text: 'no backup of this bucket has ever begun' }];
  const of = `the backup of the slot ${instantText(lastRun.slot)}`;
  if (lastRun.status === 'failed' && lastRun.failure) {
    const { error, cause } = lastRun.failure;
    const at = lastRun.endedAt === null ? '' : ` ${spanText(secondsBetween(lastRun.endedAt, now))} ago`;
    return [{ kind: 'run-failed', text: `${of} failed${at} with ${error}: ${cause}` }];
  }
  if (lastRun.status !== 'open') return [];
  const isHeld = pair.lease?.runId === lastRun.runId && pair.lease.expires > now;
  const since = spanText(secondsBetween(lastRun.startedAt, now));
  return [
    {
      kind: 'run-open',
      text: isHeld
        ? `${of} is at work since ${since} (${lastRun.execution})`
        : `${of} began ${since} ago and never ended; it gives no sign of life any more: the next run goes on from what it left`,
    },
  ];
};

const pairTroubles = ({ bucket, pair, policy }: LedgerFacts, now: EpochMs): readonly Trouble[] => {
  const { hold, foreignChange, dirtySince } = pair;
  const replica = policy.replica?.name ?? 'the replica';
  const ago = (at: EpochMs): string => `${spanText(secondsBetween(at, now))} ago`;
  const held = (it: NonNullable<typeof hold>): string => {
    const change = `the change up to ${it.target} (${it.complete ? '' : 'at least '}${it.deletes} deletes and ${it.renames} renames, ${it.limit} are allowed unasked), seen ${ago(it.at)}`;
    if (it.accepted) return `${it.accepted.by} accepted ${change}: the next run brings it over`;
    if (it.rejected)
      return `${it.rejected.by} rejected ${change} (${it.rejected.reason}): ${replica} stays at ${it.base ?? 'what it is'}; restore the source, then decide "accept ${bucket} ${it.target}"`;
    return `${change}, is held back: ${replica} stays at ${it.base ?? 'what it is'} until somebody decides "accept ${bucket} ${it.target}" or "reject ${bucket} ${it.target}"`;
  };
  return [
    ...(hold ? [{ kind: 'held-back' as const, text: held(hold) }] : []),
    ...(foreignChange
      ? [
          {
            kind: 'replica-changed' as const,
            text: `somebody else wrote into ${bucket} on ${replica} (seen ${ago(foreignChange.at)})`,
          },
        ]
      : []),
    ...(dirtySince
      ? [
          {
            kind: 'replica-dirty' as const,
            text: `a copy that began ${ago(dirtySince.at)} has not ended in a verified pair: the next one compares instead of adding to it`,
          },
        ]
      : []),
  ];
};

const drillsOf = ({ policy, points, drills, turn }: LedgerFacts, now: EpochMs): BucketPage['drills'] => {
  const last = lastDrillOf(points, drills, policy.name);
  const since = last?.drill.at ?? turn?.since ?? null;
  return {
    last: last && { ...last, age: secondsBetween(last.drill.at, now) },
    due: policy.drills && since !== null ? later(since, policy.drills.within) : null,
    isScheduled: policy.drills !== null,
  };
};

const isAtWork = ({ lease }: Pick<PairState, 'lease'>, now: EpochMs): boolean => lease !== null && lease.expires > now;

const drillTroubles = (facts: LedgerFacts, now: EpochMs): readonly Trouble[] => {
  const { policy, drills, turn } = facts;
  const { last, due } = drillsOf(facts, now);
  const { scratch } = drills;
  const found: Trouble[] = [];
  if (due !== null && due < now && policy.drills)
    found.push({
      kind: 'drill-overdue',
      text: `no drill passed in the last ${spanText(policy.drills.within)}, as the policy promises: ${last ? `the last one was ${spanText(last.age)} ago (${last.point})` : 'none ever did'}`,
    });
  if (isAtWork(drills, now)) return found;
  if (policy.drills && turn?.asked && turn.asked > (last?.drill.at ?? 0))
    found.push({
      kind: 'drill-failed',
      text: `the drill of the slot ${instantText(turn.asked)} has not passed: its execution says why (runbook drill-failed)`,
    });
  if (scratch)
    found.push({
      kind: 'scratch-left',
      text: `the scratch bucket ${scratch.bucket} on ${scratch.cluster} of a drill that began ${spanText(secondsBetween(scratch.since, now))} ago may still be there: the next drill of this bucket removes it`,
    });
  return found;
};

/** A bucket whose people do not write to its source says so first: much of what else is late follows from it. */
const roleTroubles = (readiness: BucketPage['readiness']): readonly Trouble[] =>
  (readiness?.remarks ?? []).flatMap(({ kind, text, remedy }): readonly Trouble[] => {
    if (kind === 'failed-over') return [{ kind, text: `${text}. ${remedy}` }];
    return kind === 'moving' ? [{ kind: 'roles-moving', text: `${text}. ${remedy}` }] : [];
  });

const pauseTroubles = ({ policy, paused }: LedgerFacts): readonly Trouble[] =>
  paused ? [{ kind: 'policy-paused', text: describePause(policy.name, paused) }] : [];

const restoreTroubles = ({ bucket, policy, restore }: LedgerFacts, now: EpochMs): readonly Trouble[] => {
  const { dirtySince, lease } = restore;
  const where = `${bucket} on ${policy.source.name}`;
  if (isAtWork(restore, now))
    return [
      { kind: 'restore-open', text: `a restore into ${where} is at work (${lease?.execution}): its backups wait` },
    ];
  return dirtySince
    ? [
        {
          kind: 'restore-unproved',
          text: `a restore into ${where} that began ${spanText(secondsBetween(dirtySince.at, now))} ago was never proved equal: what is there may be half restored. Start the same restore again (runbook restore-failed)`,
        },
      ]
    : [];
};

/** How long it takes to get the newest good point back, all of it. */
const forecastOf = (facts: LedgerFacts, newestGood: RecoveryPoint | undefined): BucketPage['forecast'] => {
  const { policy, points } = facts;
  // Of a bucket without a replica nothing is ever listed but by drills.
  const size = newestGood?.verification ?? newestGood?.drilled ?? lastDrillOf(points, facts.drills, policy.name)?.drill;
  if (!newestGood || !size) return null;
  const { files, bytes } = size;
  const rate = restoreRate(points, policy.limits, facts.drills.lastDrill);
  const seconds = restoreTime(rate, size);
  const objective = policy.objectives.rto;
  return { ...named(newestGood), files, bytes, seconds, objective, isWithin: seconds <= objective, basis: rate.basis };
};

const unreplicated = (
  { policy, points }: LedgerFacts,
  newestGood: RecoveryPoint | undefined,
  now: EpochMs,
): readonly Trouble[] => {
  const { replica } = policy;
  if (!replica) return [];
  const waiting = points.filter(
    ({ source }) => source.created <= now && (!newestGood || source.created > newestGood.source.created),
  );
  const [newest] = waiting;
  if (!newest) return [];
  return [
    {
      kind: 'not-replicated',
      text: `${waiting.length} ${waiting.length === 1 ? 'point is' : 'points are'} newer and not verified on ${replica.name}: ${newest.name} (${newest.state})${waiting.length === 1 ? '' : ' is the newest'}`,
    },
  ];
};

const urlOf = (service: string, bucket: BucketRef, point: RecoveryPoint): string =>
  `ofs://${service}/${bucket}/.snapshot/${point.name}`;

const proofOf = ({ state, verification }: RecoveryPoint): string =>
  state === 'verified' && verification
    ? `compared by ${verification.level} ${instantText(verification.at)}: ${verification.files} files, ${verification.bytes} bytes`
    : 'a snapshot, compared with nothing';

/** Where the data of a bucket can be read now: the newest snapshot of the source, and the newest proved copy. */
const copiesOf = ({ bucket, policy, points }: LedgerFacts, now: EpochMs): BucketPage['copies'] => {
  const past = points.filter(({ source }) => source.created <= now);
  const { source, replica } = policy;
  const onReplica = replica && past.find((point) => isGoodPoint(point, policy));
  const onSource = past.find((point) => isOn(point, 'source'));
  const copy = (cluster: typeof source, point: RecoveryPoint) => ({
    cluster: cluster.name,
    url: urlOf(cluster.service, bucket, point),
    ...named(point),
    proof: proofOf(point),
  });
  return [...(replica && onReplica ? [copy(replica, onReplica)] : []), ...(onSource ? [copy(source, onSource)] : [])];
};

const nextPlanOf = ({ plan, of: _ }: Outlook, policy: Policy): BucketPage['nextPlan'] => {
  if (plan === null)
    return { kind: 'none', reason: `the policy ${policy.name} has no retention: nothing is ever deleted` };
  if (plan.kind === 'refused') return { kind: 'refused', reason: plan.reason };
  const sum = (list: 'keep' | 'condemn' | 'remove' | 'spare'): number =>
    plan.source[list].length + (plan.replica?.[list].length ?? 0);
  return { kind: 'plan', condemn: sum('condemn'), delete: sum('remove'), spare: sum('spare'), keep: sum('keep') };
};

const commonOf = ({ bucket, policy, pair }: LedgerFacts, now: EpochMs) => ({
  version: 1 as const,
  now,
  basis: BASIS,
  bucket,
  policy: policy.name,
  pair: pair.pair,
  source: policy.source.name,
  replica: policy.replica?.name ?? null,
});

const rulesOf = (settings: PruneSettings): NonNullable<BucketPage['rules']> => {
  const of = (side: Side) => settings.inForce[side].map((it) => ({ ...it }));
  return { source: of('source'), replica: of('replica') };
};

/**
 * What the ledger says of a bucket: whether it is safe, what is late and why, where the data can be got back from, and
 * what the next plan would make of its points. Pure.
 * @param most points that are shown, the newest ones
 */
export const explainBucket = (facts: LedgerFacts, most: number, now: EpochMs): BucketPage => {
  const { policy, points, lastRun, settings } = facts;
  const past = points.filter(({ source }) => source.created <= now);
  const newestTaken = past.find((point) => isOn(point, 'source'));
  const newestGood = past.find((point) => isGoodPoint(point, policy));
  const objective = policy.objectives.rpo;
  const answer = !newestGood ? 'no' : secondsBetween(newestGood.source.created, now) > objective ? 'late' : 'yes';
  const outlook = outlookOf(facts, now);
  const readiness = policy.replica
    ? readinessOf({ ...facts, replica: policy.replica, lastDrill: facts.drills.lastDrill }, now)
    : null;
  return {
    kind: 'bucket',
    ...commonOf(facts, now),
    safe: {
      answer,
      objective,
      newestTaken: newestTaken ? aged(newestTaken, now) : null,
      newestGood: newestGood ? aged(newestGood, now) : null,
    },
    troubles: [
      ...roleTroubles(readiness),
      ...lastRunTroubles(facts, now),
      ...pairTroubles(facts, now),
      ...unreplicated(facts, newestGood, now),
      ...restoreTroubles(facts, now),
      ...drillTroubles(facts, now),
      ...pauseTroubles(facts),
      ...unjudged(points, facts.policies).map((text): Trouble => ({ kind: 'policy-gone', text })),
    ],
    lastRun: lastRun && {
      runId: lastRun.runId,
      status: lastRun.status,
      startedAt: lastRun.startedAt,
      endedAt: lastRun.endedAt,
    },
    copies: copiesOf(facts, now),
    forecast: forecastOf(facts, newestGood),
    readiness,
    drills: drillsOf(facts, now),
    rules: settings && rulesOf(settings),
    nextPlan: nextPlanOf(outlook, policy),
    points: points.slice(0, most).map((point) => viewOf(point, outlook)),
    pointsLeftOut: Math.max(0, points.length - most),
  };
};

/** What may be the name of a snapshot in a sentence. */
const namesIn = (text: string): readonly string[] => text.match(/[a-z0-9][a-z0-9.-]+[a-z0-9]/g) ?? [];

/** What an entry of the record says of a point, in sentences. */
const toldOf = (happening: Happening, { name, runId }: RecoveryPoint): readonly string[] => {
  const snapshots = 'snapshots' in happening ? happening.snapshots.filter((it) => it.name === name) : [];
  const each = (what: (side: Side, why: string) => string): readonly string[] =>
    snapshots.map(({ side, reasons }) => what(side, reasons.length > 0 ? `: ${reasons.join(', ')}` : ''));
  switch (happening.kind) {
    case 'verified':
      return happening.name === name
        ? [`${happening.equal ? 'compared with the source and equal' : 'compared: it differs'}: ${happening.detail}`]
        : [];
    case 'condemned':
      return each((side, why) => `condemned on the ${side} by the plan ${happening.plan}${why}`);
    case 'spared':
      return each((side, why) => `its condemnation on the ${side} was taken back${why}`);
    case 'deleted':
      return each((side, why) =>
        happening.byUs
          ? `deleted on the ${side}${happening.plan ? ` by the plan ${happening.plan}` : ''}${why}`
          : `found deleted on the ${side}, not by us${why}`,
      );
    case 'decision':
      return happening.words.split(' ').includes(name)
        ? [`${happening.by} decided "${happening.words}" (${happening.reason})`]
        : [];
    case 'run-ended': {
      const { workflow, status, summary } = happening;
      if (happening.runId === runId) return [`the ${workflow} that made it ${status}: ${summary}`];
      const isOfPoint = workflow === 'restore' || workflow === 'drill' || workflow === 'failover';
      return isOfPoint && namesIn(summary).includes(name) ? [`a ${workflow} of it ${status}: ${summary}`] : [];
    }
    case 'policy-weakened':
    case 'enrolment':
      return [];
  }
};

/** The decisions that there are about a point as it is now, in the words of `readWords`. */
const wordsFor = (bucket: BucketRef, { name, pins, holds }: RecoveryPoint, now: EpochMs): readonly string[] => {
  const holders = holds.filter((it) => isInForce(it, now));
  return [
    `pin ${bucket} ${name}`,
    `hold ${bucket} ${name} until <instant>`,
    ...new Set(pins.map(({ by }) => `unpin ${bucket} ${name} of ${by}`)),
    ...new Set(holders.map(({ by }) => `release ${bucket} ${name} of ${by}`)),
  ];
};

/** Everything about one point, living or deleted (`point` is not among those of the facts then). Pure. */
export const explainPoint = (
  facts: LedgerFacts,
  point: RecoveryPoint,
  record: readonly Pick<Entry, 'at' | 'happening'>[],
  now: EpochMs,
): PointPage => {
  const { points } = facts;
  const isLiving = Side.options.some((side) => isOn(point, side));
  const others = points.filter(({ name }) => name !== point.name);
  const at = point.source.created;
  const earlier = others.find(({ source }) => source.created <= at);
  const next = others.findLast(({ source }) => source.created > at);
  const { verification } = point;
  return {
    kind: 'point',
    ...commonOf(facts, now),
    point: viewOf(point, outlookOf(facts, now)),
    deleted: !isLiving,
    lineage: {
      slot: point.slot,
      attempt: point.attempt,
      runId: point.runId,
      mode: point.mode,
      base: point.base,
      changed: point.changed,
      bytesCopied: point.bytesCopied,
      filesCopied: point.filesCopied,
      copySeconds: point.copySeconds,
      increments: points
        .filter(({ base }) => base === point.name)
        .map(({ name }) => name)
        .toReversed(),
      verification: verification && {
        level: verification.level,
        at: verification.at,
        files: verification.files,
        dirs: verification.dirs,
        bytes: verification.bytes,
        checksums: verification.checksums,
        differences: verification.differences,
      },
    },
    history: record.flatMap(({ at: when, happening }) => toldOf(happening, point).map((text) => ({ at: when, text }))),
    consequences: isLiving ? [...consequencesOf(point, facts, now)] : [],
    words: isLiving ? [...wordsFor(facts.bucket, point, now)] : [],
    earlier: earlier ? named(earlier) : null,
    later: next ? named(next) : null,
  };
};
