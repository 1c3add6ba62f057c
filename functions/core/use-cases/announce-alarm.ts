import * as z from 'zod';
import { factsOf, isAlarmId, measuredBy } from '../domain/alarms.ts';
import { namesIn } from '../domain/buckets.ts';
import { drillPair } from '../domain/names.ts';
import type { Policy } from '../domain/policy.ts';
import { epochMs } from '../domain/units.ts';
import { type AlarmContext, announcementOf } from '../planner/announcement.ts';
import type { AlarmStates, Assessments, PairReader, Topics } from '../ports.ts';
import { lineageOf } from './snapshot-budget.ts';

/** An alarm's change of state, as CloudWatch puts it on the event bus (CloudWatch user guide, alarm events and EventBridge). */
const AlarmEvent = z.object({
  account: z.string(),
  region: z.string(),
  detail: z.object({
    alarmName: z.string(),
    state: z.object({ value: z.string(), timestamp: z.string() }),
    previousState: z.object({ value: z.string(), timestamp: z.string() }),
  }),
});

export interface AnnounceDependencies {
  readonly prefix: string;
  readonly policies: readonly Policy[];
  readonly pairs: PairReader;
  readonly assessments: Assessments;
  readonly alarms: AlarmStates;
  readonly topics: Topics;
  readonly report: (problem: string, error: unknown) => void;
}

const instant = (text: string) => epochMs(Date.parse(text.replace(/\+0000$/, 'Z')));

/** Alarms that CloudWatch sends itself. */
const RAW: ReadonlySet<string> = new Set(['announcer-failed']);

/**
 * Tells people of an alarm that is raised or over, on the topic of its severity. Other alarms of the account, those that
 * only measure, and what is neither are none of its business. What cannot be looked up does not keep the message back.
 * @throws what the topic answers
 */
export const announceAlarm =
  (deps: AnnounceDependencies) =>
  async (event: unknown): Promise<{ readonly announced: string | null }> => {
    const parsed = AlarmEvent.safeParse(event);
    if (!parsed.success) return { announced: null };
    const { account, region, detail } = parsed.data;
    const { alarmName, state, previousState } = detail;
    const id = alarmName.startsWith(`${deps.prefix}-`) ? alarmName.slice(deps.prefix.length + 1) : '';
    if (!isAlarmId(id) || RAW.has(id)) return { announced: null };
    const isOver = state.value === 'OK' && previousState.value === 'ALARM';
    if (state.value !== 'ALARM' && !isOver) return { announced: null };
    const change = {
      id,
      prefix: deps.prefix,
      at: instant(state.timestamp),
      region,
      account,
      ...(isOver
        ? {
            state: 'over' as const,
            since: instant(previousState.timestamp),
            explainedBy: await unlessFails(deps, [], () => explanations(deps, id)),
          }
        : { state: 'raised' as const, since: null, explainedBy: [] }),
    };
    const nothing: AlarmContext = { assessments: [], fleet: null, buckets: [] };
    const context = isOver ? nothing : await unlessFails(deps, nothing, () => contextOf(deps));
    const { severity, subject, body } = announcementOf(change, context);
    await deps.topics.publish(severity, subject, body);
    return { announced: subject };
  };

const unlessFails = async <T>(deps: AnnounceDependencies, otherwise: T, work: () => Promise<T>): Promise<T> => {
  try {
    return await work();
  } catch (error) {
    deps.report('an alarm is announced without its details', error);
    return otherwise;
  }
};

/** An alarm whose measure is still breaching went out because another one explains it. */
const explanations = async (
  deps: AnnounceDependencies,
  id: Parameters<typeof measuredBy>[0],
): Promise<readonly string[]> => {
  const { follows } = factsOf(id);
  if (follows.length === 0) return [];
  const namesOf = (it: string): readonly string[] =>
    (isAlarmId(it) ? measuredBy(it) : [it]).map((name) => `${deps.prefix}-${name}`);
  const raised = await deps.alarms.raised([id, ...follows].flatMap(namesOf));
  const isRaised = (it: string): boolean => namesOf(it).some((name) => raised.has(name));
  return isRaised(id) ? follows.filter(isRaised) : [];
};

const contextOf = async ({ policies, pairs, assessments }: AnnounceDependencies): Promise<AlarmContext> => {
  const [assessed, fleet] = await Promise.all([
    Promise.all(policies.map(({ name }) => assessments.load(name))),
    assessments.loadFleet(),
  ]);
  const all = policies.flatMap((policy, index) => {
    // An alarm is raised by what was assessed: those are the buckets that its globs gave by then.
    const names = new Set([...namesIn(policy), ...(assessed[index]?.expected ?? []).map(({ bucket }) => bucket)]);
    return [...names].map((bucket) => ({
      policy: policy.name,
      bucket,
      lineage: lineageOf(policy, bucket),
      drills: drillPair(policy, bucket),
    }));
  });
  const states = await pairs.loadPairs(all.flatMap(({ lineage, drills }) => [lineage, drills]));
  const known = new Map(states.map((state) => [state.pair, state] as const));
  return {
    assessments: assessed.filter((it) => it !== null),
    fleet,
    buckets: all.map(({ policy, bucket, lineage, drills }) => ({
      policy,
      bucket,
      pair: known.get(lineage) ?? null,
      drills: known.get(drills) ?? null,
    })),
  };
};
