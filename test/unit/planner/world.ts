import type { BackupStep, Base } from '../../../functions/core/domain/backup-step.ts';
import { namesIn } from '../../../functions/core/domain/buckets.ts';
import type { SeenSide, SeenSnapshot } from '../../../functions/core/domain/edge-reply.ts';
import type {
  BackupRun,
  Hold,
  Observation,
  PairState,
  RecoveryPoint,
  RunStep,
} from '../../../functions/core/domain/ledger.ts';
import { HostId, pairId, runId, type SnapshotName, snapshotName } from '../../../functions/core/domain/names.ts';
import { PolicyFile, resolvePolicies } from '../../../functions/core/domain/policy.ts';
import { epochMs, later, seconds } from '../../../functions/core/domain/units.ts';
import type { RunHistory } from '../../../functions/core/planner/history.ts';

export const slot = epochMs(Date.UTC(2026, 10, 20, 2));
export const noon = epochMs(Date.UTC(2026, 10, 20, 12));
export const operationOf = (n: number) => `op-${'0'.repeat(24)}-${String(n).padStart(3, '0')}` as never;

export const policyOf = (mode: string, withReplica = true) => {
  const [policy] = resolvePolicies(
    PolicyFile.parse({
      clusters: {
        prod: { service: 'prod', hosts: ['i-0123456789abcdef0'] },
        dr: { service: 'dr', hosts: ['mi-0123456789abcdef0', 'mi-0123456789abcdef1'] },
      },
      policies: {
        nightly: {
          source: 'prod',
          ...(withReplica ? { replica: 'dr' } : {}),
          buckets: ['sales/orders'],
          schedules: [],
          mode,
          objectives: { rpo: '26h', rto: '4h' },
        },
      },
    }),
  );
  if (!policy) throw new Error('the sample has one policy');
  return policy;
};

/** `t1` is the first snapshot of the slot under test; other letters are points of earlier slots. */
export const nameOf = (token: string): SnapshotName => {
  const attempt = /^t(\d)$/.exec(token)?.[1];
  const policy = policyOf('incremental').name;
  if (attempt) return snapshotName(policy, slot, Number(attempt));
  return snapshotName(policy, epochMs(slot - (200 - token.charCodeAt(0)) * 3_600_000), 1);
};

const hex = (text: string) =>
  [...text]
    .map((c) => c.charCodeAt(0).toString(16))
    .join('')
    .padEnd(12, '0')
    .slice(-12);
const idOf = (token: string, side: 'source' | 'replica' | 'other') =>
  `${side === 'source' ? '1' : side === 'replica' ? '2' : '9'}0000000-0000-4000-8000-${hex(token)}` as RecoveryPoint['source']['id'];
const createdOf = (token: string) =>
  epochMs(token.startsWith('t') ? slot + Number(token[1]) * 1000 : slot - (200 - token.charCodeAt(0)) * 3_600_000);

export const baseOf = (token: string): Base => ({
  name: nameOf(token),
  created: createdOf(token),
  sourceId: idOf(token, 'source'),
  replicaId: idOf(token, 'replica'),
});
export const targetOf = (token: string) => ({
  name: nameOf(token),
  id: idOf(token, 'source'),
  created: createdOf(token),
});
export const seen = (token: string, side: 'source' | 'replica' | 'other'): SeenSnapshot => ({
  name: nameOf(token),
  id: idOf(token, side),
  created: createdOf(token),
  status: 'ACTIVE',
});

/** What a decision has when nothing is said, as when it is read from the ledger. */
const DEFAULTS: Readonly<Record<string, object>> = { 'compute-diff': { side: 'source' }, replicate: { narrow: null } };

const bucketCreated = '2026-01-01T00:00:00.000Z';

const sideOf = (
  text: string | undefined,
  which: 'source' | 'replica',
  keys: number,
  layout = 'FILE_SYSTEM_OPTIMIZED',
) => {
  const state = (['missing', 'unreachable', 'denied', 'unreadable'] as const).find((it) => it === text);
  if (state) return { state, code: 'CODE', message: 'as the cluster says' } satisfies SeenSide;
  return {
    state: 'read',
    bucket: {
      created: bucketCreated,
      layout: layout as 'LEGACY',
      link: false,
      usedBytes: keys,
      usedNamespace: keys,
      owner: 'root',
      quotaInBytes: -1,
      quotaInNamespace: -1,
      replication: '',
      encryptionKey: null,
      acls: null,
    },
    snapshots: (text ?? '')
      .split(' ')
      .filter((token) => token !== '')
      .map((token) => seen(token.replace(/[*!]$/, ''), token.endsWith('!') ? 'other' : which)),
  } satisfies SeenSide;
};

export interface World {
  /** "a b t1" = active snapshots; `a*` = the ledger calls the pair verified; `a!` = another id than the ledger's. */
  readonly source?: string;
  readonly replica?: string;
  /** Points of this run: "t1:taken t2:sealed". */
  readonly run?: string;
  readonly mode?: 'incremental' | 'incremental-or-resync' | 'resync';
  readonly local?: boolean;
  readonly dirty?: boolean;
  readonly foreign?: boolean;
  /** Keys in the live replica bucket; the bucket is ours unless `owned` says otherwise. */
  readonly keys?: number;
  readonly owned?: 'yes' | 'no' | 'claimed' | 'other';
  readonly layout?: string;
  /** What came after the survey. */
  readonly after?: readonly (readonly [
    decision: Partial<BackupStep> & { kind: string },
    observed: Observation | null,
  ])[];
  /** Points that the ledger calls verified and that neither side shows any more. */
  readonly verified?: string;
  readonly surveys?: number;
  /** How many seconds after its start an unanswered copy may still be alive; long over unless given. */
  readonly copyDeadline?: number;
  readonly hold?: Hold;
  readonly marks?: PairState['marks'];
  readonly sourceCreated?: string;
  readonly batched?: boolean;
}

const pointOf = (token: string, state: RecoveryPoint['state'], of: BackupRun): RecoveryPoint => ({
  name: nameOf(token),
  policy: of.policy.name,
  slot,
  attempt: Number(/^t(\d)$/.exec(token)?.[1] ?? 1),
  runId: token.startsWith('t') ? of.runId : runId(of.pair, of.policy.name, createdOf(token)),
  state,
  source: { id: idOf(token, 'source'), created: createdOf(token) },
  replica:
    state === 'taken'
      ? null
      : { id: idOf(token, 'replica'), created: createdOf(token), condemned: state === 'differs' },
  mode: state === 'taken' ? null : 'incremental',
  base: null,
  changed: true,
  bytesCopied: null,
  filesCopied: null,
  copySeconds: null,
  envelope: null,
  pinned: null,
  pins: [],
  holds: [],
  removal: { source: null, replica: null },
  drilled: null,
  revision: 0,
  verification:
    state === 'verified' || state === 'differs'
      ? {
          level: 'listing',
          at: slot,
          digest: 'f'.repeat(64),
          files: 1,
          dirs: 0,
          bytes: 3 as never,
          checksums: null,
          differences: state === 'differs' ? '1 only on the source' : null,
        }
      : null,
});

/** What a run knows after a survey of this world, and after whatever came then. */
export const historyOf = (world: World): RunHistory => {
  const policy = policyOf(world.mode ?? 'incremental-or-resync', !world.local);
  const [bucket] = namesIn(policy);
  if (!bucket) throw new Error('the sample has one bucket');
  const pair = pairId(policy.source.name, bucket, policy.replica?.name ?? null);
  const run: BackupRun = {
    schema: 1,
    workflow: 'backup',
    restore: null,
    runId: runId(pair, policy.name, slot),
    pair,
    bucket,
    slot,
    policy,
    status: 'open',
    execution: 'arn:execution',
    lease: 1,
    startedAt: slot,
    firstStep: 0,
    ...(world.batched === undefined ? {} : { batched: world.batched }),
    endedAt: null,
    outcome: null,
    failure: null,
  };
  const tokens = (text = '') => text.split(' ').filter((it) => it !== '');
  const verifiedTokens = [
    ...tokens(world.verified),
    ...new Set(
      [...tokens(world.source), ...tokens(world.replica)].filter((it) => it.endsWith('*') || it.endsWith('!')),
    ),
  ].map((it) => it.replace(/[*!]$/, ''));
  const points = [
    ...[...new Set(verifiedTokens)].map((token) => pointOf(token, 'verified', run)),
    ...tokens(world.run).map((entry) => {
      const [token = '', state = ''] = entry.split(':');
      return pointOf(token, state as RecoveryPoint['state'], run);
    }),
  ].toSorted((one, other) => other.source.created - one.source.created);
  const newest = points.filter((it) => it.state === 'verified' && it.runId !== run.runId);
  const base = newest[0] && {
    ...baseOf('a'),
    name: newest[0].name,
    created: newest[0].source.created,
    sourceId: newest[0].source.id,
    replicaId: newest[0].replica?.id ?? idOf('a', 'replica'),
  };
  const keys = world.keys ?? (verifiedTokens.length > 0 ? 5 : 0);
  const owned = world.owned ?? (verifiedTokens.length > 0 ? 'yes' : 'no');
  const pairState: PairState = {
    pair,
    lease: { runId: run.runId, execution: run.execution, token: 1, expires: noon },
    fence: 1,
    base: base ?? null,
    previousBase: null,
    dirtySince: world.dirty || world.foreign ? { operation: operationOf(0), at: slot } : null,
    foreignChange: world.foreign ? { operation: operationOf(0), at: slot } : null,
    owned:
      owned === 'no'
        ? null
        : {
            created: owned === 'other' ? '2025-01-01T00:00:00.000Z' : bucketCreated,
            at: slot,
            proved: owned !== 'claimed',
          },
    pinned: null,
    scratch: null,
    lastDrill: null,
    role: null,
    epoch: 0,
    copies: (world.after ?? []).flatMap(([decision, observed], index) => {
      if (decision.kind !== 'replicate' || !decision.target || !decision.mode) return [];
      const n = (world.surveys ?? 1) + index;
      const changedNothing =
        observed?.kind === 'not-done' && (observed.outcome === 'refused' || observed.outcome === 'unreachable');
      if (changedNothing) return [];
      const from = epochMs(slot + n * 1000);
      const isOver = observed !== null && observed.kind !== 'no-answer';
      return [
        {
          operation: operationOf(n),
          point: decision.target.name,
          mode: decision.mode,
          base: decision.base?.name ?? null,
          host: HostId.parse('mi-0123456789abcdef0'),
          from,
          deadline: later(from, seconds(world.copyDeadline ?? 0)),
          to: isOver ? epochMs(from + 1000) : null,
        },
      ];
    }),
    hold: world.hold ?? null,
    marks: world.marks ?? [],
    sourceCreated: world.sourceCreated ?? null,
    counted: null,
    rolls: {},
  };
  const survey: Observation = {
    kind: 'survey',
    source: sideOf(world.source, 'source', 9, world.layout),
    replica: world.local ? null : sideOf(world.replica, 'replica', keys),
    active: { source: 0, replica: 0 },
  };
  const stepOf = (decision: unknown, observed: Observation | null, n: number): RunStep => ({
    n,
    decision: decision as BackupStep,
    decidedAt: epochMs(slot + n * 1000),
    operationStep: n,
    observed,
    observedAt: null,
    jvmStarts: null,
  });
  const operation = {
    host: 'mi-0123456789abcdef0',
    timeoutSeconds: seconds(900),
    heartbeatSeconds: seconds(600),
    reason: 'r',
  };
  const steps = [
    ...Array.from({ length: world.surveys ?? 1 }, () => [{ kind: 'survey', ...operation }, survey] as const),
    ...(world.after ?? []).map(
      ([decision, observed]) =>
        [
          decision.kind === 'wait' ? decision : { ...operation, ...DEFAULTS[decision.kind], ...decision },
          observed,
        ] as const,
    ),
  ].map(([decision, observed], n) => stepOf(decision, observed, n));
  return { run, steps, pair: pairState, points };
};
