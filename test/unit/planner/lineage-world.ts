import type { BackupRun, PairState, RecoveryPoint } from '../../../functions/core/domain/ledger.ts';
import { emptyPair } from '../../../functions/core/domain/ledger.ts';
import {
  BucketRef,
  drillPair,
  pairId,
  runId,
  SnapshotId,
  SnapshotName,
  targetPair,
} from '../../../functions/core/domain/names.ts';
import { PolicyFile, resolvePolicies } from '../../../functions/core/domain/policy.ts';
import { PassedDrill } from '../../../functions/core/domain/restore.ts';
import { LegalHold, Pin, PlanHash, Removal, type Side } from '../../../functions/core/domain/retention.ts';
import { epochMs } from '../../../functions/core/domain/units.ts';
import type { LedgerFacts } from '../../../functions/core/planner/explain.ts';
import { settingsInForce } from '../../../functions/core/planner/in-force.ts';
import { operationOf } from './world.ts';

export const HOUR = 3_600_000;
export const BUCKET = BucketRef.parse('sales/orders');
/** 30 November 2026, noon. */
export const now = epochMs(Date.UTC(2026, 10, 30, 12));
export const PLAN = PlanHash.parse('ab'.repeat(32));

export const policyText = (more = ''): string => `
clusters:
  prod: { service: prod-om, hosts: [i-0123456789abcdef0] }
  dr: { service: dr-om, hosts: [mi-0123456789abcdef0] }
policies:
  nightly:
    source: prod
    replica: dr
    buckets: [${BUCKET}]
    schedules: [{ cron: '0 2 * * ? *', zone: Europe/Berlin }]
    objectives: { rpo: 26h, rto: 4h }
${more}`;

const KEEP_THREE = { keepLast: 3 };

export interface World {
  /**
   * Oldest first: `a` is of 1 November, `z` of the 26th, each at 02:00 UTC. `a` taken, `a~` sealed, `a*` verified, `a!`
   * differs; `a*-s` is deleted on the source, `a*-r` on the replica.
   */
  readonly points: string;
  readonly local?: boolean;
  readonly mode?: 'incremental' | 'incremental-or-resync' | 'resync';
  readonly base?: string;
  readonly previous?: string;
  /** What keeps each side; null: no retention. */
  readonly rules?: Readonly<Record<string, unknown>> | null;
  /** Condemned, being deleted: `b:condemned c:deleting`; on the source. */
  readonly removals?: string;
  readonly pins?: string;
  readonly holds?: string;
  readonly copying?: string;
  /** Points that passed a drill, and how many hours before now: `x:24`. */
  readonly drilled?: string;
  /** Hours: every bucket is drilled once in so many. */
  readonly within?: number;
  readonly drills?: Partial<LedgerFacts['drills']>;
  /** Hours before now: when drills first saw the bucket, and the last slot that had it drilled. */
  readonly turn?: { readonly since: number; readonly asked: number | null };
  readonly restore?: Partial<LedgerFacts['restore']>;
  readonly paused?: LedgerFacts['paused'];
  readonly pair?: Partial<PairState>;
  readonly run?: Partial<BackupRun> | null;
  /** Hours of the policy's objective. */
  readonly rpo?: number;
}

export const nameOf = (letter: string): SnapshotName =>
  SnapshotName.parse(`odr-nightly-202611${String(letter.charCodeAt(0) - 96).padStart(2, '0')}t020000z-1`);
export const timeOf = (letter: string) => epochMs(Date.UTC(2026, 10, letter.charCodeAt(0) - 96, 2));
export const idOf = (letter: string, side: Side): SnapshotId =>
  SnapshotId.parse(
    `00000000-0000-4000-8000-0000${side === 'source' ? 1 : 2}${letter.charCodeAt(0).toString(16).padStart(7, '0')}`,
  );

const STATES = { '': 'taken', '~': 'sealed', '*': 'verified', '!': 'differs' } as const;
const words = (text = ''): readonly string[] => text.split(' ').filter((word) => word !== '');

/** A drill that passed so many hours ago: 90 files and 3 GB from the replica, 40 s of copying in 100 s. */
export const passed = (hours: number, more: Partial<PassedDrill> = {}): PassedDrill =>
  PassedDrill.parse({
    at: now - hours * HOUR,
    from: 'replica',
    files: 90,
    bytes: 3e9,
    bytesCopied: 3e9,
    copySeconds: 40,
    seconds: 100,
    level: 'full',
    ...more,
  });

export const policyOf = ({ local, mode, within, rules = KEEP_THREE, rpo = 26 }: Omit<World, 'points'>) => {
  const retention = rules && {
    zone: 'UTC',
    source: rules,
    ...(local ? {} : { replica: rules }),
    graceHours: 24,
    coolingOffHours: 0,
  };
  const [policy] = resolvePolicies(
    PolicyFile.parse({
      clusters: {
        prod: { service: 'prod-om', hosts: ['i-0123456789abcdef0'] },
        dr: { service: 'dr-om', hosts: ['mi-0123456789abcdef0'] },
      },
      policies: {
        nightly: {
          source: 'prod',
          ...(local ? {} : { replica: 'dr' }),
          buckets: [BUCKET],
          schedules: [{ cron: '0 2 * * ? *', zone: 'Europe/Berlin' }],
          mode: mode ?? 'incremental-or-resync',
          objectives: { rpo: `${rpo}h`, rto: '4h' },
          ...(retention ? { retention } : {}),
          ...(within
            ? { drills: { cron: '0 6 * * ? *', zone: 'UTC', within: `${within}h`, on: local ? 'source' : 'replica' } }
            : {}),
        },
      },
    }),
  );
  if (!policy) throw new Error('the file has one policy');
  return policy;
};

/** What the ledger says in this world. */
export const lineageOf = (world: World): LedgerFacts => {
  const policy = policyOf(world);
  const pair = pairId(policy.source.name, BUCKET, policy.replica?.name ?? null);
  const removalOf = (state: Removal['state']): Removal =>
    Removal.parse({
      state,
      plan: PLAN,
      condemnedAt: now - 48 * HOUR,
      deletedAt: state === 'deleted' ? now - HOUR : null,
    });
  const points = words(world.points).map((token, index, tokens): RecoveryPoint => {
    const letter = token.charAt(0);
    const before = tokens[index - 1]?.charAt(0);
    const state = Object.entries(STATES).find(([sign]) => sign !== '' && token.includes(sign))?.[1] ?? 'taken';
    const marked = words(world.removals).find((it) => it.startsWith(`${letter}:`));
    const removal = marked ? removalOf(Removal.shape.state.parse(marked.slice(2))) : null;
    const drill = words(world.drilled).find((it) => it.startsWith(`${letter}:`));
    return {
      name: nameOf(letter),
      policy: policy.name,
      slot: timeOf(letter),
      attempt: 1,
      runId: runId(pair, policy.name, timeOf(letter)),
      state,
      source: { id: idOf(letter, 'source'), created: timeOf(letter) },
      replica:
        state === 'taken' || world.local
          ? null
          : { id: idOf(letter, 'replica'), created: epochMs(timeOf(letter) + HOUR), condemned: state === 'differs' },
      mode: state === 'taken' ? null : before ? 'incremental' : 'bootstrap',
      base: state === 'taken' || !before ? null : nameOf(before),
      changed: true,
      bytesCopied: null,
      filesCopied: null,
      copySeconds: null,
      envelope: null,
      pinned: null,
      pins: words(world.pins).includes(letter) ? [Pin.parse({ by: 'Grace', reason: 'audit', at: now })] : [],
      holds: words(world.holds).includes(letter)
        ? [LegalHold.parse({ by: 'legal', reason: 'case 7', at: now, until: null })]
        : [],
      removal: {
        source: token.endsWith('-s') ? removalOf('deleted') : removal,
        replica: token.endsWith('-r') ? removalOf('deleted') : null,
      },
      drilled: drill ? passed(Number(drill.slice(2))) : null,
      revision: 0,
      verification:
        state === 'verified' || state === 'differs'
          ? {
              level: 'listing',
              at: epochMs(timeOf(letter) + 2 * HOUR),
              digest: 'f'.repeat(64),
              files: 90,
              dirs: 10,
              bytes: 123_456 as never,
              checksums: null,
              differences: state === 'differs' ? '1 only on the source' : null,
            }
          : null,
    };
  });
  const baseOf = (letter: string | undefined) =>
    letter
      ? {
          name: nameOf(letter),
          created: timeOf(letter),
          sourceId: idOf(letter, 'source'),
          replicaId: idOf(letter, 'replica'),
        }
      : null;
  const newest = words(world.points).at(-1)?.charAt(0) ?? 'z';
  const state: PairState = {
    ...emptyPair(pair),
    base: baseOf(world.base),
    previousBase: baseOf(world.previous),
    copies: world.copying
      ? [
          {
            operation: operationOf(4),
            point: nameOf(world.copying),
            mode: 'incremental',
            base: null,
            host: 'mi-0123456789abcdef0' as never,
            from: now,
            deadline: epochMs(now + HOUR),
            to: null,
          },
        ]
      : [],
    ...world.pair,
  };
  const run: BackupRun = {
    schema: 1,
    workflow: 'backup',
    restore: null,
    runId: runId(pair, policy.name, timeOf(newest)),
    pair,
    bucket: BUCKET,
    slot: timeOf(newest),
    policy,
    status: 'succeeded',
    execution: 'arn:run',
    lease: 1,
    startedAt: timeOf(newest),
    firstStep: 0,
    endedAt: epochMs(timeOf(newest) + HOUR),
    outcome: null,
    failure: null,
    ...world.run,
  };
  // The rules have been known for a month: nothing cools off.
  const since = epochMs(now - 30 * 24 * HOUR);
  const version = { since, retention: policy.retention, ...policy.objectives, buckets: [...policy.buckets] };
  return {
    bucket: BUCKET,
    policy,
    policies: [policy],
    pair: state,
    pairs: [state],
    points: points.toReversed(),
    settings: settingsInForce(policy, { policy: policy.name, revision: 1, versions: [version] }, now),
    lastRun: world.run === null ? null : run,
    drills: { ...emptyPair(drillPair(policy, BUCKET)), ...world.drills },
    turn: world.turn
      ? {
          bucket: BUCKET,
          since: epochMs(now - world.turn.since * HOUR),
          asked: world.turn.asked === null ? null : epochMs(now - world.turn.asked * HOUR),
        }
      : null,
    paused: world.paused,
    restore: { ...emptyPair(targetPair(policy.source.name, BUCKET)), ...world.restore },
  };
};
