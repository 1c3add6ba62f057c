import * as z from 'zod';
import type { LookedPoint, OperationStep } from '../domain/backup-step.ts';
import { isOperation } from '../domain/backup-step.ts';
import type { BackupRun, PairPatch, PairState } from '../domain/ledger.ts';
import { type BucketRef, type OperationId, RunId } from '../domain/names.ts';
import { type BlastRadius, DELIVERY, EdgeParameters, type Operation } from '../domain/operation.ts';
import type { Cluster, Hook } from '../domain/policy.ts';
import type { RestoreTask } from '../domain/restore.ts';
import { PlanHash, type Side } from '../domain/retention.ts';
import { type EpochMs, later, seconds } from '../domain/units.ts';
import { DrError, isDrError } from '../errors.ts';
import { copyLifetime, executionSeconds } from '../planner/steps.ts';
import type { Clock, EdgeHost, Ledger, OperationStore, Selections, TaskCallbacks } from '../ports.ts';
import { operationId } from './operation-id.ts';
import { parseEvent } from './parse-event.ts';
import { notify } from './settle-operation.ts';

const StartEvent = z.strictObject({
  runId: RunId,
  lease: z.number().int().positive(),
  operationStep: z.number().int().nonnegative(),
  taskToken: z.string().min(1),
});

export interface StartDependencies {
  readonly ledger: Pick<Ledger, 'loadRun' | 'raiseFence'>;
  readonly operations: OperationStore;
  readonly edge: Pick<EdgeHost, 'send' | 'find'>;
  readonly callbacks: TaskCallbacks;
  /** Of a list of paths; where a host can read it for a short time. */
  readonly selections: Pick<Selections, 'urlOf'>;
  readonly clock: Clock;
  readonly document: { readonly name: string; readonly doctor: string; readonly blastRadius: BlastRadius };
}

const VERBS = {
  survey: { verb: 'survey', blastRadius: 'observe' },
  'create-snapshot': { verb: 'snapshot', blastRadius: 'protect' },
  'compute-diff': { verb: 'diff', blastRadius: 'observe' },
  'mark-replica': { verb: 'snapshot', blastRadius: 'protect' },
  replicate: { verb: 'replicate', blastRadius: 'protect' },
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

/** What the document is given for a step. `pair` is set for a step that writes the replica, or the target of a restore. */
export const edgeParameters = (
  run: BackupRun,
  step: OperationStep,
  operationId: OperationId,
  pair: PairState | null,
): EdgeParameters => {
  const { limits } = run.policy;
  const common = EdgeParameters.parse({
    operation: operationId,
    verb: VERBS[step.kind].verb,
    source: path(run.policy.source, run),
    replica: path(run.policy.replica, run),
    target: '',
    base: '',
    targetId: '',
    baseSourceId: '',
    baseReplicaId: '',
    sealId: '',
    replicaCreated: '',
    mode: '',
    empty: 'no',
    fence: String(pair?.fence ?? 0),
    fenceSeed: pair?.pinned && !pair.pinned.seeded ? 'yes' : 'no',
    copySeconds: '0',
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
        narrow: step.narrow ? `${step.narrow.name}=${step.narrow.id}` : '',
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
    },
  ],
  ...(step.claim && pair.owned?.created !== step.replicaCreated
    ? { owned: { created: step.replicaCreated, at, proved: false } }
    : {}),
  ...(pair.pinned?.host === step.host ? {} : { pinned: { host: step.host, seeded: false } }),
});

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

const create = async (
  deps: StartDependencies,
  id: OperationId,
  { runId, lease, operationStep, taskToken }: z.infer<typeof StartEvent>,
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
        : null;
  const operation: Operation = {
    id,
    runId,
    step: operationStep,
    pair: known.run.pair,
    lease,
    execution: known.run.execution,
    document: step.kind === 'check-host' ? document.doctor : document.name,
    host: step.host,
    parameters: edgeParameters(known.run, step, id, pair),
    token: taskToken,
    state: 'sending',
    createdAt: now,
    deadline: later(now, seconds(DELIVERY + executionSeconds(step) + 600)),
    commandId: null,
    outcome: null,
    ...(step.kind === 'survey' && step.keep ? { keep: step.keep } : {}),
  };
  if (await deps.operations.create(operation)) return operation;
  return deps.operations.replaceToken(id, taskToken);
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
    const ended = await deps.operations.ended(id, { kind: 'lost', error: error.name, detail: error.message });
    await notify(deps, ended);
  }
};
