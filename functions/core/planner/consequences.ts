import type { Consequence } from '../domain/explanation.ts';
import type { PairState, RecoveryPoint } from '../domain/ledger.ts';
import type { Policy } from '../domain/policy.ts';
import { isInForce } from '../domain/retention.ts';
import type { DurationSeconds, EpochMs } from '../domain/units.ts';
import { isOn } from './bucket-to-prune.ts';
import { PERIODS, type Period, periodNumbers, zoneClock } from './calendar.ts';
import { isVerified } from './protections.ts';

const DAY = 86_400_000;

/** Can be relied on: compared with the source and there; of a policy without a replica: there. */
export const isGoodPoint = (
  point: Pick<RecoveryPoint, 'state' | 'replica' | 'removal'>,
  policy: Pick<Policy, 'replica'>,
): boolean =>
  policy.replica === null
    ? isOn(point, 'source')
    : isVerified(point.state) && point.replica?.condemned === false && isOn(point, 'replica');

/** Whose days, weeks and months a bucket's points are of. */
export const zoneOf = ({ retention, schedules }: Pick<Policy, 'retention' | 'schedules'>): string =>
  retention?.zone ?? schedules[0]?.zone ?? 'Etc/UTC';

/** `2 d 3 h`, `26 h`, `40 min`, `12 s`: the two largest units that matter. */
export const spanText = (seconds: number): string => {
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min`;
  const hours = Math.floor(whole / 3600);
  if (hours < 48) return `${hours} h`;
  return `${Math.floor(hours / 24)} d${hours % 24 === 0 ? '' : ` ${hours % 24} h`}`;
};

/** `2026-11-20T02:00:00Z` */
export const instantText = (at: number): string => new Date(at).toISOString().replace(/\.\d{3}Z$/, 'Z');

/** The ISO week that a day on the wall clock lies in: that of its Thursday. */
const weekLabel = (wall: number): string => {
  const day = Math.floor(wall / DAY);
  const thursday = new Date((day - ((day + 3) % 7) + 3) * DAY);
  const first = Date.UTC(thursday.getUTCFullYear(), 0, 1);
  return `${thursday.getUTCFullYear()}-W${String(1 + Math.floor((thursday.getTime() - first) / (7 * DAY))).padStart(2, '0')}`;
};

const periodLabel = (period: Period, wall: number): string => {
  const text = new Date(wall).toISOString();
  switch (period) {
    case 'hour':
      return `the hour ${text.slice(0, 10)} ${text.slice(11, 13)}:00`;
    case 'day':
      return `the day ${text.slice(0, 10)}`;
    case 'week':
      return `the week ${weekLabel(wall)}`;
    case 'month':
      return `the month ${text.slice(0, 7)}`;
    case 'year':
      return `the year ${text.slice(0, 4)}`;
  }
};

/** The periods of the calendar that would have no point at all without this one, shortest first. */
export const emptiedPeriods = (
  at: EpochMs,
  others: readonly EpochMs[],
  zone: string,
): readonly { readonly period: Period; readonly label: string }[] => {
  const { wallAt } = zoneClock(zone);
  const numberOf = periodNumbers();
  const wall = wallAt(at);
  // An hour is emptied by almost every point: that says nothing.
  return PERIODS.filter((period) => period !== 'hour')
    .filter((period) => {
      const own = numberOf(period, wall);
      return others.every((other) => numberOf(period, wallAt(other)) !== own);
    })
    .map((period) => ({ period, label: periodLabel(period, wall) }));
};

/** What a point means to the rest of its bucket. */
export interface Surroundings {
  readonly policy: Policy;
  readonly pair: Pick<PairState, 'base' | 'previousBase' | 'copies'>;
  /** Every living point of the pair, newest first, the one in question among them. */
  readonly points: readonly RecoveryPoint[];
}

const compareAll = (policy: Policy, point: RecoveryPoint): string => {
  const keys = point.verification ? ` (${point.verification.files + point.verification.dirs} keys)` : '';
  return policy.mode === 'incremental'
    ? `the next copy has no increment and fails, because the policy ${policy.name} allows nothing else`
    : `the next copy has no increment: it compares the whole bucket${keys} and copies what differs`;
};

const older = (seconds: number, objective: DurationSeconds): string =>
  seconds > objective ? `, which is beyond the objective of ${spanText(objective)}` : '';

/** What breaks if a point is deleted on every side, the worst first; never empty. */
export const consequencesOf = (
  point: RecoveryPoint,
  { policy, pair, points }: Surroundings,
  now: EpochMs,
): readonly Consequence[] => {
  const { name } = point;
  const at = point.source.created;
  const others = points.filter((it) => it.name !== name);
  const where = policy.replica?.name ?? policy.source.name;
  const good = points.filter((it) => isGoodPoint(it, policy) && it.source.created <= now);
  const [newest, next] = good;
  const proof = policy.replica ? 'verified' : 'taken';
  const found: Consequence[] = [];
  const add = (kind: Consequence['kind'], text: string): void => void found.push({ kind, text });

  for (const { by, reason, until } of point.holds.filter((it) => isInForce(it, now)))
    add(
      'legal-hold',
      `a legal hold of ${by} is broken (${reason}), which stands ${until === null ? 'without end' : `until ${instantText(until)}`}`,
    );
  for (const { by, reason } of point.pins) add('pinned', `${by} loses what they pinned it for: ${reason}`);
  if (point.pinned) add('pinned', `it is pinned: ${point.pinned}`);
  for (const copy of pair.copies)
    if (copy.to === null && (copy.point === name || copy.base === name))
      add('in-use', `the copy ${copy.operation} may be at work with it, and fails`);
  if (pair.base?.name === name) add('base', `it is the base of the next increment: ${compareAll(policy, point)}`);
  if (pair.previousBase?.name === name)
    add('previous-base', `it is the base before the last: if the base is lost too, ${compareAll(policy, point)}`);
  if (newest?.name === name && next === undefined)
    add('only-good', `it is the only ${proof} point: nothing can be restored from ${where} any more`);
  if (newest?.name === name && next !== undefined) {
    const lost = (at - next.source.created) / 1000;
    const age = (now - next.source.created) / 1000;
    add(
      'newest-good',
      `it is the newest ${proof} point: what changed in the ${spanText(lost)} before it cannot be got back from ${where}; the newest would be ${next.name}, ${spanText(age)} old${older(age, policy.objectives.rpo)}`,
    );
  }
  if (policy.replica && !isGoodPoint(point, policy) && isOn(point, 'source'))
    add(
      'not-replicated',
      newest && newest.source.created > at
        ? `no verified copy of it is on ${where}: this moment is lost for good`
        : `no verified copy of it is on ${where} yet, nor of anything newer: what changed since ${newest ? newest.name : 'the beginning'} is on ${policy.source.name} alone`,
    );
  const zone = zoneOf(policy);
  const emptied = emptiedPeriods(
    at,
    others.map(({ source }) => source.created),
    zone,
  );
  if (emptied.length > 0)
    add('only-of-period', `it is the only point of ${emptied.map(({ label }) => label).join(', ')} (${zone})`);
  const oldest = others.at(-1);
  if (oldest && oldest.source.created > at)
    add(
      'oldest',
      `it is the oldest point: nothing before ${instantText(oldest.source.created)} can be restored any more`,
    );
  return found.length > 0
    ? found
    : [{ kind: 'nothing', text: 'nothing: other points serve every purpose that it has' }];
};
