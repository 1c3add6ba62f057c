import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { userInfo } from 'node:os';
import { afterAll } from 'vitest';

export interface Application {
  readonly id: string;
  readonly user: string;
  readonly name: string;
  readonly queue: string;
  readonly tags: string;
  state: string;
  finalStatus: string;
  diagnostics: string;
  lifetime: string;
}

const COUNTERS = { BANDWIDTH_IN_BYTES: 6_666_666, BYTESCOPIED: 40_000_000, BYTESEXPECTED: 40_000_000, COPY: 40 };

const servers: Server[] = [];
afterAll(() => {
  for (const server of servers) {
    server.closeAllConnections();
    server.close();
  }
});

const started = async (answer: (url: URL, method: string, body: string, response: ServerResponse) => void) => {
  const server = createServer((request, response) => {
    let body = '';
    request.setEncoding('utf8').on('data', (text: string) => {
      body += text;
    });
    request.on('end', () => answer(new URL(request.url ?? '', 'http://x'), request.method ?? '', body, response));
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
};

const json = (response: ServerResponse, status: number, value: unknown): void => {
  response.writeHead(status, { 'content-type': 'application/json;charset=utf-8' });
  response.end(typeof value === 'string' ? value : JSON.stringify(value));
};

/** An application as the resource manager of Hadoop 3.4.3 lists it, its repeated key and all. */
const listed = (it: Application, n: number): string =>
  `{"id":"${it.id}","user":"${it.user}","name":"${it.name}","queue":"root.${it.queue}","state":"${it.state}",` +
  `"finalStatus":"${it.finalStatus}","progress":${it.state === 'RUNNING' ? 25.6 : '100.0'},"trackingUI":"History",` +
  `"trackingUrl":"http://localhost:23088/proxy/${it.id}/","diagnostics":${JSON.stringify(it.diagnostics)},` +
  `"clusterId":1795204417215,"applicationType":"MAPREDUCE","applicationTags":"${it.tags}","priority":0,` +
  `"startedTime":${1795204619775 + n},"launchTime":1795204620607,"finishedTime":1795204631803,"elapsedTime":12028,` +
  `"resourceSecondsMap":{"entry":{"key":"memory-mb","value":"15092"},"entry":{"key":"vcores","value":"28"}},` +
  `"queueUsagePercentage":0.0,"amNodeLabelExpression":"","timeouts":{"timeout":[{"type":"LIFETIME",` +
  `"expiryTime":"${it.lifetime}","remainingTimeInSeconds":-1}]}}`;

const LIVE = ['NEW', 'NEW_SAVING', 'SUBMITTED', 'ACCEPTED', 'RUNNING'];

/**
 * The web addresses of a resource manager and of a history server, answering as those of Hadoop 3.4.3 were recorded to.
 * The fake `hadoop` submits to it by {@link YarnCluster.client}.
 */
export class YarnCluster {
  readonly applications: Application[] = [];
  readonly queues = ['default', 'backup'];
  readonly user = userInfo().username;
  /** What an application is in after it was submitted. */
  submitted: Pick<Application, 'state' | 'finalStatus'> = { state: 'FINISHED', finalStatus: 'SUCCEEDED' };
  counters: Readonly<Record<string, number>> = { ...COUNTERS, DIR_COPY: 1 };
  manager: 'answers' | 'is away' | 'is cut' | 'stands by' = 'answers';
  /** It does not end what it is told to end. */
  obeys = true;
  hasHistory = true;
  rm = '';
  history = '';
  #last = 0;

  async start(): Promise<this> {
    this.rm = await started((...of) => this.#manager(...of));
    this.history = await started((...of) => this.#history(...of));
    return this;
  }

  add(change: Partial<Application>): Application {
    this.#last += 1;
    const id = `application_1795204417215_${String(this.#last).padStart(4, '0')}`;
    const application = {
      ...{ id, user: this.user, name: 'distcp', queue: 'backup', tags: '', diagnostics: '', lifetime: 'UNLIMITED' },
      ...this.submitted,
      ...change,
    };
    this.applications.push(application);
    return application;
  }

  /** Of the fake `hadoop`: submits what its words say, as `distcp -async` does. */
  get client(): string {
    return `curl -sS -f --data-binary "$*" ${this.rm}/submit || exit 25; echo 'DistCp job-id: job_1'`;
  }

  #submit(words: string): void {
    const of = (name: string) => new RegExp(`-D ${name}=(\\S+)`).exec(words)?.[1] ?? '';
    this.add({
      name: `distcp: ${of('mapreduce.job.name')}`,
      queue: of('mapreduce.job.queuename'),
      tags: of('mapreduce.job.tags').toLowerCase(),
    });
  }

  #manager(url: URL, method: string, body: string, response: ServerResponse): void {
    if (url.pathname === '/submit') {
      this.#submit(body);
      response.end();
      return;
    }
    if (this.manager === 'is away') {
      response.destroy();
      return;
    }
    if (this.manager === 'stands by') {
      response.writeHead(307, { location: 'http://other:8088/' });
      response.end('This is standby RM. The redirect url is: http://other:8088/');
      return;
    }
    const text = this.#answer(url, method, body);
    const isCut = this.manager === 'is cut';
    json(response, text.endsWith('"state":"RUNNING"}') ? 202 : 200, isCut ? text.slice(0, -20) : text);
  }

  #answer({ pathname, searchParams }: URL, method: string, body: string): string {
    const [, id, what] = /^\/ws\/v1\/cluster\/apps\/([^/]+)\/(.*)$/.exec(pathname) ?? [];
    const application = this.applications.find((it) => it.id === id);
    if (method === 'PUT' && application && what === 'timeout') {
      application.lifetime = JSON.parse(body).timeout.expiryTime;
      return JSON.stringify({ timeout: { ...JSON.parse(body).timeout, remainingTimeInSeconds: 7 } });
    }
    if (method === 'PUT' && application && what === 'state') {
      if (this.obeys) this.kill(application, `Application ${id} was killed by user ${this.user}`);
      return '{"state":"RUNNING"}';
    }
    if (pathname.endsWith('/scheduler'))
      return JSON.stringify({
        scheduler: {
          schedulerInfo: {
            type: 'capacityScheduler',
            queueName: 'root',
            queues: {
              queue: this.queues.map((queueName) => ({ queueName, queuePath: `root.${queueName}`, state: 'RUNNING' })),
            },
            maximumAllocation: { memory: 8192, vCores: 4 },
          },
        },
      });
    const states = searchParams.get('states')?.split(',');
    const tag = searchParams.get('applicationTags')?.toLowerCase() ?? '';
    const found = this.applications.filter(
      (it) => it.tags.split(',').includes(tag) && (!states || states.includes(it.state)),
    );
    return found.length === 0 ? '{"apps":{}}' : `{"apps":{"app":[${found.map(listed).join(',')}]}}`;
  }

  kill(application: Application, diagnostics: string): void {
    if (!LIVE.includes(application.state)) return;
    Object.assign(application, { state: 'KILLED', finalStatus: 'KILLED', diagnostics });
  }

  succeed(application: Application): void {
    Object.assign(application, { state: 'FINISHED', finalStatus: 'SUCCEEDED' });
  }

  #history({ pathname }: URL, _method: string, _body: string, response: ServerResponse): void {
    if (pathname === '/ws/v1/history/info') {
      json(response, 200, { historyInfo: { startedOn: 1795204417215, hadoopVersion: '3.4.3' } });
      return;
    }
    const job = /\/jobs\/(job_[0-9_]+)\/counters$/.exec(pathname)?.[1] ?? '';
    const known = this.applications.some(
      (it) => it.id.endsWith(job.slice(3)) && it.state === 'FINISHED' && this.hasHistory,
    );
    if (!known) {
      json(response, 404, {
        RemoteException: {
          exception: 'NotFoundException',
          message: `java.lang.Exception: job, ${job}, is not found`,
          javaClassName: 'org.apache.hadoop.yarn.webapp.NotFoundException',
        },
      });
      return;
    }
    const group = (counterGroupName: string, counters: Readonly<Record<string, number>>) => ({
      counterGroupName,
      counter: Object.entries(counters).map(([name, totalCounterValue]) => ({
        ...{ name, totalCounterValue, mapCounterValue: totalCounterValue, reduceCounterValue: 0 },
      })),
    });
    json(response, 200, {
      jobCounters: {
        id: job,
        counterGroup: [
          group('org.apache.hadoop.mapreduce.FileSystemCounter', { FILE_BYTES_READ: 10_814, COPY: 7 }),
          group('org.apache.hadoop.tools.mapred.CopyMapper$Counter', this.counters),
        ],
      },
    });
  }
}
