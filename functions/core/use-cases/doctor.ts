import * as z from 'zod';
import type { OperationStep } from '../domain/backup-step.ts';
import {
  type CheckAnswer,
  type CheckStarter,
  type DoctorCheck,
  type DoctorReport,
  type Finding,
  starterOf,
} from '../domain/doctor.ts';
import { parseEdgeReply } from '../domain/edge-reply.ts';
import { doctorPair, RunId, runId, Slot } from '../domain/names.ts';
import type { Operation } from '../domain/operation.ts';
import type { NamedPolicy, Policy } from '../domain/policy.ts';
import { EpochMs, epochMs } from '../domain/units.ts';
import { DrError } from '../errors.ts';
import { checksOf, doctorLines, isOnline, judge, type LongestCopies, outlastingTickets } from '../planner/doctor.ts';
import { forecastCopy } from '../planner/estimate.ts';
import { shortCommand } from '../planner/steps.ts';
import type { Clock, DoctorReports, HostDirectory, Ledger, OperationStore, StoredOutputs } from '../ports.ts';
import { TaskFailure } from './answers.ts';
import { inParallel } from './in-parallel.ts';
import { namedPolicies } from './named-policies.ts';
import { operationId } from './operation-id.ts';
import { parseEvent } from './parse-event.ts';
import { readingRun } from './reading-run.ts';
import { lineageOf } from './snapshot-budget.ts';

/** Operation ids have three digits for the step. */
const MOST_CHECKS = 1000;
const AT_ONCE = 8;
/** Buckets of a policy of which the doctor reads the newest points. */
const MOST_FORECASTS = 1000;
const NEWEST_POINTS = 5;

const OpenDoctorEvent = z.strictObject({ execution: z.string().min(1), startedAt: Slot });

/** One command of a visit, for the state machine: it starts `start` and waits. */
export interface OpenedCheck {
  readonly step: number;
  readonly start: CheckStarter;
  readonly timeoutSeconds: number;
  readonly heartbeatSeconds: number;
}

export interface OpenedDoctor {
  readonly runId: RunId;
  readonly checks: readonly OpenedCheck[];
}

export interface OpenDoctorDependencies {
  readonly policies: readonly Policy[];
  readonly ledger: Pick<Ledger, 'recordStep' | 'putRun' | 'loadEnrolment'>;
  readonly hosts: HostDirectory;
  readonly clock: Clock;
}

const hostsOf = (checks: readonly DoctorCheck[]) => [...new Set(checks.map(({ host }) => host))];

/**
 * State machine step: records what is asked of which host. Hosts that do not answer Systems Manager are asked nothing: that they
 * do not is a finding, and a command to them would wait for minutes. Safe to repeat for the same execution.
 * @throws EventInvalid, PolicyInvalid; RunAlreadyOpen when another visit began in the same second
 */
export const openDoctor =
  (deps: OpenDoctorDependencies) =>
  async (event: unknown): Promise<OpenedDoctor> => {
    const { execution, startedAt } = parseEvent(OpenDoctorEvent, event);
    const now = deps.clock.now();
    const policies = await namedPolicies(deps.ledger, deps.policies);
    const policy = policies.find(({ buckets }) => buckets.length > 0);
    const [bucket] = policy?.buckets ?? [];
    if (!policy || !bucket)
      throw new DrError(
        'PolicyInvalid',
        'there is no policy, or no bucket of one is known before its first slot: so there is no host to visit',
      );
    const all = checksOf(policies);
    const seen = await deps.hosts.describe(hostsOf(all));
    const checks = all.filter(({ host }) => isOnline(seen, host)).slice(0, MOST_CHECKS);
    const pair = doctorPair(policy.source.name, bucket);
    const id = runId(pair, policy.name, startedAt, 'doctor');
    const steps = await inParallel([...checks.entries()], AT_ONCE, async ([n, check]) => {
      const decision = stepOf(check, execution);
      const recorded = await deps.ledger.recordStep(id, {
        n,
        decision,
        decidedAt: now,
        operationStep: n,
        observed: null,
        observedAt: null,
        jvmStarts: null,
      });
      if (recorded.decision.kind !== 'check-host' || recorded.decision.execution !== execution)
        throw new DrError('RunAlreadyOpen', 'another visit began in the same second: start this one again');
      return { n, check, decision };
    });
    const run = readingRun({ workflow: 'doctor', runId: id, pair, bucket, policy, execution }, startedAt, now);
    await deps.ledger.putRun(run);
    return {
      runId: id,
      checks: steps.map(({ n, check, decision }) => ({
        step: n,
        start: starterOf(check),
        timeoutSeconds: decision.timeoutSeconds,
        heartbeatSeconds: decision.heartbeatSeconds,
      })),
    };
  };

const stepOf = (check: DoctorCheck, execution: string): Extract<OperationStep, { kind: 'check-host' }> => ({
  kind: 'check-host',
  execution,
  radius: check.radius,
  side: check.side,
  source: check.source.service,
  replica: check.replica?.service ?? null,
  buckets: [...check.buckets],
  reason: `the doctor looks at ${check.host} for what the document ${check.radius} does`,
  ...shortCommand(check.host),
});

const JudgeDoctorEvent = z.strictObject({
  runId: RunId,
  /** One for each check that was opened: when it was over, by the clock of AWS, and why its Task failed. */
  ended: z.array(
    z.object({
      step: z.number().int().nonnegative(),
      at: z.iso.datetime(),
      failure: TaskFailure.nullable().default(null),
    }),
  ),
});

export interface JudgeDoctorDependencies {
  readonly policies: readonly Policy[];
  readonly ledger: Pick<Ledger, 'loadRun' | 'putRun' | 'loadEnrolment' | 'recentPoints'>;
  readonly operations: Pick<OperationStore, 'load'>;
  readonly hosts: HostDirectory;
  readonly outputs: StoredOutputs;
  readonly reports: DoctorReports;
  readonly clock: Clock;
}

/** Counts, where the report is kept, and as much of it as an execution may hand on. */
export interface Judged {
  readonly errors: number;
  readonly warnings: number;
  readonly checks: number;
  readonly report: string;
  /** Of severity error, warning and note, errors first; what is in order is in the report alone. */
  readonly findings: readonly Finding[];
  /** For a failed execution: what is wrong, in lines. */
  readonly cause: string;
}

/** An output of a state machine is at most 256 KB, the cause of a failure 32,768 characters (API reference, Step Functions). */
const MOST_FINDINGS = 150;
const LONGEST_CAUSE = 30_000;

/**
 * State machine step: reads the answers, judges them, keeps the report. Safe to repeat: the report of the same visit is
 * written again under the same name. @throws EventInvalid
 */
export const judgeDoctor =
  (deps: JudgeDoctorDependencies) =>
  async (event: unknown): Promise<Judged> => {
    const { runId: id, ended } = parseEvent(JudgeDoctorEvent, event);
    const known = await deps.ledger.loadRun(id);
    if (known?.run.workflow !== 'doctor') throw new DrError('EventInvalid', `${id} is no visit of the doctor`);
    const now = deps.clock.now();
    const policies = await namedPolicies(deps.ledger, deps.policies);
    const checks = checksOf(policies);
    const hosts = await deps.hosts.describe(hostsOf(checks));
    const answers = await inParallel(known.steps, AT_ONCE, async ({ n, decision }): Promise<CheckAnswer | null> => {
      if (decision.kind !== 'check-host') return null;
      const operation = await deps.operations.load(operationId(id, n));
      const over = ended.find(({ step }) => step === n);
      const check = checks.find(
        (it) =>
          it.host === decision.host &&
          it.radius === decision.radius &&
          it.side === decision.side &&
          it.source.service === decision.source &&
          (it.replica?.service ?? null) === decision.replica,
      );
      // The policies were deployed anew meanwhile: what was asked is of no policy any more.
      if (!check) return null;
      const answer = answerOf(operation, over?.failure ?? null);
      return {
        check,
        from: operation?.createdAt ?? known.run.startedAt,
        until: over ? epochMs(Date.parse(over.at)) : now,
        answer,
        isOutputStored: answer.kind === 'none' ? null : await deps.outputs.isThere(operationId(id, n)),
      };
    });
    const given = answers.filter((it) => it !== null);
    const expected = await longestCopies(deps.ledger, outlastingTickets(policies, given, now));
    const judged = judge(policies, hosts, given, now, expected);
    const report = await deps.reports.put(known.run.startedAt, JSON.stringify(judged, null, 2));
    const failure = judged.errors > 0 ? { error: 'DeploymentUnhealthy', cause: firstOf(judged) } : null;
    await deps.ledger.putRun({ ...known.run, status: failure ? 'failed' : 'succeeded', endedAt: now, failure });
    const told = judged.findings.filter(({ severity }) => severity !== 'ok');
    return {
      errors: judged.errors,
      warnings: judged.warnings,
      checks: judged.checks,
      report,
      findings: told.slice(0, MOST_FINDINGS),
      cause: causeOf(judged, report),
    };
  };

/** None of a policy of which the copy of one bucket cannot be forecast, or that has too many buckets to look at all of them. */
const longestCopies = async (
  ledger: Pick<Ledger, 'recentPoints'>,
  policies: readonly NamedPolicy[],
): Promise<LongestCopies> => {
  const few = policies.filter(({ buckets }) => buckets.length <= MOST_FORECASTS);
  const longest = await inParallel(few, 1, async (policy) => {
    const copies = await inParallel(policy.buckets, AT_ONCE, async (bucket) => {
      const points = await ledger.recentPoints(lineageOf(policy, bucket), NEWEST_POINTS);
      return { bucket, seconds: forecastCopy(points, policy) };
    });
    const known = copies.flatMap(({ bucket, seconds }) => (seconds === null ? [] : [{ bucket, seconds }]));
    const [most] = known.toSorted((one, other) => other.seconds - one.seconds);
    return most && known.length === copies.length ? [[policy.name, most] as const] : [];
  });
  return new Map(longest.flat());
};

const firstOf = ({ errors, findings: [first] }: DoctorReport): string =>
  `${errors} findings of severity error, the first: ${first?.code} (${first?.where})`;

const causeOf = (report: DoctorReport, where: string): string =>
  [`${report.errors} errors, ${report.warnings} warnings. The whole report: ${where}`, ...doctorLines(report)]
    .join('\n')
    .slice(0, LONGEST_CAUSE);

const answerOf = (operation: Operation | undefined, failure: TaskFailure | null): CheckAnswer['answer'] => {
  const none = (error: string, detail: string) =>
    ({ kind: 'none', error, detail: `${operation?.id ?? 'never sent'}: ${detail}` }) as const;
  if (!operation?.outcome)
    return none(failure?.Error ?? 'EdgeUnreachable', failure?.Cause || 'the command did not answer in time');
  const { outcome } = operation;
  if (outcome.kind === 'lost') return none(outcome.error, outcome.detail);
  const parsed = parseEdgeReply(outcome.reply, operation.id);
  if ('refusal' in parsed && parsed.refusal) return { kind: 'refused', code: 'bad-parameter', message: parsed.refusal };
  if ('problem' in parsed) return none('EdgeReplyInvalid', parsed.problem);
  const { reply } = parsed;
  if (reply.verb !== 'doctor' || reply.data === null)
    return reply.outcome === 'refused'
      ? { kind: 'refused', code: reply.code, message: reply.message }
      : none(reply.code, reply.message);
  return {
    kind: 'facts',
    data: reply.data,
    startedAt: EpochMs.parse(reply.startedAt),
    endedAt: EpochMs.parse(reply.endedAt),
  };
};
