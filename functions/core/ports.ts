import type { Severity } from './domain/alarms.ts';
import type { Enrolment } from './domain/buckets.ts';
import type { Entry, Link, Occurrence } from './domain/chain.ts';
import type { FleetAssessment, PolicyAssessment } from './domain/clocks.ts';
import type { HostSeen } from './domain/doctor.ts';
import type { FleetItem, FleetPlace, FleetResult } from './domain/fleet.ts';
import type {
  BackupRun,
  Decision,
  Lease,
  Observation,
  PairPatch,
  PairState,
  RecoveryPoint,
  RunStep,
} from './domain/ledger.ts';
import type { HostId, OperationId, PairId, PolicyName, RunId } from './domain/names.ts';
import type { Nonce, NonceId } from './domain/nonce.ts';
import type { EdgeParameters, Operation, OperationOutcome } from './domain/operation.ts';
import type { EventType, OutcomeDetail } from './domain/outcome-event.ts';
import type { PlanHash, PolicyState } from './domain/retention.ts';
import type { Role } from './domain/roles.ts';
import type { Resource, Slots } from './domain/slots.ts';
import type { EpochMs } from './domain/units.ts';

export interface Clock {
  readonly now: () => EpochMs;
}

/** The lineage. Every method is one conditional write or one bounded read. */
export interface Ledger {
  /** The pair; a pair that was never seen is answered as empty. */
  readonly loadPair: (pair: PairId) => Promise<PairState>;
  /** Takes the lease with the next fencing token, if the pair is still as `seen`. Answers undefined when it is not. */
  readonly takeLease: (
    seen: PairState,
    holder: { readonly runId: RunId; readonly execution: string },
    expires: EpochMs,
    /** The token is larger than this one too. */
    above?: number,
  ) => Promise<Lease | undefined>;
  /** Prolongs the lease and answers the state. @throws LeaseLost */
  readonly renewLease: (pair: PairId, token: number, expires: EpochMs) => Promise<PairState>;
  /** Gives the lease back; nothing happens when it is somebody else's by now. */
  readonly releaseLease: (pair: PairId, token: number) => Promise<void>;
  /** Changes the pair while the lease is held. @throws LeaseLost */
  readonly changePair: (pair: PairId, token: number, patch: PairPatch) => Promise<PairState>;
  /** The next fencing token, with the doubt and the claim that go before a copy. @throws LeaseLost */
  readonly raiseFence: (pair: PairId, token: number, patch: (seen: PairState) => PairPatch) => Promise<PairState>;
  /**
   * Moves the roles of a pair, if epoch, state and mover still are what was seen: by nobody's lease, as either direction has one of its own.
   * @returns false when somebody else moved them meanwhile
   */
  readonly moveRole: (pair: PairId, seen: Role | null, next: Role) => Promise<boolean>;
  /** Records what a person decided, beside the pair. */
  readonly putDecision: (pair: PairId, decision: Decision) => Promise<void>;
  /** Who has and who waits for the places of a resource; nobody when it was never seen. */
  readonly loadSlots: (resource: Resource) => Promise<Slots>;
  /** @returns false when somebody else wrote since it was read */
  readonly putSlots: (slots: Slots) => Promise<boolean>;
  /** Gives back a place, or one in the line; nothing happens when the holder has none. */
  readonly releaseSlots: (resource: Resource, holder: RunId) => Promise<void>;
  readonly loadRun: (
    runId: RunId,
  ) => Promise<{ readonly run: BackupRun; readonly steps: readonly RunStep[] } | undefined>;
  readonly putRun: (run: BackupRun) => Promise<void>;
  /** Ends a run under its lease. @throws LeaseLost */
  readonly closeRun: (
    run: BackupRun,
    token: number,
    end: Pick<BackupRun, 'status' | 'outcome' | 'failure' | 'endedAt'>,
  ) => Promise<void>;
  /** The newest points, newest first. */
  readonly recentPoints: (pair: PairId, limit: number) => Promise<readonly RecoveryPoint[]>;
  /** Writes a point, but for what {@link Ledger.changePoint} owns once the point is there. */
  readonly putPoint: (pair: PairId, point: RecoveryPoint) => Promise<void>;
  /** Every point of the pair that is not deleted on all its sides, newest first. */
  readonly livingPoints: (pair: PairId) => Promise<readonly RecoveryPoint[]>;
  /**
   * Changes pins, legal holds, the removal or the last drill of a point, if all four still are what was seen. Needs no lease.
   * @returns the point, or undefined when somebody else changed it meanwhile or it is not there any more
   */
  readonly changePoint: (
    pair: PairId,
    seen: RecoveryPoint,
    patch: Partial<Pick<RecoveryPoint, 'pins' | 'holds' | 'removal' | 'drilled'>>,
  ) => Promise<RecoveryPoint | undefined>;
  /** Puts a point whose snapshots are all deleted with the retired ones. Safe to repeat. */
  readonly retirePoint: (pair: PairId, point: RecoveryPoint) => Promise<void>;
  /** Newest first. */
  readonly retiredPoints: (pair: PairId) => Promise<readonly RecoveryPoint[]>;
  /** What the policy asked for over time; no versions when it was never seen. */
  readonly loadPolicyState: (policy: PolicyName) => Promise<PolicyState>;
  /** @returns false when somebody else wrote since it was read */
  readonly putPolicyState: (state: PolicyState) => Promise<boolean>;
  /** What the globs of a policy gave; nothing when they were never looked at. */
  readonly loadEnrolment: (policy: PolicyName) => Promise<Enrolment>;
  /** @returns false when somebody else wrote since it was read */
  readonly putEnrolment: (enrolment: Enrolment) => Promise<boolean>;
  /** Uses a confirmed plan up for one run. Answers false when another run used it. Safe to repeat for the same run. */
  readonly usePlan: (plan: PlanHash, runId: RunId, at: EpochMs) => Promise<boolean>;
  /** Records a decision once. Answers what is recorded: another caller may have been first. */
  readonly recordStep: (runId: RunId, step: RunStep) => Promise<RunStep>;
  readonly recordObservation: (
    runId: RunId,
    step: number,
    observed: Observation,
    at: EpochMs,
    jvmStarts: number | null,
  ) => Promise<void>;
}

/** Runs, for those who only look. */
export interface Runs {
  /** The backup of a pair and a policy that is of the latest slot; null when there was none. */
  readonly latestBackup: (pair: PairId, policy: PolicyName) => Promise<BackupRun | null>;
}

/** Plans of deletions: their text, by its hash. */
export interface PlanStore {
  /** Safe to repeat. */
  readonly put: (hash: PlanHash, body: string) => Promise<void>;
  /** Undefined when there is none. The caller compares the text with the hash. */
  readonly load: (hash: PlanHash) => Promise<string | undefined>;
}

/** Lists of paths that hosts read, by their hash. */
export interface Selections {
  /** Safe to repeat. */
  readonly put: (hash: PlanHash, text: string) => Promise<void>;
  /** An address that gives the text, without credentials, for a short time. */
  readonly urlOf: (hash: PlanHash) => Promise<string>;
}

/** What is known of an execution that a person started or looks at. */
export interface ExecutionState {
  readonly status: 'running' | 'succeeded' | 'failed' | 'cancelled' | 'timed-out';
  readonly startedAt: EpochMs;
  /** JSON as it was given. */
  readonly input: unknown;
  /** JSON; undefined unless it succeeded. */
  readonly output: unknown;
  readonly error: string | null;
  readonly cause: string | null;
}

/** The workflows that a person may start. */
export type StartedByHand = 'restore' | 'failover' | 'failback' | 'failover-fleet' | 'backup' | 'decision';

/** Executions, for a person who starts, watches and cancels them. */
export interface Machines {
  /** @returns its id. The same name with the same input again is the same execution. */
  readonly start: (workflow: StartedByHand, name: string, input: object) => Promise<string>;
  /** Undefined when there is none of this id (any more). */
  readonly look: (execution: string) => Promise<ExecutionState | undefined>;
  readonly stop: (execution: string, cause: string) => Promise<void>;
}

/** Why a nonce does not count. `other`: it was made for another act. */
export type NonceRefusal = 'unknown' | 'used' | 'expired' | 'other';

/** Forms that were shown and may be submitted, each once. */
export interface Nonces {
  /** @throws when there is one of this id already */
  readonly make: (nonce: Nonce) => Promise<void>;
  /** Uses it up by one conditional write: of several callers at most one hears `used-now`. */
  readonly use: (id: NonceId, what: Nonce['what'], now: EpochMs) => Promise<'used-now' | NonceRefusal>;
}

export interface OperationStore {
  readonly load: (id: OperationId) => Promise<Operation | undefined>;
  /** Writes a new operation, into the open index unless a batch does it. Answers false when there is one of this id already. */
  readonly create: (operation: Operation) => Promise<boolean>;
  /** Puts the token of the newest attempt of the Task in place. */
  readonly replaceToken: (id: OperationId, token: string) => Promise<Operation>;
  readonly sent: (id: OperationId, commandId: string) => Promise<void>;
  /** Records the outcome once; answers what is recorded: of a reply that is too long to keep, that it was. */
  readonly ended: (id: OperationId, outcome: OperationOutcome) => Promise<Operation>;
  /** Takes the operation out of the open index, unless its token was replaced meanwhile. */
  readonly notified: (id: OperationId, token: string) => Promise<void>;
  readonly open: () => Promise<readonly Operation[]>;
}

/** Operations that are not over, for those who only look. */
export interface OpenOperations {
  /** The newest of one host. */
  readonly on: (host: HostId, atMost: number) => Promise<readonly Operation[]>;
}

export interface RunningExecution {
  readonly arn: string;
  readonly name: string;
  readonly startedAt: EpochMs;
}

/** Executions that are not over, for those who only look. */
export interface RunningExecutions {
  /** The newest of one workflow, by the last part of its machine's name; `isCut`: there are more. */
  readonly running: (
    workflow: string,
    atMost: number,
  ) => Promise<{ readonly newest: readonly RunningExecution[]; readonly isCut: boolean }>;
}

export interface SentCommand {
  readonly commandId: string;
}

/** What Run Command says of a command on its one host. */
export type CommandState =
  | { readonly kind: 'running' }
  | {
      readonly kind: 'ended';
      readonly status: string;
      readonly output: string;
      /** Where that output lies, if it is more than Run Command itself shows. */
      readonly url?: string;
    };

/** Run Command, for one command on one host. */
export interface EdgeHost {
  /**
   * @throws EdgeRefused when Run Command will never take it, EdgeUnreachable when it says that the host is not there;
   * in both cases nothing was sent. After any other error that is not known.
   */
  readonly send: (
    document: string,
    host: string,
    parameters: EdgeParameters,
    operation: OperationId,
  ) => Promise<SentCommand>;
  /** The command that was sent for an operation, if there is one. */
  readonly find: (document: string, operation: OperationId, since: EpochMs) => Promise<SentCommand | undefined>;
  readonly state: (commandId: string, host: string) => Promise<CommandState>;
}

/** The whole output of a command. Run Command itself shows 24,000 characters. */
export interface Outputs {
  /** @param url as Run Command names it; undefined when nothing is there */
  readonly read: (url: string) => Promise<string | undefined>;
}

/** The hosts that Systems Manager knows. */
export interface HostDirectory {
  /** Those of `hosts` that are registered, whether they answer or not. */
  readonly describe: (hosts: readonly HostId[]) => Promise<readonly HostSeen[]>;
}

/** What commands left in the output bucket, which only their hosts write. */
export interface StoredOutputs {
  readonly isThere: (operation: OperationId) => Promise<boolean>;
}

/** Reports of the doctor, for good. */
export interface DoctorReports {
  /** @returns where it is kept */
  readonly put: (at: EpochMs, text: string) => Promise<string>;
}

export interface CommandCanceller {
  readonly cancel: (commandId: string, host: string) => Promise<void>;
}

/** `gone`: the Task does not wait on this token any more. */
export type Delivery = 'delivered' | 'gone';

export interface TaskCallbacks {
  readonly succeed: (token: string, output: unknown) => Promise<Delivery>;
  readonly fail: (token: string, error: string, cause: string) => Promise<Delivery>;
}

export interface Workflow {
  readonly heartbeat: (token: string) => Promise<Delivery>;
  readonly isRunning: (execution: string) => Promise<boolean>;
}

/** The record of each pair, kept for good: entries are appended, never changed, never deleted. Needs no lease. */
export interface Records {
  /**
   * Adds what happened after the newest entry. What the newest entry already has (by its id) is not added again, but an
   * older repetition is: readers take the first entry of an id. A list too long for one entry comes in several.
   * @throws StoreThrottled when others were faster too often; ItemInvalid when it cannot be an entry
   */
  readonly append: (
    pair: PairId,
    id: Occurrence['id'],
    happening: Occurrence['happening'],
    at: EpochMs,
  ) => Promise<void>;
  /** What was recorded, oldest first, each id once. The chain is not verified here. @throws ItemInvalid */
  readonly read: (pair: PairId) => Promise<readonly Entry[]>;
  /** The entries as they are stored, in the order of their keys, for whoever verifies the chain. */
  readonly links: (pair: PairId) => Promise<readonly Link[]>;
}

/** Many pairs at once, a little out of date perhaps: for whoever looks at all of them. */
export interface PairReader {
  /** Those of the pairs that have a state, in no order. @throws ItemInvalid */
  readonly loadPairs: (pairs: readonly PairId[]) => Promise<readonly PairState[]>;
}

/** The lists of a fleet, and what became of their items. */
export interface FleetLists {
  /** Writes one item a line; null: only says where something of that name belongs. */
  readonly put: (name: string, items: readonly FleetItem[] | null) => Promise<FleetPlace>;
  /** What became of each run of a Map Run, from its manifest. */
  readonly results: (manifest: { readonly Bucket: string; readonly Key: string }) => Promise<readonly FleetResult[]>;
}

/** What the last assessment found. Only the assessor writes it. */
export interface Assessments {
  /** Null before the first one. */
  readonly load: (policy: PolicyName) => Promise<PolicyAssessment | null>;
  readonly put: (assessment: PolicyAssessment) => Promise<void>;
  readonly loadFleet: () => Promise<FleetAssessment | null>;
  readonly putFleet: (assessment: FleetAssessment) => Promise<void>;
}

/** Alarms of CloudWatch. */
export interface AlarmStates {
  /** Those of the named ones that are raised. */
  readonly raised: (names: readonly string[]) => Promise<ReadonlySet<string>>;
}

/** Where others hear of what happened. */
export interface OutcomeBus {
  /** @throws whatever keeps it from being published */
  readonly put: (type: EventType, detail: OutcomeDetail) => Promise<void>;
}

/** Where people hear of alarms. */
export interface Topics {
  readonly publish: (severity: Severity, subject: string, body: string) => Promise<void>;
}

/** Numbers for dashboards and alarms. */
export interface Metrics {
  readonly gauge: (
    name: string,
    unit: 'Count' | 'Percent' | 'Seconds' | 'None',
    value: number,
    dimensions: Readonly<Record<string, string>>,
  ) => void;
}
