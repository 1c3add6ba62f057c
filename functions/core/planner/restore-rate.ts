import type { PairState, RecoveryPoint } from '../domain/ledger.ts';
import type { Policy } from '../domain/policy.ts';
import type { PassedDrill, RestoreRate } from '../domain/restore.ts';
import { type DurationSeconds, seconds } from '../domain/units.ts';
import {
  allowedRate,
  BYTES_PER_SECOND,
  bytesPerSecond,
  mapsAtOnce,
  SECONDS_PER_FILE,
  sizeText,
  slowestCopy,
} from './estimate.ts';

/** Until a drill measured it: a look, a copy and a comparison are commands on a host that start a few JVMs each. */
const START_SECONDS = 60;
/** A drill of less work than this, at the assumed rates, measures how long a start takes and no rate: it is that of 1 GB. */
const MEASURABLE_SECONDS = 50;

interface Passed {
  readonly point: RecoveryPoint['name'];
  readonly drill: PassedDrill;
}

/** What it moved would take at the assumed rates. */
const assumedSeconds = ({ files, bytesCopied }: PassedDrill): number =>
  files * SECONDS_PER_FILE + bytesCopied / BYTES_PER_SECOND;

const isMeasurable = ({ drill }: Passed): boolean => assumedSeconds(drill) > MEASURABLE_SECONDS;

const drillsOf = (points: readonly RecoveryPoint[], remembered: PairState['lastDrill']): readonly Passed[] =>
  [
    ...points.flatMap(({ name, drilled }) => (drilled ? [{ point: name, drill: drilled }] : [])),
    ...(remembered ? [remembered] : []),
  ].sort((one, other) => other.drill.at - one.drill.at);

const inTime = (bytes: number, time: number): string => `${sizeText(bytes)} in ${time} s`;

/** What was found, before the policy's own limits. */
const measure = (points: readonly RecoveryPoint[], remembered: PairState['lastDrill']): RestoreRate => {
  const drills = drillsOf(points, remembered);
  const large = drills.find(isMeasurable);
  if (large) {
    // All of a drill counts, comparison included: that is what the objective is compared with. A restore of the same size
    // is expected to take as long; how much of it files and bytes took each is not known, so both go by one factor.
    const startSeconds = Math.min(START_SECONDS, large.drill.seconds / 2);
    const factor = Math.max(1, large.drill.seconds - startSeconds) / assumedSeconds(large.drill);
    return {
      bytesPerSecond: BYTES_PER_SECOND / factor,
      secondsPerFile: SECONDS_PER_FILE * factor,
      startSeconds,
      basis: `measured by the drill of ${large.point} (${inTime(large.drill.bytesCopied, large.drill.seconds)})`,
    };
  }
  const small = drills[0];
  const assumed = {
    bytesPerSecond: BYTES_PER_SECOND,
    secondsPerFile: SECONDS_PER_FILE,
    startSeconds: small?.drill.seconds ?? START_SECONDS,
  };
  const copy = slowestCopy(points);
  if (copy)
    return {
      ...assumed,
      bytesPerSecond: bytesPerSecond(copy),
      basis: `measured by the copy of ${copy.point} (${inTime(copy.bytes, copy.seconds)})`,
    };
  const rates = `assumed to be ${sizeText(BYTES_PER_SECOND)} and ${1 / SECONDS_PER_FILE} files a second`;
  return {
    ...assumed,
    basis: small
      ? `${rates}: the drill of ${small.point} moved too little to measure more than a start (${inTime(small.drill.bytesCopied, small.drill.seconds)})`
      : `${rates}: no drill passed, and no copy moved enough to measure`,
  };
};

/**
 * How fast a bucket can be restored: as the newest drill that moved enough was, else as the slowest measured copy, else as
 * is assumed; but never faster than its policy lets a copy go.
 * @param points of the bucket, in any order
 * @param remembered the last drill of the bucket, whose point may be deleted
 */
export const restoreRate = (
  points: readonly RecoveryPoint[],
  limits: Policy['limits'],
  remembered: PairState['lastDrill'] = null,
): RestoreRate => {
  const measured = measure(points, remembered);
  // A restore runs on the host itself.
  const allowed = allowedRate(limits, mapsAtOnce({ ...limits, yarn: null }));
  return allowed < measured.bytesPerSecond
    ? {
        ...measured,
        bytesPerSecond: allowed,
        basis: `${measured.basis}, and the policy allows ${sizeText(allowed)} a second`,
      }
    : measured;
};

/** How long a restore of so much takes, from the first look to the end of the comparison. */
export const restoreTime = (
  rate: RestoreRate,
  size: { readonly files: number; readonly bytes: number },
): DurationSeconds =>
  seconds(Math.ceil(rate.startSeconds + size.files * rate.secondsPerFile + size.bytes / rate.bytesPerSecond - 1e-6));
