import type { Estimate } from '../domain/backup-step.ts';
import type { RecoveryPoint } from '../domain/ledger.ts';
import type { Policy } from '../domain/policy.ts';
import { Bytes, type DurationSeconds, seconds } from '../domain/units.ts';
import type { ClusterFacts } from './facts.ts';
import type { RunHistory } from './history.ts';

/** Per file listed and compared or copied, and per map: distcp of Hadoop 3.4 to Ozone 2.2 on one small machine took 20 to 40 ms. */
export const SECONDS_PER_FILE = 0.04;
/** Until a copy of this pair was measured. */
export const BYTES_PER_SECOND = 20_000_000;
/** A copy that takes so many times longer than expected does not go on by itself any more. */
const PATIENCE = 4;
const SHORTEST_LIMIT = seconds(900);

/** Less than this is gone before it says anything about a rate. */
const MEASURABLE_BYTES = 1e9;

/** What a copy or a drill moved, and in what time. */
export interface Measured {
  readonly point: RecoveryPoint['name'];
  readonly bytes: number;
  readonly seconds: number;
}

export const bytesPerSecond = ({ bytes, seconds: time }: Measured): number => bytes / Math.max(1, time);

/** The slowest of the measured copies that moved enough to tell: estimates err on the long side. */
export const slowestCopy = (points: readonly RecoveryPoint[]): Measured | undefined =>
  points
    .flatMap(({ name, bytesCopied, copySeconds }) =>
      bytesCopied !== null && copySeconds !== null && bytesCopied > MEASURABLE_BYTES
        ? [{ point: name, bytes: bytesCopied, seconds: copySeconds }]
        : [],
    )
    .reduce<Measured | undefined>(
      (slowest, it) => (slowest && bytesPerSecond(slowest) <= bytesPerSecond(it) ? slowest : it),
      undefined,
    );

/**
 * How many maps of a copy run at once: on YARN all of them; Hadoop's local runner makes one, whatever -m says (3.4.3: four
 * files with -m 4 came one after the other).
 */
export const mapsAtOnce = ({ maps, yarn }: Pick<Policy['limits'], 'maps' | 'yarn'>): number => (yarn ? maps : 1);

/** Bytes per second that a policy lets so many maps take together; Infinity where it says nothing. */
export const allowedRate = ({ bandwidthMBps }: Policy['limits'], maps: number): number =>
  bandwidthMBps === null ? Infinity : bandwidthMBps * 1_000_000 * maps;

/**
 * What a copy of the whole bucket costs at most: an increment moves less, a resync compares all and moves what differs.
 * Bytes are as the source counts them, its own replicas included.
 */
export const estimateCopy = (history: RunHistory, facts: ClusterFacts): Estimate => {
  const bucket = facts.source?.state === 'read' ? facts.source.bucket : { usedNamespace: 0, usedBytes: 0 };
  return {
    keys: bucket.usedNamespace,
    bytesAtMost: Bytes.parse(bucket.usedBytes),
    seconds: copyTime(history.points, history.run.policy, bucket.usedNamespace, bucket.usedBytes),
  };
};

const copyTime = (
  points: readonly RecoveryPoint[],
  { limits }: Pick<Policy, 'limits'>,
  keys: number,
  bytes: number,
): DurationSeconds => {
  const measured = slowestCopy(points);
  const allowed = allowedRate(limits, mapsAtOnce(limits));
  const rate = Math.min(measured ? bytesPerSecond(measured) : BYTES_PER_SECOND, allowed);
  return seconds(Math.ceil(keys * SECONDS_PER_FILE + bytes / rate));
};

/** What a copy of all that the newest comparison counted would take; null when none has counted it yet. Points newest first. */
export const forecastCopy = (
  points: readonly RecoveryPoint[],
  policy: Pick<Policy, 'limits'>,
): DurationSeconds | null => {
  const counted = points.find(({ verification }) => verification)?.verification;
  return counted ? copyTime(points, policy, counted.files, counted.bytes) : null;
};

/** The time limit of a copy: what it is expected to take and much more, but never more than the policy allows. */
export const copyLimit = (history: RunHistory, estimate: Estimate): DurationSeconds =>
  seconds(Math.min(history.run.policy.limits.copyTimeout, Math.max(SHORTEST_LIMIT, PATIENCE * estimate.seconds)));

/** `90 bytes`, `3 GB` */
export const sizeText = (bytes: number): string => {
  const units = ['bytes', 'KB', 'MB', 'GB', 'TB', 'PB'];
  const power = bytes < 1 ? 0 : Math.min(units.length - 1, Math.floor(Math.log10(bytes) / 3));
  return `${Math.round(bytes / 1000 ** power)} ${units[power]}`;
};

/** `lists 1000 keys on each side, moves at most 3 GB, about 4 min`. */
export const describeEstimate = ({ keys, bytesAtMost, seconds: time }: Estimate): string =>
  `lists ${keys} keys on each side, moves at most ${sizeText(bytesAtMost)}, about ${time < 120 ? `${time} s` : `${Math.ceil(time / 60)} min`}`;
