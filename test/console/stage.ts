import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as z from 'zod';
import { leaveOutIdleSweeps } from '../demo/play.ts';
import { type Clusters, type Deployment, deploy, REPLICA_HOST, SOURCE_HOST } from '../fixtures/deployment.ts';
import type { LocalCloud } from '../local-cloud/index.ts';
import type { Change } from '../ozone-cluster/ozone-clusters.ts';
import { createSimulator } from '../ozone-simulator/simulator.ts';
import type { HostedWidget } from './host.ts';

const DashboardBody = z.object({
  widgets: z.array(
    z.object({
      type: z.string(),
      width: z.number(),
      height: z.number(),
      properties: z.looseObject({ title: z.string().optional() }),
    }),
  ),
});
const CustomProperties = z.looseObject({
  title: z.string(),
  endpoint: z.string(),
  params: z.record(z.string(), z.unknown()).default({}),
});

/** The custom widgets of the dashboard that was deployed, and its name. */
export const widgetsOf = (
  cloud: LocalCloud,
): { readonly dashboard: string; readonly widgets: readonly HostedWidget[] } => {
  const { name, properties } = cloud.resource('AWS::CloudWatch::Dashboard', 'Dashboard');
  const { DashboardBody: body } = z.object({ DashboardBody: z.string() }).parse(properties);
  const { widgets } = DashboardBody.parse(JSON.parse(body));
  return {
    dashboard: name,
    widgets: widgets
      .filter(({ type }) => type === 'custom')
      .map(({ width, height, properties: given }) => ({ ...CustomProperties.parse(given), width, height })),
  };
};

/** Calls a function by its ARN, as a dashboard does. */
export const invoker =
  (cloud: LocalCloud) =>
  async (endpoint: string, event: unknown): Promise<unknown> =>
    cloud.invoke(endpoint.split(':').at(-1) ?? '', JSON.parse(JSON.stringify(event)));

const policies = (restricting: readonly string[]): string => `clusters:
  prod: { service: prod, hosts: [${SOURCE_HOST}] }
  dr: { service: dr, hosts: [${REPLICA_HOST}] }
policies:
  nightly:
    source: prod
    replica: dr
    buckets: [sales/orders, people/payroll, crm/contacts]
    schedules: [{ cron: '0 2 * * ? *', zone: Etc/UTC }]
    objectives: { rpo: 26h, rto: 4h }
  snapshots-only:
    source: prod
    buckets: [lab/results]
    schedules: [{ cron: '30 * * * ? *', zone: Etc/UTC }]
    objectives: { rpo: 3h, rto: 4h }
${
  restricting.length === 0
    ? ''
    : `  shop:
    source: prod
    replica: dr
    buckets: [${restricting.join(', ')}]
    schedules: [{ cron: '0 2 * * ? *', zone: Etc/UTC }]
    objectives: { rpo: 26h, rto: 4h }
    failover: { restrict: true }
`
}`;

export interface ConsoleStage {
  readonly deployment: Deployment;
  readonly clusters: Pick<Clusters, 'tree' | 'change' | 'ozone'>;
  close(): Promise<void>;
}

const put = (path: string, size: number, seed: number): Change => ({ op: 'put', path, size, seed });
const orders = (day: number): readonly Change[] =>
  Array.from({ length: 5 }, (_, n) => put(`2026/11/${day}/order-${day * 100 + n}.json`, 700 + n * 90, day * 100 + n));

const FIRST = 10;

/**
 * Some nights of four buckets on simulated clusters, in virtual time, which stands still at the end: one bucket that is
 * safe, one whose nights failed because it is not on the source any more, one without a replica.
 */
export const startStage = async ({
  nights = 3,
  restricting = [],
}: {
  readonly nights?: number;
  /** Buckets of one more policy, `shop`, whose failover takes the right to write from everybody at the old primary. */
  readonly restricting?: readonly string[];
} = {}): Promise<ConsoleStage> => {
  const clusters = await createSimulator({ directory: mkdtempSync(join(tmpdir(), 'ozone-dr-console-')) });
  const setTime = (at: number): void => clusters.inProcess.setClock({ now: at, skewMs: {} });
  const from = Date.UTC(2026, 10, FIRST, 1, 45);
  setTime(from);
  for (const bucket of ['sales/orders', 'people/payroll', ...restricting])
    for (const side of ['prod', 'dr']) await clusters.createBucket(`ofs://${side}/${bucket}`);
  await clusters.createBucket('ofs://prod/lab/results');
  await clusters.change('ofs://prod/people/payroll', [put('2026-10.csv', 30_000, 1), put('readme.txt', 120, 2)]);
  await clusters.change('ofs://prod/lab/results', [put('run-1.csv', 9000, 3)]);
  for (const [n, bucket] of restricting.entries())
    await clusters.change(`ofs://prod/${bucket}`, [put('first.json', 900, 10 + n)]);
  const deployment = await deploy({
    clusters,
    policies: policies(restricting),
    clock: { virtualFrom: new Date(from) },
    duration: ({ stdout }) => 2 * Number(/"jvmStarts":(\d+)/.exec(stdout)?.[1] ?? 0),
    onEvent: (event) => {
      if (event.kind === 'command' && event.status === 'InProgress') setTime(event.at);
    },
  });
  const { cloud } = deployment;
  leaveOutIdleSweeps(cloud);
  const now = (): number => cloud.clock.now();
  for (let night = 0; night < nights; night++) {
    setTime(now());
    await clusters.change('ofs://prod/sales/orders', orders(FIRST + night));
    // The hours of the bucket without a replica lie between two nights: only the last of them are played.
    await cloud.advanceTo(new Date(Date.UTC(2026, 10, FIRST + night, 2)));
    await Promise.all(cloud.executions('ozone-dr-backup-fleet').map(({ arn }) => cloud.executionEnded(arn)));
  }
  await cloud.advanceTo(new Date(now() + 45 * 60_000));
  return {
    deployment,
    clusters,
    close: async () => {
      await deployment.close();
      await clusters.stop();
    },
  };
};
