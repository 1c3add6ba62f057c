import { type AlarmId, addressOf, factsOf, type Severity } from '../domain/alarms.ts';
import type { FleetAssessment, LastRun, PolicyAssessment } from '../domain/clocks.ts';
import type { PairState } from '../domain/ledger.ts';
import { type BucketRef, policyOfRun, splitRunId } from '../domain/names.ts';
import type { EpochMs } from '../domain/units.ts';
import { instantText, spanText } from './consequences.ts';
import { isFailedOver } from './roles.ts';

/** A change of the state of an alarm. */
export interface AlarmChange {
  readonly id: AlarmId;
  readonly prefix: string;
  readonly state: 'raised' | 'over';
  readonly at: EpochMs;
  /** Of one that is over: since when it was raised. */
  readonly since: EpochMs | null;
  readonly region: string;
  readonly account: string;
  /** Alarms that explain this one and are raised: it is not over, only told of by them. */
  readonly explainedBy: readonly string[];
}

/** What is known about the buckets at that moment. */
export interface AlarmContext {
  readonly assessments: readonly PolicyAssessment[];
  readonly fleet: FleetAssessment | null;
  /** Each bucket of each policy with its pair and that of its drills, as far as they have a state. */
  readonly buckets: readonly {
    readonly policy: string;
    readonly bucket: BucketRef;
    readonly pair: Pick<PairState, 'newest' | 'hold' | 'role'> | null;
    readonly drills: Pick<PairState, 'newest'> | null;
  }[];
}

export interface Announcement {
  readonly severity: Severity;
  /** At most 100 characters of ASCII, as SNS takes it. */
  readonly subject: string;
  readonly body: string;
}

/** The most that are named in a message. */
const NAMED = 10;

/** Each thing that the alarm is about, in a few words, the worst first. */
const concernedBy = (id: AlarmId, { assessments, fleet, buckets }: AlarmContext, now: EpochMs): readonly string[] => {
  const { about } = factsOf(id);
  const ago = (at: EpochMs): string => `${spanText(Math.max(0, (now - at) / 1000))} ago`;
  const ofAssessed = (choose: (it: PolicyAssessment['named'][number]) => string | null): readonly string[] =>
    assessments.flatMap((it) =>
      it.named.flatMap((bucket) => {
        const word = choose(bucket);
        const paused = it.paused ? `; paused by ${it.paused.by}: ${it.paused.reason}` : '';
        const moved =
          bucket.failedOver === null ? '' : `; failed over ${ago(bucket.failedOver)}: no backups until a failback`;
        return word === null ? [] : [`${it.policy}: ${bucket.bucket} (${word}${paused}${moved})`];
      }),
    );
  const ofRuns = (choose: (run: LastRun) => boolean, word: (run: LastRun) => string): readonly string[] =>
    buckets.flatMap(({ policy, bucket, pair, drills }) =>
      [pair, drills].flatMap((it) =>
        Object.entries(it?.newest ?? {})
          .filter(([name]) => name === policy)
          .flatMap(([, { runs }]) => Object.values(runs))
          .filter(choose)
          .map((run) => `${policy}: ${bucket} (${word(run)})`),
      ),
    );
  switch (about.of) {
    case 'clock':
      return ofAssessed(({ clocks }) => {
        const clock = clocks[about.clock];
        if (!clock || !about.states.some((state) => state === clock.state)) return null;
        const every = clock.interval === null ? '' : `, expected every ${spanText(clock.interval)}`;
        return `${clock.point ? `${about.clock} ${spanText(clock.age)} ago` : `never ${about.clock}, expected since ${spanText(clock.age)}`}${every}`;
      });
    case 'objective':
      return ofAssessed(({ clocks: { taken, replicated, verified }, inBreach }) => {
        const good = [verified, replicated, taken].find((clock) => clock?.breach);
        return inBreach && good ? `${spanText(good.age)} old, ${spanText(good.objective)} allowed` : null;
      });
    case 'runs':
      return ofRuns(
        ({ kind }) => kind === about.kind,
        ({ error, at }) => `${error ?? 'failed'} ${ago(at)}`,
      );
    case 'held':
      return buckets.flatMap(({ policy, bucket, pair }) =>
        pair?.hold && !pair.hold.accepted && !pair.hold.rejected
          ? [
              `${policy}: ${bucket} (${pair.hold.deletes} deletes and ${pair.hold.renames} renames in ${pair.hold.target}, held ${ago(pair.hold.at)})`,
            ]
          : [],
      );
    case 'over-cap':
      return ofRuns(
        ({ overCap }) => overCap > 0,
        ({ overCap, at }) => `${overCap} snapshots wait since the prune ${ago(at)}`,
      );
    case 'failed-over':
      return buckets.flatMap(({ policy, bucket, pair }) => {
        const role = pair?.role ?? null;
        if (!isFailedOver(role)) return [];
        const how = role.state === 'moving' ? 'half moved' : 'failed over';
        const found = assessments
          .find((it) => it.policy === policy)
          ?.named.find((it) => it.bucket === bucket && it.failedOver !== null);
        const good = found?.clocks.verified;
        const second =
          !found || role.state === 'moving' ? '' : good ? `, brought back ${ago(good.since)}` : ', nothing backs it up';
        return [`${policy}: ${bucket} (${how} ${ago(role.since)}, from ${role.point}${second})`];
      });
    case 'vanished':
      return assessments.flatMap(({ policy, vanished }) =>
        vanished.map(({ bucket, at }) => `${policy}: ${bucket} (first missed ${ago(at)})`),
      );
    case 'not-ready':
      return ofAssessed(({ notReady, failedOver }) => (failedOver === null ? notReady : null));
    case 'hosts':
      return (fleet?.hosts ?? []).flatMap(({ host, clusters, online }) =>
        online === false ? [`${host} of ${clusters.join(', ')}`] : [],
      );
    case 'clusters':
      return (fleet?.unreachable ?? []).map(({ cluster, error, at }) => `${cluster} (${error} ${ago(at)})`);
    case 'outrun':
      return (fleet?.outrun ?? []).map(({ runId, resource, by, begins }) => {
        const late = spanText((begins - by) / 1000);
        return `${policyOfRun(runId)}: ${splitRunId(runId).pair} (waits for ${resource}, its turn comes ${late} too late)`;
      });
    case 'nothing':
      return [];
  }
};

const listed = (names: readonly string[]): string =>
  names.length <= NAMED
    ? names.join('\n  ')
    : `${names.slice(0, NAMED).join('\n  ')}\n  and ${names.length - NAMED} more: see the dashboard`;

const ascii = (text: string): string => text.replace(/[^\x20-\x7e]/g, '?').slice(0, 100);

/** What people are told of an alarm: who is concerned, what, since when, what it means, what to do, where to look. Pure. */
export const announcementOf = (change: AlarmChange, context: AlarmContext): Announcement => {
  const { id, prefix, state, at, since, region, account, explainedBy } = change;
  const { severity, what, impact, next, link } = factsOf(id);
  const address = addressOf(link, prefix, region, account);
  if (state === 'over') {
    const lasted = since === null ? '' : ` after ${spanText((at - since) / 1000)}`;
    const isExplained = explainedBy.length > 0;
    return {
      severity,
      subject: ascii(`${prefix}: ${isExplained ? 'explained' : 'over'}: ${what}`),
      body: [
        isExplained
          ? `Not over, but explained by ${explainedBy.join(', ')}, which you were told of: ${what}.`
          : `Over${lasted}: ${what}.`,
        `Alarm: ${prefix}-${id}`,
        `At: ${instantText(at)}`,
        `Link: ${address}`,
      ].join('\n'),
    };
  }
  const concerned = concernedBy(id, context, at);
  const [first] = concerned;
  const short = first
    ? ` [${first.replace(/ \(.*$/, '')}${concerned.length > 1 ? ` +${concerned.length - 1}` : ''}]`
    : '';
  return {
    severity,
    subject: ascii(`${severity === 'page' ? 'PAGE' : 'ticket'} ${prefix}: ${what}${short}`),
    body: [
      `What: ${what}`,
      ...(concerned.length > 0 ? [`Which:\n  ${listed(concerned)}`] : []),
      `Since: ${instantText(at)}`,
      `Impact: ${impact}`,
      `Next: ${next}`,
      `Runbook: docs/runbooks/${id}.md`,
      `Link: ${address}`,
      `Alarm: ${prefix}-${id}`,
    ].join('\n'),
  };
};
