import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { CancelCommandCommand, SSMClient } from '@aws-sdk/client-ssm';
import {
  type BackupResult,
  type Deployment,
  type DeploymentOptions,
  deploy,
  REPLICA_HOST,
  SOURCE_HOST,
} from '../fixtures/deployment.ts';
import type { Command } from '../local-cloud/index.ts';
import { type Daemon, daemons, type Service, services } from '../ozone-cluster/configuration.ts';
import type { OzoneClusters } from '../ozone-cluster/ozone-clusters.ts';
import { sharedClusters } from '../ozone-cluster/shared.ts';
import { type HostProcess, processesOf, signal, unreadBytes } from './crash-processes.ts';

/** Limits of the test's policies: `slow` and `yarn` make a copy last long enough to be met in the middle, `hasty` never tries twice. */
const LIMITS = {
  slow: '{ maps: 1, bandwidthMBps: 1 }',
  quick: '{ maps: 1 }',
  hasty: '{ maps: 1, attempts: 1 }',
  yarn: '{ maps: 1, bandwidthMBps: 1, yarn: { queue: backup } }',
  queueless: '{ maps: 1, yarn: { queue: nosuch } }',
} as const;
export type PolicyKind = keyof typeof LIMITS;

const policies = (buckets: ReadonlyMap<string, PolicyKind>, replicaHosts: readonly string[]): string => `
clusters:
  prod: { service: prod, hosts: [${SOURCE_HOST}] }
  dr: { service: dr, hosts: [${replicaHosts.join(', ')}] }
policies:
${Object.entries(LIMITS)
  .map(
    ([kind, limits]) => [kind, limits, [...buckets].filter(([, of]) => of === kind).map(([bucket]) => bucket)] as const,
  )
  .filter(([, , names]) => names.length > 0)
  .map(
    ([kind, limits, names]) => `  ${kind}:
    { source: prod, replica: dr, buckets: [${names.join(', ')}], schedules: [], objectives: { rpo: 26h, rto: 4h }, limits: ${limits} }
`,
  )
  .join('')}`;

/** One run of the backup as this test saw it. */
export interface Told {
  readonly slot: string;
  /** `verified`, or the name of the error. */
  readonly end: string;
  /** Modes of its copies, in order. */
  readonly modes: readonly string[];
  readonly seconds: number;
}

/** A remote command on its host. */
export interface Operation {
  readonly id: string;
  readonly command: Command;
  /** Its folder on the host. */
  readonly folder: string;
}

export interface Stage {
  readonly clusters: OzoneClusters;
  readonly deployment: Deployment;
  scene(bucket: string, policy: PolicyKind): Scene;
  /** Starts again whatever a failed place left dead. */
  heal(): Promise<void>;
  close(): Promise<void>;
}

export interface StageOptions {
  /** The shared pair unless given. */
  readonly clusters?: OzoneClusters;
  readonly hostConfig?: Readonly<Record<string, string>>;
  /** One unless given. */
  readonly replicaHosts?: readonly string[];
  /** The machine's unless given. */
  readonly clock?: NonNullable<DeploymentOptions['clock']>;
}

/** Two real clusters, and the whole product deployed over them for these buckets, which are empty on both sides. */
export const openStage = async (
  buckets: ReadonlyMap<string, PolicyKind>,
  { replicaHosts = [REPLICA_HOST], ...options }: StageOptions = {},
): Promise<Stage> => {
  const hosts = [SOURCE_HOST, ...replicaHosts];
  const directory = mkdtempSync(join(tmpdir(), 'ozone-dr-crash-'));
  const clusters = options.clusters ?? (await sharedClusters());
  const stateOf = (host: string): string => join(directory, `${host}.conf.state`);
  const create = [...new Set([...buckets.keys()].map((bucket) => bucket.split('/')[0]))]
    .map((volume) => ['volume create', volume])
    .concat([...buckets.keys()].map((bucket) => ['bucket create -l FILE_SYSTEM_OPTIMIZED', bucket]));
  for (const service of services)
    await clusters.ozone(
      'sh',
      ...create.flatMap(([command, name]) => ['--execute', `${command} o3://${service}/${name}`]),
    );
  const deployment = await deploy({
    clusters: { ...clusters, hostConfig: (path, more) => clusters.hostConfig(join(directory, basename(path)), more) },
    policies: policies(buckets, replicaHosts),
    hosts,
    ...(options.hostConfig ? { hostConfig: options.hostConfig } : {}),
    ...(options.clock ? { clock: options.clock } : {}),
  });
  const client = new SSMClient(deployment.cloud.clientSettings);
  return {
    clusters,
    deployment,
    scene: (bucket, policy) =>
      new Scene({ clusters, deployment, states: hosts.map(stateOf), stateOf, client, bucket, policy }),
    heal: async () => {
      const all = services.flatMap((service) => (['scm', 'om', 'dn'] as const).map((daemon) => ({ service, daemon })));
      const pids = await Promise.all(all.map(({ service, daemon }) => clusters.pid(service, daemon)));
      const dead = all.filter((_, i) => pids[i] === undefined);
      for (const { service, daemon } of dead) await clusters.restart(service, daemon);
      if (dead.length > 0) await clusters.ready(...services);
    },
    close: async () => {
      client.destroy();
      await deployment.close();
      for (const { pid } of processesOf(hosts.map(stateOf))) signal(pid, 'SIGKILL');
      rmSync(directory, { recursive: true, force: true });
    },
  };
};

interface Props {
  readonly clusters: OzoneClusters;
  readonly deployment: Deployment;
  readonly stateOf: (host: string) => string;
  /** Those of all hosts. */
  readonly states: readonly string[];
  readonly client: SSMClient;
  readonly bucket: string;
  readonly policy: PolicyKind;
}

const PATIENCE_MS = 180_000;

/** One bucket, the runs that it gets, and the moments and blows of one place. */
export class Scene {
  readonly clusters: OzoneClusters;
  readonly deployment: Deployment;
  readonly client: SSMClient;
  readonly bucket: string;
  readonly source: string;
  readonly replica: string;
  readonly told: Told[] = [];
  /** Every point that the ledger ever called verified. */
  readonly verified = new Set<string>();
  /** How many of the runs came before the place itself. */
  preparing = 0;
  readonly #props: Props;
  readonly #seen = new Set<string>();
  /** Steps of each slot's run that earlier executions took. */
  readonly #steps = new Map<string, number>();
  #slots = 0;
  #running = 0;

  constructor(props: Props) {
    this.#props = props;
    this.clusters = props.clusters;
    this.deployment = props.deployment;
    this.client = props.client;
    this.bucket = props.bucket;
    this.source = `ofs://prod/${props.bucket}`;
    this.replica = `ofs://dr/${props.bucket}`;
  }

  // ------------------------------------------------------------ runs

  /** Backs the bucket up for the next slot (an hour after the one before), or for the last one once more. */
  async run(which: 'next slot' | 'same slot' = 'next slot'): Promise<BackupResult> {
    if (which === 'next slot') this.#slots += 1;
    const slot = new Date(Date.UTC(2026, 10, 1, this.#slots)).toISOString();
    this.#running += 1;
    try {
      const result = await this.deployment.backUp({ policy: this.#props.policy, bucket: this.bucket, slot });
      const steps = result.steps.slice(this.#steps.get(slot) ?? 0);
      this.#steps.set(slot, result.steps.length);
      for (const { n, decision, observed } of steps)
        this.story.push(
          `${slot} ${n} ${decision.kind}: ${decision.reason} -> ${JSON.stringify(observed)?.slice(0, 400)}`,
        );
      this.story.push(`${slot} ${result.status} ${result.error ?? ''} ${result.cause ?? ''}`);
      const points = await this.deployment.points(this.bucket);
      for (const { name, state } of points) if (state === 'verified') this.verified.add(name);
      const done = result.output?.kind === 'verified' ? 'verified' : String(result.output?.error ?? result.status);
      this.told.push({
        slot,
        end: result.status === 'SUCCEEDED' ? done : (result.error ?? result.status),
        modes: steps.flatMap(({ decision }) => (decision.kind === 'replicate' ? [decision.mode] : [])),
        seconds: result.seconds,
      });
      return result;
    } finally {
      this.#running -= 1;
    }
  }

  /** What each run decided and why, and what came of it: for the log of a place that failed. */
  readonly story: string[] = [];

  isVerified(): boolean {
    return this.told.at(-1)?.end === 'verified';
  }

  /** What was run until now only prepares the place. */
  prepared(): void {
    this.preparing = this.told.length;
  }

  /** A run, with something that happens beside it. A blow that never finds its moment fails when the run is over. */
  async runBeside(strike: () => Promise<void>, which: 'next slot' | 'same slot' = 'next slot'): Promise<BackupResult> {
    for (const { id } of this.#commands()) this.#seen.add(id);
    // The run is waited for also when the blow failed: the next place wants the clusters for itself.
    const [run, blow] = await Promise.allSettled([this.run(which), strike()]);
    if (blow.status === 'rejected') throw blow.reason;
    if (run.status === 'rejected') throw run.reason;
    return run.value;
  }

  // ------------------------------------------------------------ moments

  /** Looks every few ms, or every `everyMs`, until there is something; rejects when the run beside it has ended without. */
  async until<T>(what: string, look: () => T | undefined | Promise<T | undefined>, everyMs = 5): Promise<T> {
    for (const deadline = Date.now() + PATIENCE_MS; Date.now() < deadline; await sleep(everyMs)) {
      const isLast = this.#running === 0;
      const found = await look();
      if (found !== undefined) return found;
      if (isLast) throw new Error(`the run was over before: ${what}`);
    }
    throw new Error(`never seen: ${what}`);
  }

  #commands(): readonly Command[] {
    return this.deployment.cloud
      .commands()
      .filter(({ parameters }) => parameters.source?.[0] === `prod/${this.bucket}`);
  }

  /** The next remote command of this verb that was sent since the run began and was not given out yet. */
  async operation(verb: string): Promise<Operation> {
    const command = await this.until(`a command ${verb}`, () =>
      this.#commands().find(({ id, parameters }) => parameters.verb?.[0] === verb && !this.#seen.has(id)),
    );
    this.#seen.add(command.id);
    const id = command.parameters.operation?.[0] ?? '';
    const host = command.invocations[0]?.host.definition.id ?? '';
    return { id, command, folder: join(this.#props.stateOf(host), 'operations', id) };
  }

  /** What distcp has written so far; empty before it began. */
  log({ folder }: Operation): string {
    try {
      return readFileSync(join(folder, 'distcp.log'), 'utf8');
    } catch {
      return '';
    }
  }

  /** distcp is in the middle of its copies: so many files were begun, and it has not ended. */
  async copying(operation: Operation, files: number): Promise<void> {
    await this.until(`${files} files begun by distcp`, () => {
      const log = this.log(operation);
      if (log.includes('completed successfully')) throw new Error(`distcp ended before ${files} files were met`);
      return (log.match(/CopyMapper: Copying /g)?.length ?? 0) >= files || undefined;
    });
  }

  /** The replica bucket holds distcp's folder with so many entries moved into it: the sync is in the middle. */
  async syncing(moved: number): Promise<void> {
    await this.clusters.appears(this.replica, '.distcp.diff.tmp', moved);
  }

  /** The blow met the sync: what was moved is still in distcp's folder, and no file was begun. */
  async leftInSync(operation: Operation): Promise<void> {
    if (this.log(operation).includes('CopyMapper: Copying ')) throw new Error('the sync was over before the blow');
    await this.clusters.appears(this.replica, '.distcp.diff.tmp', 1);
  }

  /** A process of the operation whose command line matches. */
  async process({ id }: Operation, pattern: RegExp): Promise<HostProcess> {
    return this.until(`a process ${pattern}`, () =>
      this.processes().find((it) => it.operation === id && !it.isScript && pattern.test(it.command)),
    );
  }

  /** A new line of a manager's log that matches, from the moment of the call on. */
  managerLogs(service: Service, pattern: RegExp): Promise<void> {
    const file = join(this.clusters.logs, `${service}-om.log`);
    const from = readFileSync(file).length;
    return this.until(`the ${service} manager logs ${pattern}`, async () =>
      pattern.test((await readFile(file)).subarray(from).toString()) ? true : undefined,
    ).then(() => undefined);
  }

  /** A manager has just applied a snapshot of ours of this bucket; its checkpoint may not be written, nobody was told. */
  hasSnapshot(service: Service): Promise<void> {
    return this.managerLogs(service, new RegExp(`Created snapshot: 'odr-[^\\n]*'${this.bucket}'`));
  }

  /** The command is over, as Run Command says. */
  async ended({ id, command }: Operation): Promise<string> {
    return this.until(`the end of ${id}`, () =>
      ['Pending', 'InProgress', 'Cancelling'].includes(command.status) ? undefined : command.status,
    );
  }

  // ------------------------------------------------------------ blows

  processes(): readonly HostProcess[] {
    return processesOf(this.#props.states);
  }

  /** distcp with all of its group (`timeout` too), or its JVM alone. */
  async killDistcp({ id }: Operation, name: NodeJS.Signals, what: 'group' | 'java'): Promise<void> {
    const found = this.processes().find((it) => it.operation === id && it.command.includes('.tools.DistCp'));
    if (!found) throw new Error(`no distcp of ${id} to kill`);
    signal(what === 'group' ? -found.group : found.pid, name);
  }

  /** The script and the shell commands that it waits for, as an agent or the kernel would kill them; not its distcp. */
  async killScript({ id }: Operation): Promise<void> {
    const found = this.processes().filter((it) => it.operation === id && it.isScript);
    if (found.length === 0) throw new Error(`no script of ${id} to kill`);
    for (const group of new Set(found.map((it) => it.group))) signal(-group, 'SIGKILL');
  }

  /** Holds the script where it is; what it has started goes on, but it will not hear of it. */
  async stopScript({ id }: Operation): Promise<void> {
    for (const { pid, operation, isScript } of this.processes())
      if (operation === id && isScript) signal(pid, 'SIGSTOP');
  }

  async killAll({ id }: Operation): Promise<void> {
    for (const { pid, operation } of this.processes()) if (operation === id) signal(pid, 'SIGKILL');
  }

  /** As a person in the console of Run Command does. */
  async cancel({ command }: Operation): Promise<void> {
    await this.client.send(new CancelCommandCommand({ CommandId: command.id }));
  }

  /** As a person in the console of Step Functions does; then the sweeper looks, as it does every minute. */
  async stopExecution(): Promise<void> {
    const { cloud } = this.deployment;
    const running = cloud
      .executions('ozone-dr-backup')
      .find(({ status, input }) => status === 'RUNNING' && JSON.stringify(input).includes(`"${this.bucket}"`));
    if (!running) throw new Error('no execution to stop');
    cloud.stepFunctions.stop(running, 'Stopped', 'by a person');
    await cloud.fireSchedule('sweep-operations', new Date());
  }

  /** Stops a manager from working (its port still accepts) and kills it once somebody has asked it something. */
  async killWithRequest(service: Service): Promise<void> {
    const pid = await this.clusters.pid(service, 'om');
    if (pid === undefined) throw new Error(`no manager of ${service} to kill`);
    signal(pid, 'SIGSTOP');
    try {
      const port = this.clusters.managerPort(service);
      await this.until(`a request to ${service}`, async () => ((await unreadBytes(port)) > 0 ? true : undefined));
    } finally {
      await this.clusters.kill(service, 'om');
    }
  }

  /** Starts daemons that were killed, or ends and starts them; waits until the service takes writes. */
  async restart(service: Service, ...which: readonly Daemon[]): Promise<void> {
    for (const daemon of which) await this.clusters.restart(service, daemon);
    await this.clusters.ready(service);
  }

  async killCluster(service: Service): Promise<void> {
    await Promise.all(daemons.map((daemon) => this.clusters.kill(service, daemon)));
  }

  // ------------------------------------------------------------ what is left

  /** Rejects when a process of an operation of this bucket outlives the runs by more than a moment. */
  async nothingRuns(): Promise<void> {
    const ours = new Set(this.#commands().flatMap(({ parameters }) => parameters.operation ?? []));
    const look = () => this.processes().filter(({ operation }) => ours.has(operation));
    let left = look();
    for (const deadline = Date.now() + 10_000; left.length > 0 && Date.now() < deadline; left = look()) await sleep(50);
    if (left.length > 0)
      throw new Error(`still running: ${left.map((it) => `${it.operation} ${it.command.slice(0, 300)}`).join('; ')}`);
  }

  /** Snapshots of the replica that are no recovery points: temporary ones that nobody has removed yet. */
  async strangeSnapshots(): Promise<readonly string[]> {
    const listed: unknown = JSON.parse(
      await this.clusters.ozone('sh', 'snapshot', 'list', '--all', `o3://dr/${this.bucket}`),
    );
    const names = Array.isArray(listed) ? listed.filter((it) => it.snapshotStatus === 'SNAPSHOT_ACTIVE') : [];
    return names.map((it) => String(it.name)).filter((name) => !name.startsWith(`odr-${this.#props.policy}-`));
  }
}
