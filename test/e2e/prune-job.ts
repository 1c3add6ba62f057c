import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parsePolicies } from '../../cdk/config/load-policies.ts';
import type { RecoveryPoint } from '../../functions/core/domain/ledger.ts';
import {
  PairId,
  PolicyName,
  RunId,
  runId,
  SnapshotId,
  SnapshotName,
  snapshotName,
} from '../../functions/core/domain/names.ts';
import { resolvePolicies } from '../../functions/core/domain/policy.ts';
import { epochMs } from '../../functions/core/domain/units.ts';
import { withVersion } from '../../functions/core/planner/in-force.ts';
import { type Clusters, type Deployment, deploy, policyText } from '../fixtures/deployment.ts';

const BUCKET = 'sales/orders';
const POINTS = 100;
const HOUR = 3600;
const pair = PairId.parse(`prod/${BUCKET}#dr`);
const nightly = PolicyName.parse('nightly');
const request = { policy: 'nightly', bucket: BUCKET };

interface Listed {
  readonly name: string;
  readonly snapshotId: string;
  readonly creationTime: number;
  readonly snapshotStatus: string;
}

/** Takes the manager of a cluster away, and brings it back. */
export interface Power<C> {
  readonly down: (clusters: C, service: 'prod' | 'dr') => Promise<void>;
  readonly up: (clusters: C, service: 'prod' | 'dr') => Promise<void>;
}

/**
 * A hundred points on both sides, pruned as it is deployed: schedule, machine, functions with their roles, documents. The
 * clusters are real or simulated; the points are put into the ledger instead of being copied a hundred times.
 */
export const describePruneJob = <C extends Clusters>(name: string, start: () => Promise<C>, power: Power<C>): void => {
  describe(`pruning a hundred points on ${name}`, () => {
    let clusters: C;
    let deployment: Deployment;

    const listed = async (service: string): Promise<readonly Listed[]> => {
      const all: readonly Listed[] = JSON.parse(
        await clusters.ozone('sh', 'snapshot', 'list', '--all', `o3://${service}/${BUCKET}`),
      );
      return all.filter((it) => it.snapshotStatus === 'SNAPSHOT_ACTIVE').sort((a, b) => (a.name < b.name ? -1 : 1));
    };
    const namesOn = async (service: string) => (await listed(service)).map((it) => it.name);

    const slot = (n: number) => epochMs(Date.UTC(2026, 0, 1) + n * HOUR * 1000);

    beforeAll(async () => {
      clusters = await start();
      const retention = `retention: { zone: UTC, cron: '0 0 1 1 ? 2099', source: { keepLast: 10 }, replica: { keepLast: 20 }, graceHours: 1, coolingOffHours: 0, maxDeletions: 90 }`;
      for (const service of ['prod', 'dr']) {
        await clusters.createBucket(`ofs://${service}/${BUCKET}`);
        const creates = Array.from({ length: POINTS }, (_, n) => [
          '--execute',
          `snapshot create o3://${service}/${BUCKET} ${snapshotName(nightly, slot(n), 1)}`,
        ]);
        await clusters.ozone('sh', ...creates.flat());
      }
      const policies = policyText([BUCKET], retention, '[]');
      deployment = await deploy({
        clusters,
        policies,
        clock: { virtualFrom: new Date() },
      });
      await enroll();
      await haveSeen(policies);
    });
    afterAll(async () => {
      await deployment?.close();
      await clusters?.stop();
    });

    /** What a hundred verified backups would have left in the ledger. */
    const enroll = async (): Promise<void> => {
      const { ledger } = deployment;
      const [source, replica] = await Promise.all([listed('prod'), listed('dr')]);
      const points = source.map((it, n): RecoveryPoint => {
        const twin = replica[n];
        if (twin?.name !== it.name) throw new Error('both sides have the same names');
        return {
          name: SnapshotName.parse(it.name),
          policy: nightly,
          slot: slot(n),
          attempt: 1,
          runId: runId(pair, nightly, slot(n)),
          state: 'verified',
          source: { id: SnapshotId.parse(it.snapshotId), created: epochMs(it.creationTime) },
          replica: { id: SnapshotId.parse(twin.snapshotId), created: epochMs(twin.creationTime), condemned: false },
          mode: 'incremental',
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
          verification: null,
        };
      });
      for (const point of points) await ledger.putPoint(pair, point);
      const baseOf = (point: RecoveryPoint | undefined) =>
        point?.replica
          ? { name: point.name, created: point.source.created, sourceId: point.source.id, replicaId: point.replica.id }
          : null;
      // An old pair of snapshots is the base, so that only its protection can keep it.
      const lease = await ledger.takeLease(
        await ledger.loadPair(pair),
        { runId: RunId.parse(`${pair}#nightly#20260101t000000z`), execution: 'enrolment' },
        epochMs(Date.now() + 60_000),
      );
      if (!lease) throw new Error('nobody else is there');
      await ledger.changePair(pair, lease.token, { base: baseOf(points[5]), previousBase: baseOf(points[4]) });
      await ledger.releaseLease(pair, lease.token);
    };

    /** The first rules of a policy wait; these have been there for long. */
    const haveSeen = async (policies: string): Promise<void> => {
      const [policy] = resolvePolicies(parsePolicies(policies, 'test policies'));
      if (!policy) throw new Error('the file has one policy');
      const since = epochMs(Date.now() - 100 * HOUR * 1000);
      const seen = withVersion(await deployment.ledger.loadPolicyState(nightly), policy, since);
      if (seen) await deployment.ledger.putPolicyState(seen);
    };

    it('a first prune condemns by a stored plan, and deletes nothing', async () => {
      // Points younger than the grace are not even condemned.
      await deployment.cloud.advanceBy(2 * HOUR);
      expect(await deployment.fire('2026-11-21T04:30:00Z', 'prune')).toMatchObject({ status: 'SUCCEEDED' });
      expect(await listed('prod')).toHaveLength(POINTS);
      expect(await listed('dr')).toHaveLength(POINTS);
      const points = await deployment.ledger.livingPoints(pair);
      // Ten newest, base and the one before it; on the replica twenty.
      expect(points.filter(({ removal }) => removal.source?.state === 'condemned')).toHaveLength(POINTS - 12);
      expect(points.filter(({ removal }) => removal.replica?.state === 'condemned')).toHaveLength(POINTS - 22);
    });

    it('nothing goes before the grace is over', async () => {
      const result = await deployment.prune(request);
      expect(result.output).toMatchObject({ kind: 'pruned', deleted: 0, condemned: 0, waiting: 166 });
      expect(await listed('prod')).toHaveLength(POINTS);
    });

    it('of two at once one waits for the other, and both do their slot', async () => {
      const { cloud } = deployment;
      const both = ['2026-01-01T00:00:00Z', '2026-01-01T01:00:00Z'].map((at) =>
        cloud.startExecution('ozone-dr-prune', { ...request, slot: at }),
      );
      const ended = await Promise.all(both.map((arn) => cloud.executionEnded(arn)));
      for (const it of ended) expect(it).toMatchObject({ status: 'SUCCEEDED', output: { kind: 'pruned', deleted: 0 } });
      const waited = both.filter((arn) => JSON.stringify(cloud.history(arn)).includes('"WaitForBucket"'));
      expect(waited).toHaveLength(1);
    });

    it('a name that is taken over keeps its new snapshot, and with a cluster down nothing goes on the other', async () => {
      const bucket = `o3://prod/${BUCKET}`;
      const taken = snapshotName(nightly, slot(20), 1);
      await clusters.ozone('sh', 'snapshot', 'delete', bucket, taken);
      const again = async (tries: number): Promise<string> => {
        try {
          return await clusters.ozone('sh', 'snapshot', 'create', bucket, taken);
        } catch (error) {
          // A name is free once the cluster has reclaimed the snapshot that had it.
          if (tries === 0 || !String(error).includes('FILE_ALREADY_EXISTS')) throw error;
          await new Promise((resolve) => setTimeout(resolve, 1000));
          return again(tries - 1);
        }
      };
      await again(120);
      const [foreign] = (await listed('prod')).filter((it) => it.name === taken);
      await deployment.cloud.advanceBy(2 * HOUR);
      for (const [service, other] of [
        ['prod', 'dr'],
        ['dr', 'prod'],
      ] as const) {
        const before = await listed(other);
        await power.down(clusters, service);
        expect(await deployment.prune(request), `without ${service}`).toMatchObject({ status: 'FAILED' });
        await power.up(clusters, service);
        expect(await listed(other)).toEqual(before);
      }

      const result = await deployment.prune(request);
      expect(result).toMatchObject({ status: 'SUCCEEDED', output: { deleted: 90 } });
      expect(await listed('prod')).toContainEqual(foreign);
      const records = await deployment.records.read(pair);
      const byOthers = records.flatMap(({ happening }) =>
        happening.kind === 'deleted' && !happening.byUs ? happening.snapshots.map((it) => it.name) : [],
      );
      expect(byOthers).toEqual([taken]);
    }, 300_000);

    it('the rest follows in the next run, and base, newest and what was foreign are left', async () => {
      const result = await deployment.prune(request);
      expect(result).toMatchObject({ status: 'SUCCEEDED', output: { deleted: 75, waiting: 0 } });
      const names = Array.from({ length: POINTS }, (_, n) => snapshotName(nightly, slot(n), 1));
      const kept = (last: number, ...more: readonly number[]) =>
        names.filter((_, n) => n === 4 || n === 5 || n >= POINTS - last || more.includes(n));
      expect(await namesOn('prod')).toEqual(kept(10, 20));
      expect(await namesOn('dr')).toEqual(kept(20));
      expect(await deployment.ledger.retiredPoints(pair)).toHaveLength(POINTS - 22);
    });

    it('every deletion is on record under the plan that condemned it, and the chain is whole', async () => {
      const records = await deployment.records.read(pair);
      const ours = records.flatMap(({ happening }) =>
        happening.kind === 'deleted' && happening.byUs ? happening.snapshots : [],
      );
      expect(ours).toHaveLength(165);
      const plans = new Set(
        records.flatMap(({ happening }) => (happening.kind === 'condemned' ? [happening.plan] : [])),
      );
      expect(plans.size).toBe(1);
    });
  });
};
