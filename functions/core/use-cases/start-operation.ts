import * as z from 'zod';
import type { LookedPoint, OperationStep } from '../domain/backup-step.ts';
import { isOperation } from '../domain/backup-step.ts';
import { MOST_IN_BATCH } from '../domain/batch.ts';
import type { BackupRun, PairPatch, PairState } from '../domain/ledger.ts';
import { type BucketRef, OperationId, RunId } from '../domain/names.ts';
import { type BlastRadius, DELIVERY, EdgeParameters, type Operation } from '../domain/operation.ts';
import type { Cluster, Hook } from '../domain/policy.ts';
import type { RestoreTask } from '../domain/restore.ts';
import { PlanHash, type Side } from '../domain/retention.ts';
import { type EpochMs, later, seconds } from '../domain/units.ts';
import { DrError, isDrError } from '../errors.ts';
import { batchSeconds, copyLifetime, executionSeconds } from '../planner/steps.ts';
import type { Clock, EdgeHost, Ledger, OperationStore, Selections, TaskCallbacks } from '../ports.ts';
import { inParallel } from './in-parallel.ts';
import { operationId } from './operation-id.ts';
import { parseEvent } from './parse-event.ts';
import { endOperation, notify } from './settle-operation.ts';

const OfRun = {
  runId: RunId,
  lease: z.number().int().positive(),
  operationStep: z.number().int().nonnegative(),
};
const StartEvent = z.strictObject({ ...OfRun, taskToken: z.string().min(1) });

/** One command for operations of several runs: of one kind, for one host. */
const StartBatchEvent = z.strictObject({
  operation: OperationId,
  members: z.array(z.strictObject(OfRun)).min(1).max(MOST_IN_BATCH),
  taskToken: z.string().min(1),
});
type StartBatch = z.infer<typeof StartBatchEvent>;

export interface StartDependencies {
  readonly ledger: Pick<Ledger, 'loadRun' | 'raiseFence'>;
  readonly operations: OperationStore;
  readonly edge: Pick<EdgeHost, 'send' | 'find'>;
  readonly callbacks: TaskCallbacks;
  /** Of a list of paths; where a host can read it for a short time. */
  readonly selections: Pick<Selections, 'urlOf'>;
  readonly clock: Clock;
  /** That of the blast radius, and those beside it. */
  readonly document: {
    readonly name: string;
    readonly doctor: string;
    readonly look: string;
    readonly batch: string;
    readonly yarn: string;
    readonly blastRadius: BlastRadius;
  };
}

const VERBS = {
  survey: { verb: 'survey', blastRadius: 'observe' },
  'create-snapshot': { verb: 'snapshot', blastRadius: 'protect' },
  'compute-diff': { verb: 'diff', blastRadius: 'observe' },
  'mark-replica': { verb: 'snapshot', blastRadius: 'protect' },
  replicate: { verb: 'replicate', blastRadius: 'protect' },
  'seal-unchanged': { verb: 'seal-unchanged', blastRadius: 'protect' },
  probe: { verb: 'probe', blastRadius: 'observe' },
  verify: { verb: 'verify', blastRadius: 'observe' },
  'create-replica': { verb: 'create-bucket', blastRadius: 'protect' },
  tidy: { verb: 'tidy', blastRadius: 'destroy' },
  delete: { verb: 'delete', blastRadius: 'destroy' },
  examine: { verb: 'examine', blastRadius: 'observe' },
  'create-target': { verb: 'create-bucket', blastRadius: 'restore' },
  'safety-snapshot': { verb: 'snapshot', blastRadius: 'restore' },
  restore: { verb: 'restore', blastRadius: 'restore' },
  compare: { verb: 'compare', blastRadius: 'observe' },
  'measure-divergence': { verb: 'divergence', blastRadius: 'observe' },
  restrict: { verb: 'restrict', blastRadius: 'restore' },
  'remove-scratch': { verb: 'remove-scratch', blastRadius: 'restore' },
  'look-versions': { verb: 'versions', blastRadius: 'observe' },
  'look-changes': { verb: 'changes', blastRadius: 'observe' },
  'list-buckets': { verb: 'buckets', blastRadius: 'observe' },
  'check-host': { verb: 'doctor', blastRadius: 'any' },
} as const satisfies Record<
  OperationStep['kind'],
  { readonly verb: EdgeParameters['verb']; readonly blastRadius: BlastRadius | 'any' }
>;

const radiusOf = (step: OperationStep): BlastRadius | 'any' =>
  step.kind === 'check-host' ? step.radius : VERBS[step.kind].blastRadius;

const path = (cluster: Cluster | null, run: BackupRun): string => (cluster ? `${cluster.service}/${run.bucket}` : '');

type RestoreStep = Extract<
  OperationStep,
  { kind: 'examine' | 'create-target' | 'safety-snapshot' | 'restore' | 'compare' | 'restrict' | 'remove-scratch' }
>;

/** For the host a restore has the copy of the point as its source and the target as its replica. */
const restoreParameters = (
  step: RestoreStep,
  task: RestoreTask,
  lineageBucket: BucketRef,
  common: EdgeParameters,
): EdgeParameters => {
  const target = `${task.target.cluster.service}/${task.target.bucket}`;
  const reading = (side: Side): EdgeParameters => {
    const copy = task.point[side];
    if (!copy) throw new DrError('EventInvalid', `${task.point.name} has no copy on the ${side}`);
    return {
      ...common,
      source: `${copy.cluster.service}/${lineageBucket}`,
      replica: target,
      target: task.point.name,
      targetId: copy.id,
      selection: task.selection ?? '',
      since: task.since?.name ?? '',
      sinceId: task.since?.id ?? '',
    };
  };
  switch (step.kind) {
    case 'examine':
      return reading(step.from);
    case 'create-target':
      return {
        ...common,
        source: '',
        replica: `${task.target.cluster.service}/${step.bucket}`,
        layout: step.layout,
        replication: step.replication,
        quotaBytes: String(step.quotaBytes),
        quotaNamespace: String(step.quotaNamespace),
        encryptionKey: step.encryptionKey ?? '',
      };
    case 'safety-snapshot':
      return { ...common, source: target, replica: '', target: step.name };
    case 'restore':
      return {
        ...reading(step.from),
        overwrite: step.overwrite,
        deleteExtra: step.deleteExtra ? 'yes' : 'no',
        targetCreated: step.targetCreated,
        copySeconds: String(step.copySeconds),
        // Restores into one bucket may come from hosts of any order: a fence file that is not there is none.
        fenceSeed: 'yes',
      };
    case 'compare':
      return {
        ...reading(step.against),
        // What people write to: of a planned failover what they leave, of a failback what they left.
        ...(step.of === 'primary'
          ? {
              replica: `${(task.failover?.from ?? task.target.cluster).service}/${lineageBucket}`,
              since: '',
              sinceId: '',
            }
          : {}),
        level: step.level,
        exact: step.exact ? 'yes' : 'no',
      };
    case 'restrict':
      return {
        ...common,
        source: '',
        replica: `${step.service}/${lineageBucket}`,
        targetCreated: step.created,
        acls: step.acls?.join(',') ?? '',
      };
    case 'remove-scratch':
      return {
        ...common,
        source: '',
        replica: `${task.target.cluster.service}/${step.bucket}`,
        targetCreated: step.created,
      };
  }
};

/** For the host a look has the side that it reads as its source. */
const lookParameters = (
  step: Extract<OperationStep, { kind: 'look-versions' | 'look-changes' }>,
  run: BackupRun,
  common: EdgeParameters,
): EdgeParameters => {
  const read = { ...common, source: path(run.policy[step.side], run), replica: '' };
  const idOf = (point: LookedPoint): string => {
    const id = point[step.side];
    if (id === null) throw new DrError('EventInvalid', `${point.name} cannot be read on the ${step.side}`);
    return id;
  };
  if (step.kind === 'look-versions')
    return {
      ...read,
      points: step.points.map((point) => `${point.name}=${idOf(point)}`).join(','),
      path64: Buffer.from(step.path).toString('base64'),
    };
  return {
    ...read,
    base: step.from.name,
    baseSourceId: idOf(step.from),
    target: step.to.name,
    targetId: idOf(step.to),
    token: step.token ?? '',
    limit: String(step.limit),
  };
};

const hookText = (hook: Hook | null): string =>
  hook ? `${hook.name}:${hook.timeout}:${hook.fatal ? 'yes' : 'no'}` : '';
/** Steps whose verb is in a document beside that of their blast radius. */
const DOCUMENTS: Partial<Record<OperationStep['kind'], 'doctor' | 'look' | 'batch'>> = {
  'check-host': 'doctor',
  'look-versions': 'look',
  'look-changes': 'look',
  'list-buckets': 'look',
  'measure-divergence': 'look',
  'seal-unchanged': 'batch',
};

const documentOf = (step: OperationStep) =>
  step.kind === 'replicate' && (step.adopts || step.yarn) ? 'yarn' : (DOCUMENTS[step.kind] ?? 'name');

/** Of the parameters without a default those that few verbs need. */
const NO_PARAMETERS = {
  target: '',
  base: '',
  targetId: '',
  baseSourceId: '',
  baseReplicaId: '',
  sealId: '',
  replicaCreated: '',
  mode: '',
  empty: 'no',
  fence: '0',
  fenceSeed: 'no',
  copySeconds: '0',
} as const;

/** What the document is given for a step. `pair` is set for a step that writes the replica, or the target of a restore. */
export const edgeParameters = (
  run: BackupRun,
  step: OperationStep,
  operationId: OperationId,
  pair: PairState | null,
): EdgeParameters => {
  const { limits } = run.policy;
  const common = EdgeParameters.parse({
    ...NO_PARAMETERS,
    operation: operationId,
    verb: VERBS[step.kind].verb,
    source: path(run.policy.source, run),
    replica: path(run.policy.replica, run),
    fence: String(pair?.fence ?? 0),
    fenceSeed: pair?.pinned && !pair.pinned.seeded ? 'yes' : 'no',
    maps: String(limits.maps),
    bandwidth: String(limits.bandwidthMBps ?? 0),
    executionTimeout: String(executionSeconds(step)),
    commandTimeout: String(executionSeconds(step) + 60),
  });
  switch (step.kind) {
    case 'survey':
      return common;
    case 'create-snapshot':
      return {
        ...common,
        target: step.name,
        base: step.base?.name ?? '',
        hookBefore: hookText(run.policy.hooks.before),
        hookAfter: hookText(run.policy.hooks.after),
        policy: run.policy.name,
      };
    case 'compute-diff':
      return {
        ...common,
        ...(step.side === 'replica' ? { source: common.replica, replica: '' } : {}),
        base: step.base.name,
        target: step.target.name,
      };
    case 'mark-replica':
      return { ...common, source: common.replica, replica: '', target: step.name, base: step.base.name };
    case 'replicate':
      return {
        ...common,
        mode: step.mode,
        target: step.target.name,
        targetId: step.target.id,
        base: step.base?.name ?? '',
        baseSourceId: step.base?.sourceId ?? '',
        baseReplicaId: step.base?.replicaId ?? '',
        replicaCreated: step.replicaCreated,
        empty: step.claim ? 'yes' : 'no',
        copySeconds: String(step.copySeconds),
        brake: step.brake === null ? '' : String(step.brake),
        supersedes: step.supersedes ?? '',
        detached: step.detached ? 'yes' : 'no',
        queue: step.yarn?.queue ?? '',
        adopts: step.adopts ?? '',
        narrow: step.narrow ? `${step.narrow.name}=${step.narrow.id}` : '',
      };
    case 'seal-unchanged':
      return {
        ...common,
        target: step.target.name,
        targetId: step.target.id,
        base: step.base.name,
        baseSourceId: step.base.sourceId,
        baseReplicaId: step.base.replicaId,
        replicaCreated: step.replicaCreated,
      };
    case 'probe':
      return { ...common, probed: step.copy };
    case 'verify':
      return {
        ...common,
        target: step.target.name,
        targetId: step.target.id,
        sealId: step.sealId,
        base: step.base?.name ?? '',
        baseSourceId: step.base?.sourceId ?? '',
        level: step.level,
        part: String(step.part),
        parts: String(step.parts),
      };
    case 'create-replica':
      return {
        ...common,
        layout: step.layout,
        replication: step.replication,
        quotaBytes: String(step.quotaBytes),
        quotaNamespace: String(step.quotaNamespace),
        encryptionKey: step.encryptionKey ?? '',
      };
    case 'delete':
      return {
        ...common,
        source: step.side === 'source' ? common.source : common.replica,
        replica: '',
        remove: step.remove.map(({ name, id }) => `${name}=${id}`).join(','),
      };
    case 'tidy':
      return { ...common, remove: step.remove.map(({ name, id }) => `${name}=${id}`).join(',') };
    case 'examine':
    case 'create-target':
    case 'safety-snapshot':
    case 'restore':
    case 'compare':
    case 'restrict':
    case 'remove-scratch':
      if (!run.restore) throw new DrError('EventInvalid', `${run.runId} restores nothing`);
      return restoreParameters(step, run.restore, run.bucket, common);
    case 'measure-divergence':
      return {
        ...common,
        base: step.base.name,
        baseSourceId: step.base.id,
        target: step.target.name,
        targetId: step.target.id,
        since: step.opened.name,
        sinceId: step.opened.id,
      };
    case 'look-versions':
    case 'look-changes':
      return lookParameters(step, run, common);
    case 'list-buckets':
      return { ...common, replica: '', globs: step.globs.join(',') };
    case 'check-host': {
      const [first = ''] = step.buckets;
      return {
        ...common,
        source: `${step.source}/${first}`,
        replica: step.replica === null ? '' : `${step.replica}/${first}`,
        buckets: step.buckets.join(','),
      };
    }
  }
};

/** Copies whose leftovers can still be proved to be ours. */
const KEPT_COPIES = 8;

/** What has to be in the ledger before the replica is touched: the doubt, the claim, and the host that does it. */
const beforeCopy = (
  step: Extract<OperationStep, { kind: 'replicate' }>,
  pair: PairState,
  id: OperationId,
  at: EpochMs,
): PairPatch => ({
  dirtySince: pair.dirtySince ?? { operation: id, at },
  copies: [
    ...pair.copies.filter(({ operation }) => operation !== id).slice(1 - KEPT_COPIES),
    {
      operation: id,
      point: step.target.name,
      mode: step.mode,
      base: step.base?.name ?? null,
      host: step.host,
      from: at,
      deadline: later(at, copyLifetime(step)),
      to: null,
      ...(step.adopts || step.yarn ? { application: step.adopts ?? id } : {}),
    },
  ],
  ...(step.claim && pair.owned?.created !== step.replicaCreated
    ? { owned: { created: step.replicaCreated, at, proved: false } }
    : {}),
  ...pinnedTo(step, pair),
});

/** The host that holds the fence of the replica from now on. */
const pinnedTo = ({ host }: Pick<OperationStep, 'host'>, { pinned }: PairState): PairPatch =>
  pinned?.host === host ? {} : { pinned: { host, seeded: false } };

/** Tries that a living copy refuses do not push it out: as long as it is known, it is waited for. */
const lastOrAlive = (copies: PairState['copies'], at: EpochMs): PairState['copies'] =>
  copies.filter(({ to, deadline }, n) => (to === null && at < deadline) || n > copies.length - KEPT_COPIES);

/** A scratch bucket may be made from now on. */
const beforeMaking = (
  { bucket }: Extract<OperationStep, { kind: 'create-target' }>,
  { scratch }: PairState,
  at: EpochMs,
): PairPatch => (scratch?.bucket === bucket ? { scratch: { ...scratch, since: at } } : {});

/** What has to be in the ledger before the target of a restore is touched: that it is half written from now on, and by whom. */
const beforeRestore = (
  step: Extract<OperationStep, { kind: 'restore' }>,
  pair: PairState,
  id: OperationId,
  { restore }: BackupRun,
  at: EpochMs,
): PairPatch => ({
  dirtySince: pair.dirtySince ?? { operation: id, at },
  ...(restore
    ? {
        copies: [
          ...lastOrAlive(
            pair.copies.filter(({ operation }) => operation !== id),
            at,
          ),
          {
            operation: id,
            point: restore.point.name,
            mode: 'bootstrap',
            base: null,
            host: step.host,
            from: at,
            deadline: later(at, copyLifetime(step)),
            to: null,
            restores: { lineage: restore.lineage, selection: restore.selection },
          },
        ],
      }
    : {}),
});

/**
 * State machine step: starts the remote command of a recorded decision and leaves the token to whoever settles it.
 * Called again for the same operation it attaches: the token is replaced, and an outcome that is there is sent at once.
 * @throws LeaseLost, EventInvalid, EdgeUnreachable when it is not known whether Run Command took the command
 */
export const startOperation =
  (deps: StartDependencies) =>
  async (event: unknown): Promise<{ readonly operation: OperationId }> => {
    const batch = StartBatchEvent.safeParse(event);
    if (batch.success) return startBatch(deps, batch.data);
    const { runId, lease, operationStep, taskToken } = parseEvent(StartEvent, event);
    const id = operationId(runId, operationStep);
    const known = await deps.operations.load(id);
    const operation = known
      ? await deps.operations.replaceToken(id, taskToken)
      : await create(deps, id, { runId, lease, operationStep, taskToken });
    if (operation.outcome) await notify(deps, operation);
    else if (!operation.commandId) await deliver(deps, operation, known !== undefined);
    return { operation: id };
  };

/** The same for several: each of them has its operation, and its fence where it needs one, before the command is sent. */
const startBatch = async (deps: StartDependencies, event: StartBatch): Promise<{ readonly operation: OperationId }> => {
  const { operation: id, taskToken } = event;
  const known = await deps.operations.load(id);
  const operation = known ? await deps.operations.replaceToken(id, taskToken) : await createBatch(deps, event);
  // All were lost to others meanwhile: there is nothing to wait for.
  if (!operation) await deps.callbacks.succeed(taskToken, { operation: id });
  else if (operation.outcome) await notify(deps, operation);
  else if (!operation.commandId) await deliver(deps, operation, known !== undefined);
  return { operation: id };
};

const createBatch = async (
  deps: StartDependencies,
  { operation: id, members, taskToken }: StartBatch,
): Promise<Operation | undefined> => {
  const joined = (await inParallel(members, 5, (member) => join(deps, member, id, members.length))).flatMap(
    (operation) => (operation?.batch === id && operation.outcome === null ? [operation] : []),
  );
  const [first] = joined;
  if (!first) return undefined;
  const { verb, source, replica } = first.parameters;
  if (joined.some(({ host, parameters }) => host !== first.host || parameters.verb !== verb))
    throw new DrError('EventInvalid', `the operations of ${id} are not of one kind and for one host`);
  const executionTimeout = batchSeconds(members.length);
  const operation: Operation = {
    ...first,
    id,
    document: deps.document.batch,
    parameters: EdgeParameters.parse({
      ...NO_PARAMETERS,
      operation: id,
      verb,
      source: serviceOf(source),
      replica: serviceOf(replica),
      batch: joined.map(batchLine).join(';'),
      maps: first.parameters.maps,
      bandwidth: first.parameters.bandwidth,
      executionTimeout: String(executionTimeout),
      commandTimeout: String(executionTimeout + 60),
    }),
    token: taskToken,
    members: joined.map(({ id: operation, pair, lease, keep }) => ({
      operation,
      pair,
      lease,
      ...(keep ? { keep } : {}),
    })),
  };
  const { batch: _batch, keep: _keep, ...own } = operation;
  if (await deps.operations.create(own)) return own;
  return deps.operations.replaceToken(id, taskToken);
};

const serviceOf = (path: string): string => path.replace(/\/.*/, '');

const batchLine = ({ parameters: p }: Operation): string =>
  [
    p.operation,
    p.source.slice(serviceOf(p.source).length + 1),
    p.target,
    p.targetId,
    p.base,
    p.baseSourceId,
    p.baseReplicaId,
    p.replicaCreated,
    p.fence,
    p.fenceSeed,
  ].join('|');

/** The operation of one member; undefined when its run is in the hands of somebody else. */
const join = async (
  deps: StartDependencies,
  member: StartBatch['members'][number],
  batch: OperationId,
  size: number,
): Promise<Operation | undefined> => {
  const id = operationId(member.runId, member.operationStep);
  try {
    return (
      (await deps.operations.load(id)) ?? (await create(deps, id, { ...member, taskToken: '' }, { id: batch, size }))
    );
  } catch (error) {
    if (!isDrError(error, 'LeaseLost')) throw error;
    return undefined;
  }
};

/** @param batch what does it as one of several; undefined: it has a command of its own */
const create = async (
  deps: StartDependencies,
  id: OperationId,
  { runId, lease, operationStep, taskToken }: z.infer<typeof StartEvent>,
  batch?: { readonly id: OperationId; readonly size: number },
): Promise<Operation> => {
  const known = await deps.ledger.loadRun(runId);
  const step = known?.steps.find((it) => it.n === operationStep)?.decision;
  if (!known || !step || !isOperation(step))
    throw new DrError('EventInvalid', `step ${operationStep} of ${runId} is no operation`);
  const { document } = deps;
  if (radiusOf(step) !== document.blastRadius)
    throw new DrError('EventInvalid', `${step.kind} is not for the ${document.blastRadius} document`);
  const now = deps.clock.now();
  // What a redriven run decided before others had the bucket is nothing to delete or to restrict by, nor to make one by that they have removed.
  if (step.kind === 'delete' || step.kind === 'remove-scratch' || step.kind === 'restrict')
    await deps.ledger.raiseFence(known.run.pair, lease, () => ({}));
  if (step.kind === 'create-target')
    await deps.ledger.raiseFence(known.run.pair, lease, (seen) => beforeMaking(step, seen, now));
  const pair =
    step.kind === 'restore'
      ? await deps.ledger.raiseFence(known.run.pair, lease, (seen) => beforeRestore(step, seen, id, known.run, now))
      : step.kind === 'replicate'
        ? await deps.ledger.raiseFence(known.run.pair, lease, (seen) => beforeCopy(step, seen, id, now))
        : // What the replica holds stays as it is: no doubt is raised.
          step.kind === 'seal-unchanged'
          ? await deps.ledger.raiseFence(known.run.pair, lease, (seen) => pinnedTo(step, seen))
          : null;
  const operation: Operation = {
    id,
    runId,
    step: operationStep,
    pair: known.run.pair,
    lease,
    execution: known.run.execution,
    document: document[documentOf(step)],
    host: step.host,
    parameters: edgeParameters(known.run, step, id, pair),
    token: taskToken,
    state: 'sending',
    createdAt: now,
    deadline: later(now, seconds(DELIVERY + (batch ? batchSeconds(batch.size) : executionSeconds(step)) + 600)),
    commandId: null,
    outcome: null,
    ...(batch ? { batch: batch.id } : {}),
    ...(step.kind === 'survey' && step.keep ? { keep: step.keep } : {}),
  };
  if (await deps.operations.create(operation)) return operation;
  if (!batch) return deps.operations.replaceToken(id, taskToken);
  return (await deps.operations.load(id)) ?? operation;
};

/** Sends the command unless an earlier attempt did: Run Command itself knows no idempotency. */
const deliver = async (deps: StartDependencies, operation: Operation, isRepeated: boolean): Promise<void> => {
  const { id, document, host, parameters, createdAt } = operation;
  try {
    // Signed when it is sent and not before, as it is valid for a short time only; what is stored cannot be read with.
    const { selection } = parameters;
    const given =
      selection === ''
        ? parameters
        : { ...parameters, selectionUrl: await deps.selections.urlOf(PlanHash.parse(selection)) };
    const sent =
      (isRepeated ? await deps.edge.find(document, id, createdAt) : undefined) ??
      (await deps.edge.send(document, host, given, id));
    await deps.operations.sent(id, sent.commandId);
  } catch (error) {
    if (!isDrError(error, 'EdgeRefused') && !isDrError(error, 'EdgeUnreachable')) throw error;
    const ended = await endOperation(deps, operation, { kind: 'lost', error: error.name, detail: error.message });
    await notify(deps, ended);
  }
};
