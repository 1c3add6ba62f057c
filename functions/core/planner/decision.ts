import * as z from 'zod';
import { DecisionWord, type PairPatch, type PairState, type RecoveryPoint } from '../domain/ledger.ts';
import type { BucketRef, PolicyName } from '../domain/names.ts';
import type { Policy } from '../domain/policy.ts';
import {
  isInForce,
  type LegalHold,
  type Pause,
  type Pin,
  type PolicyState,
  type Removal,
  Side,
} from '../domain/retention.ts';
import { type EpochMs, epochMs } from '../domain/units.ts';
import { DrError } from '../errors.ts';
import { nearestNames } from './nearest-names.ts';

/** The words of a decision about the pair as a whole. */
export type PairWords =
  | { readonly kind: 'adopt'; readonly cluster: string; readonly created: string }
  | { readonly kind: 'accept' | 'reject'; readonly bucket: string; readonly target: string };

/** The words of a decision about one point. `of`: whose pins or legal holds end; null: see `meaningForPoint`. */
export type PointWords =
  | { readonly kind: 'pin'; readonly point: string }
  | { readonly kind: 'hold'; readonly point: string; readonly until: EpochMs | null }
  | { readonly kind: 'unpin' | 'release'; readonly point: string; readonly of: string | null };

/** The words of a decision about a policy as a whole. */
export interface PolicyWords {
  readonly kind: 'pause' | 'resume';
}

export type Words = PairWords | PointWords;

/** Who decided, why, and when it was written down. */
export interface Said {
  readonly by: string;
  readonly reason: string;
  readonly at: EpochMs;
}

export interface PairMeaning {
  readonly patch: PairPatch;
  /** What follows from it, for the person. */
  readonly effect: string;
}

export type PointPatch = Partial<Pick<RecoveryPoint, 'pins' | 'holds' | 'removal'>>;

export interface PointMeaning {
  /** Null when the point is as decided already. */
  readonly patch: PointPatch | null;
  readonly effect: string;
}

/** More would not be told apart by anybody, and the point is one item of the table. */
const MOST_PINS = 50;

const iso = (instant: number): string => new Date(instant).toISOString();
const notConfirmed = (message: string): DrError => new DrError('NotConfirmed', message);

const FORMS: Readonly<Record<DecisionWord, string>> = {
  adopt: 'on <cluster> created <its creation time>',
  accept: '<snapshot>',
  reject: '<snapshot>',
  pin: '<point>',
  unpin: '<point>, or unpin <bucket> <point> of <who pinned it>',
  hold: '<point> until <instant in UTC, such as 2033-01-01T00:00:00Z>, or hold <bucket> <point> without end',
  release: '<point>, or release <bucket> <point> of <who holds it>',
};

const Instant = z.iso.datetime({ offset: true });

/** What follows the bucket, by the word that it begins with; undefined when that is not the form. */
const readRest = (kind: DecisionWord, bucket: string, rest: string): Words | undefined => {
  switch (kind) {
    case 'adopt': {
      const [, cluster, created] = /^on (\S+) created (\S+)$/.exec(rest) ?? [];
      return cluster && z.iso.datetime().safeParse(created).success
        ? { kind, cluster, created: `${created}` }
        : undefined;
    }
    case 'accept':
    case 'reject':
      return /^\S+$/.test(rest) ? { kind, bucket, target: rest } : undefined;
    case 'pin':
      return /^\S+$/.test(rest) ? { kind, point: rest } : undefined;
    case 'hold': {
      const [, point, until] = /^(\S+) (?:without end|until (\S+))$/.exec(rest) ?? [];
      if (!point || (until !== undefined && !Instant.safeParse(until).success)) return undefined;
      return { kind, point, until: until === undefined ? null : epochMs(Date.parse(until)) };
    }
    case 'unpin':
    case 'release': {
      const [, point, of] = /^(\S+)(?: of (.+))?$/s.exec(rest) ?? [];
      return point ? { kind, point, of: of?.trim() ?? null } : undefined;
    }
  }
};

/**
 * Reads what a person typed. The words name the bucket, so that a decision cannot hit another one.
 * @throws NotConfirmed with the words to write
 */
export const readWords = (typed: string, bucket: BucketRef): Words => {
  const [, first, named = '', rest = ''] = /^(\S+)(?: (\S+)(?: (.*))?)?$/s.exec(typed.trim()) ?? [];
  const kind = DecisionWord.safeParse(first);
  if (!kind.success)
    throw notConfirmed(
      `write the words of the refusal: adopt ..., accept ... or reject ...; about a policy: pause <policy> or resume <policy>; or about a point: ${(['pin', 'unpin', 'hold', 'release'] as const).map((it) => `${it} ${bucket} <point>`).join(', ')}`,
    );
  const words = readRest(kind.data, named, rest);
  // What is held back is known later: the refusal then names it.
  const isOther = named !== bucket && kind.data !== 'accept' && kind.data !== 'reject';
  if (!words || isOther)
    throw notConfirmed(`write: ${kind.data} ${bucket} ${FORMS[kind.data].replaceAll('<bucket>', bucket)}`);
  return words;
};

/**
 * Reads words about a policy; undefined when they are about something else. They name the policy, so that a decision
 * cannot hit another one.
 * @throws NotConfirmed with the words to write
 */
export const readPolicyWords = (typed: string, policy: PolicyName): PolicyWords | undefined => {
  const [, kind, named] = /^(pause|resume)(?: (.*))?$/s.exec(typed.trim()) ?? [];
  if (kind !== 'pause' && kind !== 'resume') return undefined;
  if (named !== policy) throw notConfirmed(`write: ${kind} ${policy}`);
  return { kind };
};

export const describePause = (policy: PolicyName, { by, reason, at }: Pause): string =>
  `${policy} is paused since ${iso(at)} by ${by} (${reason}): no schedule starts a backup, a prune or a drill of it until somebody decides "resume ${policy}"`;

/**
 * What the words mean for a policy as it is now. A second pause leaves the first as it is: who paused it first is asked.
 * `paused` is undefined when nothing changes.
 */
export const meaningForPolicy = (
  { kind }: PolicyWords,
  { by, reason, at }: Said,
  { policy, paused }: Pick<PolicyState, 'policy' | 'paused'>,
): { readonly paused: Pause | null | undefined; readonly effect: string } => {
  if (kind === 'resume')
    return paused
      ? {
          paused: null,
          effect: `${policy} goes on with its next slots, what was left out is not made up for; it was paused since ${iso(paused.at)} by ${paused.by} (${paused.reason})`,
        }
      : { paused: undefined, effect: `${policy} is not paused: its schedules start what they say` };
  if (paused) return { paused: undefined, effect: `nothing changed: ${describePause(policy, paused)}` };
  const pause = { by, reason, at };
  return {
    paused: pause,
    effect: `${describePause(policy, pause)}. What runs goes on; a run that a person starts still runs; alarms about old points go on`,
  };
};

/** What the words mean for the pair as it is now. @throws NotConfirmed when they fit nothing */
export const meaningForPair = (
  words: PairWords,
  said: Said,
  bucket: BucketRef,
  policy: Pick<Policy, 'name' | 'source' | 'replica'>,
  { hold }: Pick<PairState, 'hold'>,
): PairMeaning => {
  if (words.kind === 'adopt') {
    const { cluster, created } = words;
    if (cluster === policy.source.name)
      return {
        patch: { sourceCreated: created },
        effect: `the lineage goes on with the source bucket that was created at ${created}`,
      };
    if (cluster !== policy.replica?.name)
      throw notConfirmed(
        `${cluster} is no cluster of ${policy.name}: ${policy.source.name}, ${policy.replica?.name ?? 'no replica'}`,
      );
    return {
      patch: { owned: { created, at: said.at, proved: true } },
      effect: `the next run makes ${bucket} on ${cluster} equal to the source, and deletes there what the source does not have`,
    };
  }
  const { kind, target } = words;
  if (!hold) throw notConfirmed(`no change of ${bucket} is held back`);
  if (words.bucket !== bucket || target !== hold.target)
    throw notConfirmed(`what is held back is ${bucket} ${hold.target}: write ${kind} ${bucket} ${hold.target}`);
  return kind === 'accept'
    ? {
        patch: { hold: { ...hold, accepted: said, rejected: null } },
        effect: `the next run lets the replica follow, without counting, until it is verified again`,
      }
    : {
        patch: { hold: { ...hold, accepted: null, rejected: said } },
        effect: `the replica stays at ${hold.base ?? 'what it is'} until the change is accepted`,
      };
};

/** A point that is not there: which ones are. */
export const unknownPoint = (name: string, bucket: BucketRef, names: readonly string[]): DrError => {
  const near = nearestNames(name, names);
  const hint = near.length > 0 ? `did you mean ${near.join(' or ')}?` : 'it has no points yet';
  return notConfirmed(
    `${bucket} has no point ${name}: ${hint} Whether it was deleted tells npm run explain -- ${bucket} --point ${name}`,
  );
};

type PointNow = Pick<RecoveryPoint, 'name' | 'replica' | 'pins' | 'holds' | 'removal'>;

const sidesOf = (point: PointNow): readonly Side[] =>
  Side.options.filter((side) => side === 'source' || point.replica !== null);

/** The removals of a point that are in one state. */
const removalsIn = (point: PointNow, state: Removal['state']) =>
  sidesOf(point).flatMap((side) => {
    const removal = point.removal[side];
    return removal?.state === state ? [{ side, removal }] : [];
  });

const told = (words: readonly string[]): string => words.join(' and ');
const planOf = ({ plan }: Pick<Removal, 'plan'>): string =>
  plan === null ? 'nobody of ours' : `the plan ${plan.slice(0, 12)}`;
const howLong = (until: EpochMs | null): string => (until === null ? 'without end' : `until ${iso(until)}`);

/** Who pins or holds a point, each once, with the words that end it; bounded, because a person reads it. */
const whoElse = (all: readonly { readonly by: string; readonly reason: string }[]): string => {
  const names = [...new Set(all.map(({ by }) => by))];
  const shown = names.slice(0, 3).map((by) => `${by} (${all.find((it) => it.by === by)?.reason ?? ''})`);
  return told(names.length > 3 ? [...shown, `${names.length - 3} more`] : shown);
};

/** Keeps the point: refused while it is being deleted, and a condemnation is taken back. */
const keeping = (
  point: PointNow,
  bucket: BucketRef,
  patch: PointPatch | null,
  effect: (sides: string) => string,
): PointMeaning => {
  const [deleting] = removalsIn(point, 'deleting');
  if (deleting)
    throw notConfirmed(
      `${point.name} is being deleted on the ${deleting.side} right now, by ${planOf(deleting.removal)}: nothing can hold it there any more. ` +
        `See in a few minutes what is left of it: npm run explain -- ${bucket} --point ${point.name}; what is left then can be kept by the same words`,
    );
  const gone = removalsIn(point, 'deleted');
  const living = sidesOf(point).filter((side) => !gone.some((it) => it.side === side));
  if (living.length === 0) throw notConfirmed(`${point.name} was deleted on every side: there is nothing left to keep`);
  const condemned = removalsIn(point, 'condemned');
  const spared = Object.fromEntries(condemned.map(({ side }) => [side, null]));
  const changes = { ...patch, ...(condemned.length > 0 ? { removal: { ...point.removal, ...spared } } : {}) };
  return {
    patch: Object.keys(changes).length > 0 ? changes : null,
    effect: [
      effect(`the ${told(living)}`),
      ...gone.map(
        ({ side, removal }) =>
          `its snapshot on the ${side} was deleted before${removal.deletedAt === null ? '' : ` (${iso(removal.deletedAt)})`}, only the one on the ${told(living)} is kept`,
      ),
      ...condemned.map(
        ({ side, removal }) => `it was condemned on the ${side} by ${planOf(removal)}, which is taken back`,
      ),
    ].join('; '),
  };
};

/** What still keeps a point that somebody let go. */
const whatStays = (name: string, pins: readonly Pin[], holds: readonly LegalHold[], now: EpochMs): string => {
  const inForce = holds.filter((it) => isInForce(it, now));
  const stays = [
    ...(pins.length > 0 ? [`it is still pinned by ${whoElse(pins)}`] : []),
    ...(inForce.length > 0 ? [`a legal hold of ${whoElse(inForce)} stands`] : []),
  ];
  return stays.length > 0 ? told(stays) : `the next plan goes by the rules whether ${name} stays`;
};

/** Pins or legal holds that end: those of one person, made before the decision was. */
const endOf = <T extends Pin | LegalHold>(all: readonly T[], by: string, decidedAt: EpochMs) => ({
  ended: all.filter((it) => it.by === by && it.at <= decidedAt),
  left: all.filter((it) => it.by !== by || it.at > decidedAt),
});

/**
 * What the words mean for a point as it is now. Saying the same twice changes nothing the second time.
 *
 * `unpin` ends the person's own pins; those of somebody else only if they are named. `release` ends the legal holds of
 * the one who holds the point, and has to name one if several do. What was pinned or held after the decision was made
 * (`decidedAt`) is left: a call that is repeated must not hit it.
 * @throws NotConfirmed when they fit nothing
 */
export const meaningForPoint = (
  words: PointWords,
  said: Said,
  decidedAt: EpochMs,
  bucket: BucketRef,
  point: PointNow,
): PointMeaning => {
  const { name, pins, holds } = point;
  switch (words.kind) {
    case 'pin': {
      const isThere = pins.some(({ by, reason }) => by === said.by && reason === said.reason);
      if (!isThere && pins.length >= MOST_PINS)
        throw notConfirmed(`${name} has ${pins.length} pins already: it stays; unpin what is not needed first`);
      const patch = isThere ? null : { pins: [...pins, said] };
      return keeping(point, bucket, patch, (sides) => `${name} stays on ${sides} until ${said.by} unpins it`);
    }
    case 'hold': {
      const { until } = words;
      if (!isInForce(words, said.at)) throw notConfirmed(`${howLong(until)} is over already: write a later instant`);
      const isThere = holds.some((it) => it.by === said.by && it.reason === said.reason && it.until === until);
      if (!isThere && holds.length >= MOST_PINS)
        throw notConfirmed(`${name} has ${holds.length} legal holds already: release what is not needed first`);
      const patch = isThere ? null : { holds: [...holds, { ...said, until }] };
      return keeping(point, bucket, patch, (sides) => `legal hold: ${name} stays on ${sides} ${howLong(until)}`);
    }
    case 'unpin': {
      const whose = words.of ?? said.by;
      const { ended, left } = endOf(pins, whose, decidedAt);
      if (ended.length === 0 && left.length > 0)
        throw notConfirmed(
          `${whose} does not pin ${name}, ${whoElse(left)} does: write unpin ${bucket} ${name} of ${left[0]?.by ?? ''}`,
        );
      return {
        patch: ended.length > 0 ? { pins: left } : null,
        effect: `nothing of ${whose} pins ${name} any more; ${whatStays(name, left, holds, said.at)}`,
      };
    }
    case 'release': {
      const holders = [...new Set(holds.filter((it) => isInForce(it, said.at)).map(({ by }) => by))];
      if (words.of === null && holders.length > 1)
        throw notConfirmed(
          `${whoElse(holds.filter((it) => isInForce(it, said.at)))} hold ${name}: write release ${bucket} ${name} of ${holders[0] ?? ''}`,
        );
      const whose = words.of ?? holders[0];
      const { ended, left } = whose === undefined ? { ended: [], left: holds } : endOf(holds, whose, decidedAt);
      if (ended.length === 0 && holders.length > 0)
        throw notConfirmed(
          `${whose} does not hold ${name}, ${holders.slice(0, 3).join(', ')} does: write release ${bucket} ${name} of ${holders[0] ?? ''}`,
        );
      return {
        patch: ended.length > 0 ? { holds: left } : null,
        effect: `no legal hold${whose === undefined ? '' : ` of ${whose}`} is on ${name} any more; ${whatStays(name, pins, left, said.at)}`,
      };
    }
  }
};
