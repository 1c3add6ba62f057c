import type { PairState, RecoveryPoint, RunStep } from '../../functions/core/domain/ledger.ts';
import { PairId } from '../../functions/core/domain/names.ts';
import type { BlastRadius } from '../../functions/core/domain/operation.ts';
import { Cluster, Policy, type PolicyMode } from '../../functions/core/domain/policy.ts';
import { RestorePlanned } from '../../functions/core/domain/restore.ts';
import { type EpochMs, epochMs } from '../../functions/core/domain/units.ts';
import type { Ledger, OperationStore, Records } from '../../functions/core/ports.ts';
import { recordFailure, recordOutcome } from '../../functions/core/use-cases/close-run.ts';
import { condemnPoints } from '../../functions/core/use-cases/condemn-points.ts';
import { decideBatch } from '../../functions/core/use-cases/decide-batch.ts';
import { decideNext } from '../../functions/core/use-cases/decide-next.ts';
import { decidePruneNext } from '../../functions/core/use-cases/decide-prune.ts';
import { decideRestoreNext } from '../../functions/core/use-cases/decide-restore.ts';
import { expandPolicy } from '../../functions/core/use-cases/fleet.ts';
import { openBatch } from '../../functions/core/use-cases/open-batch.ts';
import { openRestore } from '../../functions/core/use-cases/open-restore.ts';
import { openRun } from '../../functions/core/use-cases/open-run.ts';
import { recordBatch } from '../../functions/core/use-cases/record-batch.ts';
import { recordDecision } from '../../functions/core/use-cases/record-decision.ts';
import { settleOperation } from '../../functions/core/use-cases/settle-operation.ts';
import { startOperation } from '../../functions/core/use-cases/start-operation.ts';
import { sweepOperations } from '../../functions/core/use-cases/sweep-operations.ts';
import { memoryRecords } from '../fixtures/memory-records.ts';
import {
  memoryFleetLists,
  memoryLedger,
  memoryOperations,
  memoryPlans,
  memorySelections,
  noPairs,
} from '../fixtures/memory-store.ts';
import type { Change, TreeEntry } from '../ozone-simulator/change.ts';
import { type SimulatedOzone, simulateInMemory } from '../ozone-simulator/simulator.ts';
import type { Watch } from '../ozone-simulator/universe.ts';
import { type Ended, Executions, type Functions, type Moment, type Work } from './execution.ts';
import { type HostOptions, InProcessHost } from './host.ts';
import { type Command, eventOf, InProcessRunCommand } from './run-command.ts';

const SOURCE_HOST = 'i-0aaaaaaaaaaaaaaa0';
const REPLICA_HOST = 'mi-0bbbbbbbbbbbbbbb0';
const SECOND_REPLICA_HOST = 'mi-0bbbbbbbbbbbbbbb1';
const NORTH_HOST = 'mi-0ccccccccccccccc0';
/** Where a policy beside the nightly one may copy to. */
export const NORTH = Cluster.parse({ name: 'north', service: 'north', hosts: [NORTH_HOST] });
/** What a command takes in virtual time. */
const COMMAND_MS = 2000;
/** The sweeper's period. */
const SWEEP_MS = 60_000;

export interface LabOptions {
  readonly mode?: PolicyMode;
  /** `volume/bucket` each; made empty on both clusters. */
  readonly buckets?: readonly string[];
  readonly layout?: 'FILE_SYSTEM_OPTIMIZED' | 'LEGACY';
  /** Epoch milliseconds. */
  readonly from?: number;
  readonly around?: HostOptions['around'];
  /** The policy's level, `listing` by default. */
  readonly verification?: string;
  /** False: the policy takes snapshots and copies nothing. */
  readonly hasReplica?: boolean;
  /** The replica has two hosts, each with a place for one long command. */
  readonly hasNarrowHosts?: boolean;
  /** What the policy keeps; nothing is deleted without. */
  readonly retention?: object | null;
  /** Other limits than the usual ones, as a policy has them. */
  readonly limits?: Partial<Policy['limits']>;
  readonly failover?: Policy['failover'];
  readonly policyHooks?: Policy['hooks'];
  /** Programs that every host allows around a snapshot. */
  readonly hooks?: HostOptions['hooks'];
  /** Policies beside the nightly one; a third cluster that they name is called `north`. */
  readonly beside?: (nightly: Policy) => readonly Policy[];
  /** Stands between the use cases and what they call (ports, hosts, clusters), to see it or to let it fail. */
  readonly between?: Between;
  /** Sees every effect inside `ozone` and `hadoop`, and may let the program die there. */
  readonly watch?: Watch;
}

/** @param name of the dependency, such as `ledger`. @returns what takes the place of `port` */
export type Between = <P extends object>(name: string, port: P) => P;

export type Side = 'source' | 'replica';

/** How one execution ended, and the steps of its run so far. */
export type BackupResult = Ended & { readonly steps: readonly RunStep[] };

/** The changes and the content of one side of a bucket. */
export interface Content {
  change(changes: readonly Change[], bucket?: string): void;
}

/** Rules that leave much to prune, every night. */
export const FEW_POINTS = {
  zone: 'UTC',
  source: { keepLast: 2 },
  replica: { keepLast: 3 },
  graceHours: 24,
  coolingOffHours: 0,
  cron: '30 4 * * ? *',
};

/** The product's use cases over stores, hosts and clusters in this process, in virtual time. */
export class Lab {
  readonly ozone: SimulatedOzone;
  readonly ledger: Ledger = memoryLedger();
  readonly operations: OperationStore = memoryOperations();
  readonly plans = memoryPlans();
  readonly selections = memorySelections();
  readonly records: Records = memoryRecords();
  readonly executions: Executions;
  readonly runCommand: InProcessRunCommand;
  readonly source: Content;
  readonly replica: Content;
  readonly functions: Functions;
  /** What a schedule does before the runs of its buckets: it also notes the version of the policy. */
  readonly expand: () => ReturnType<ReturnType<typeof expandPolicy>>;
  /** A person decides about the first bucket, in the words of `record-decision`. */
  readonly decide: (words: string, by?: string) => ReturnType<ReturnType<typeof recordDecision>>;
  readonly settle: (event: unknown) => Promise<unknown>;
  readonly sweep: () => Promise<unknown>;
  /** What runs that begin from now on prove of a copy. */
  verification: string;
  /** What runs that begin from now on keep. */
  retention: object | null;
  readonly #bucket: string;
  readonly #pairOf: (bucket: string) => PairId;
  #now: EpochMs;
  #started = 0;

  constructor({
    mode = 'incremental-or-resync',
    buckets = ['sales/orders'],
    layout = 'FILE_SYSTEM_OPTIMIZED',
    from = Date.UTC(2030, 0, 1),
    around,
    hasReplica = true,
    hasNarrowHosts = false,
    verification = 'listing',
    between = (_, port) => port,
    watch,
    limits = {},
    failover = { restrict: false },
    retention = null,
    beside = () => [],
    hooks,
    policyHooks = { before: null, after: null },
  }: LabOptions = {}) {
    this.#now = epochMs(from);
    this.verification = verification;
    this.retention = retention;
    this.#bucket = buckets[0] ?? '';
    this.#pairOf = (bucket) => PairId.parse(`prod/${bucket}#${hasReplica ? 'dr' : 'local'}`);
    const services = ['prod', 'dr', 'north'];
    this.ozone = between('ozone', simulateInMemory(services, watch));
    this.advance(0);
    for (const service of services) {
      for (const bucket of buckets) {
        const volume = bucket.split('/')[0] ?? '';
        this.ozone.run('ozone', ['sh', 'volume', 'create', `o3://${service}/${volume}`]);
        this.#ozone('sh', 'bucket', 'create', '-l', layout, `o3://${service}/${bucket}`);
      }
    }
    const clock = { now: () => this.#now };
    const host = (name: string) =>
      between(
        'host',
        new InProcessHost({
          ozone: this.ozone,
          name,
          now: () => this.#now,
          selectionAt: (url) => this.selections.selections.get(url.replace('https://selections.example/', '')),
          ...(around ? { around } : {}),
          ...(hooks ? { hooks } : {}),
        }),
      );
    this.runCommand = new InProcessRunCommand({
      [SOURCE_HOST]: host('source-edge'),
      [REPLICA_HOST]: host('replica-edge'),
      [SECOND_REPLICA_HOST]: host('second-replica-edge'),
      [NORTH_HOST]: host('north-edge'),
    });
    this.executions = new Executions(() => this.#now);
    const content = (service: string): Content => ({
      change: (changes, bucket = this.#bucket) => this.ozone.change(`ofs://${service}/${bucket}`, changes),
    });
    this.source = content('prod');
    this.replica = content('dr');

    const ledger = between('ledger', this.ledger);
    const operations = between('operations', this.operations);
    const records = between('records', this.records);
    const edge = between('edge', this.runCommand);
    const callbacks = between('callbacks', this.executions);
    const selections = between('selections', this.selections);
    const start = (blastRadius: BlastRadius) =>
      startOperation({
        ledger,
        operations,
        edge,
        callbacks,
        selections,
        clock,
        document: {
          name: blastRadius,
          doctor: blastRadius,
          look: blastRadius,
          batch: blastRadius,
          yarn: blastRadius,
          blastRadius,
        },
      });
    const plans = between('plans', this.plans);
    const dr = { name: 'dr', service: 'dr', hosts: [REPLICA_HOST] };
    const narrow = { ...dr, hosts: [REPLICA_HOST, SECOND_REPLICA_HOST], workers: 3 };
    const policy = () =>
      policyOf(mode, buckets, hasReplica ? (hasNarrowHosts ? narrow : dr) : null, {
        verification: this.verification,
        limits,
        failover,
        hooks: policyHooks,
        retention: this.retention,
      });
    const policies = () => [policy(), ...beside(policy())];
    this.functions = {
      openRun: (event) => {
        return openRun({ policies: policies(), ledger, workflow: callbacks, clock })(event);
      },
      decide: decideNext({ ledger, operations, records, clock }),
      decidePrune: (event) =>
        decidePruneNext({
          policies: policies(),
          ledger,
          operations,
          plans,
          outputs: this.runCommand.outputs,
          records,
          clock,
        })(event),
      openBatch: (event) => openBatch({ policies: policies(), ledger, workflow: callbacks, clock })(event),
      decideBatch: decideBatch({ ledger, operations, records, clock }),
      recordBatch: recordBatch({ ledger, records, clock }),
      openRestore: (event) =>
        openRestore({ policies: policies(), ledger, plans, selections, workflow: callbacks, clock })(event),
      decideRestore: decideRestoreNext({ ledger, operations, plans, clock }),
      condemn: condemnPoints({ ledger, plans, records, clock }),
      start: {
        observe: start('observe'),
        protect: start('protect'),
        destroy: start('destroy'),
        restore: start('restore'),
      },
      recordOutcome: recordOutcome({ ledger, records, clock }),
      recordFailure: recordFailure({ ledger, records, clock }),
    };
    this.expand = () =>
      expandPolicy({
        policies: policies(),
        ledger,
        operations,
        pairs: noPairs,
        lists: memoryFleetLists(),
        records,
        clock,
      })({
        request: { policy: 'nightly' },
        execution: 'fleet',
        startedAt: new Date(this.#now).toISOString(),
      });
    let decisions = 0;
    this.decide = (words, by = 'ann') => {
      decisions += 1;
      const request = { policy: 'nightly', bucket: this.#bucket, decision: words, by, reason: 'an audit' };
      const startedAt = new Date(this.#now).toISOString();
      return recordDecision({ policies: policies(), ledger, operations, records, workflow: callbacks, clock })({
        request,
        execution: `decision-${decisions}`,
        startedAt,
      });
    };
    this.settle = settleOperation({ operations, edge, callbacks });
    this.sweep = sweepOperations({
      policies: [policy()],
      operations,
      ledger,
      edge,
      callbacks,
      workflow: callbacks,
      clock,
      report: () => undefined,
    });
  }

  #ozone(...argv: readonly string[]): void {
    const { exit, stderr } = this.ozone.run('ozone', argv);
    if (exit !== 0) throw new Error(`ozone ${argv.join(' ')}: ${stderr}`);
  }

  get now(): EpochMs {
    return this.#now;
  }

  /** Lets time pass, on the clusters too. */
  advance(ms: number): void {
    this.#now = epochMs(this.#now + ms);
    this.ozone.setClock({ now: this.#now, skewMs: {} });
  }

  /** Lets the host of a command work, which takes its time. */
  deliver(command: Command): void {
    this.advance(COMMAND_MS);
    this.runCommand.deliver(command);
  }

  /** An execution of the state machine that somebody else drives. */
  start(
    slot: string,
    bucket = this.#bucket,
    functions = this.functions,
    work: Work = 'backup',
  ): AsyncGenerator<Moment, Ended> {
    return this.startWith({ bucket, slot }, functions, work);
  }

  /** The same with any request: what is missing of it is what every request has. */
  startWith(request: object, functions = this.functions, work: Work = 'restore'): AsyncGenerator<Moment, Ended> {
    this.#started += 1;
    const common = {
      policy: 'nightly',
      bucket: this.#bucket,
      ...(['restore', 'failover', 'failback'].includes(work) ? { by: 'ann', reason: 'a test' } : {}),
    };
    return this.executions.play(functions, this.newestExecution, { ...common, ...request }, work);
  }

  /** An execution for several buckets, as the fleet starts it. */
  startBatch(
    slot: string,
    buckets: readonly string[],
    functions = this.functions,
    policy = 'nightly',
  ): AsyncGenerator<Moment, Ended> {
    this.#started += 1;
    const runs = buckets.map((bucket) => ({ bucket, name: `${policy}-${bucket.replace('/', '-')}` }));
    return this.executions.play(functions, this.newestExecution, { policy, slot, runs }, 'backup-batch');
  }

  /** Name of the execution that was started last. */
  get newestExecution(): string {
    return `execution-${this.#started}`;
  }

  /** Plays a whole execution, alone; events arrive at once, and the sweeper finds what they did not tell. */
  backUp(slot: string, bucket = this.#bucket): Promise<BackupResult> {
    return this.play(this.start(slot, bucket));
  }

  /** The same for a prune. */
  prune(slot: string, bucket = this.#bucket): Promise<BackupResult> {
    return this.play(this.start(slot, bucket, this.functions, 'prune'));
  }

  /** The same for a restore. @param request point, scope, target and the like, as a person gives them */
  restore(request: object): Promise<BackupResult> {
    return this.play(this.startWith(request));
  }

  /** Plans a restore, and does it with the words that the plan asks for. */
  async restoreConfirmed(request: object): Promise<BackupResult> {
    const planned = await this.restore(request);
    const plan = planned.status === 'SUCCEEDED' ? RestorePlanned.safeParse(planned.output).data : undefined;
    return plan ? this.restore({ ...request, plan: plan.plan, confirmation: plan.confirmation }) : planned;
  }

  /** The same for a drill. */
  drill(request: object = {}): Promise<BackupResult> {
    return this.play(this.startWith(request, this.functions, 'drill'));
  }

  /** The same for a failover. */
  failover(request: object): Promise<BackupResult> {
    return this.play(this.startWith(request, this.functions, 'failover'));
  }

  /** Plans a failover or a failback, and does it with the words that the plan asks for. */
  async confirmed(work: 'failover' | 'failback', request: object): Promise<BackupResult> {
    const start = (asked: object) => this.play(this.startWith(asked, this.functions, work));
    const planned = await start(request);
    const plan = planned.status === 'SUCCEEDED' ? RestorePlanned.safeParse(planned.output).data : undefined;
    return plan ? start({ ...request, plan: plan.plan, confirmation: plan.confirmation }) : planned;
  }

  async play(execution: AsyncGenerator<Moment, Ended>): Promise<BackupResult> {
    for (;;) {
      const next = await execution.next();
      if (next.done) {
        const known = next.value.runId ? await this.ledger.loadRun(next.value.runId) : undefined;
        return { ...next.value, steps: known?.steps ?? [] };
      }
      await this.#meanwhile(next.value);
    }
  }

  /** Plays executions side by side: whenever all of them wait, hosts work and time passes until one goes on. */
  async playTogether(executions: readonly AsyncGenerator<Moment, Ended>[]): Promise<readonly BackupResult[]> {
    const ended = new Map<AsyncGenerator<Moment, Ended>, BackupResult>();
    const wakesAt = new Map<AsyncGenerator<Moment, Ended>, number>();
    while (ended.size < executions.length) {
      let isMoving = false;
      for (const execution of executions) {
        if (ended.has(execution) || (wakesAt.get(execution) ?? 0) > this.#now) continue;
        const next = await execution.next();
        if (next.done) {
          const known = next.value.runId ? await this.ledger.loadRun(next.value.runId) : undefined;
          ended.set(execution, { ...next.value, steps: known?.steps ?? [] });
        } else if (next.value.kind === 'wait') wakesAt.set(execution, this.#now + next.value.seconds * 1000);
        isMoving ||= next.done === true || next.value.kind === 'entered';
      }
      if (isMoving) continue;
      const commands = this.runCommand.pending();
      for (const command of commands) {
        this.deliver(command);
        await this.settle(eventOf(command));
      }
      if (commands.length === 0) this.advance(1000);
    }
    return executions.flatMap((execution) => ended.get(execution) ?? []);
  }

  async #meanwhile(moment: Moment): Promise<void> {
    switch (moment.kind) {
      case 'entered':
        return;
      case 'wait':
        return this.advance(moment.seconds * 1000);
      case 'token': {
        const [command] = this.runCommand.pending();
        if (command) {
          this.deliver(command);
          await this.settle(eventOf(command));
        } else {
          this.advance(SWEEP_MS);
          await this.sweep();
        }
      }
    }
  }

  tree(side: Side, snapshot?: string, bucket = this.#bucket): ReadonlyMap<string, TreeEntry> {
    const root = `ofs://${side === 'source' ? 'prod' : 'dr'}/${bucket}`;
    return this.ozone.tree(snapshot === undefined ? root : `${root}/.snapshot/${snapshot}`);
  }

  /** The active snapshots of a side, oldest first. */
  snapshots(side: Side, bucket = this.#bucket): ReturnType<SimulatedOzone['snapshots']> {
    return this.ozone.snapshots(`ofs://${side === 'source' ? 'prod' : 'dr'}/${bucket}`);
  }

  /** Of the first bucket. */
  get pairId(): PairId {
    return this.#pairOf(this.#bucket);
  }

  pair(bucket = this.#bucket): Promise<PairState> {
    return this.ledger.loadPair(this.#pairOf(bucket));
  }

  points(bucket = this.#bucket): Promise<readonly RecoveryPoint[]> {
    return this.ledger.recentPoints(this.#pairOf(bucket), 100);
  }
}

const policyOf = (
  mode: PolicyMode,
  buckets: readonly string[],
  replica: object | null,
  given: {
    verification: string;
    limits: object;
    failover: Policy['failover'];
    hooks: Policy['hooks'];
    retention: object | null;
  },
): Policy =>
  Policy.parse({
    name: 'nightly',
    source: { name: 'prod', service: 'prod', hosts: [SOURCE_HOST] },
    replica,
    buckets,
    schedules: [],
    mode,
    ...given,
    drills: replica ? { cron: '0 5 * * ? *', zone: 'Etc/UTC', within: 30 * 86_400 } : null,
    objectives: { rpo: 26 * 3600, rto: 4 * 3600 },
    limits: { maps: 4, bandwidthMBps: null, copyTimeout: 6 * 3600, diffTimeout: 3600, attempts: 3, ...given.limits },
  });
