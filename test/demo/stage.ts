import { mkdtempSync, readdirSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Clusters, DeploymentOptions } from '../fixtures/deployment.ts';
import type { CloudEvent } from '../local-cloud/index.ts';
import { startOzoneClusters } from '../ozone-cluster/ozone-clusters.ts';
import { createSimulator } from '../ozone-simulator/simulator.ts';

/** The clusters of the demo, and the troubles that can be made there. */
export interface Stage {
  readonly clusters: Clusters;
  readonly options: Pick<DeploymentOptions, 'clock' | 'duration'>;
  /** Sees every event of the cloud before anybody else acts on it. */
  onEvent(event: CloudEvent): void;
  /** Tells the clusters the time of the story; nothing on real ones. */
  setTime(at: Date): void;
  replicaGoesAway(): Promise<void>;
  replicaComesBack(): Promise<void>;
  /** The next distcp is killed while it changes the replica. */
  killNextCopy(): void;
}

/** A JVM start counts as two seconds of the story: about what real ones take. */
const SECONDS_PER_JVM = 2;

/** Simulated clusters in virtual time. */
export const simulatedStage = async (from: Date): Promise<Stage> => {
  const clusters = await createSimulator({ directory: mkdtempSync(join(tmpdir(), 'ozone-dr-demo-')) });
  const { setClock, setFaults } = clusters.inProcess;
  const setTime = (at: Date) => setClock({ now: at.getTime(), skewMs: {} });
  return {
    clusters,
    options: {
      clock: { virtualFrom: from },
      duration: ({ stdout }) => SECONDS_PER_JVM * Number(/"jvmStarts":(\d+)/.exec(stdout)?.[1] ?? 0),
    },
    onEvent: (event) => {
      if (event.kind === 'command' && event.status === 'InProgress') setTime(new Date(event.at));
    },
    setTime,
    replicaGoesAway: async () => setFaults([{ id: 'outage', effect: { kind: 'unreachable', service: 'dr' } }]),
    replicaComesBack: async () => setFaults([]),
    killNextCopy: () =>
      setFaults([
        {
          id: 'killed copy',
          match: { program: 'hadoop', command: 'distcp.* -diff ' },
          times: 1,
          effect: { kind: 'crash', point: 'after:distcp-sync-move-to-tmp' },
        },
      ]),
  };
};

/** Two real Ozone clusters in real time. */
export const ozoneStage = async (directory: string, log: (line: string) => void): Promise<Stage> => {
  const clusters = await startOzoneClusters({ directory, log });
  let isToBeKilled = false;
  return {
    clusters,
    options: { clock: 'real' },
    onEvent: (event) => {
      if (!isToBeKilled || event.kind !== 'command-sent' || typeof event.comment !== 'string') return;
      void killDistcp(event.comment).then((killed) => {
        if (killed) isToBeKilled = false;
      });
    },
    setTime: () => undefined,
    replicaGoesAway: () => clusters.kill('dr', 'om'),
    replicaComesBack: () => clusters.restart('dr', 'om'),
    killNextCopy: () => {
      isToBeKilled = true;
    },
  };
};

/** Waits for the distcp of an operation, found by its tag, and kills it soon after; false when none came. */
const killDistcp = async (operation: string): Promise<boolean> => {
  for (let tries = 0; tries < 400; tries++) {
    const pid = javaWith(`mapreduce.job.tags=${operation}`);
    if (pid !== undefined) {
      // Late enough to be at work, early enough not to be done: distcp needs longer than this to load its classes.
      await sleep(1000);
      process.kill(pid, 'SIGKILL');
      return true;
    }
    await sleep(50);
  }
  return false;
};

const javaWith = (argument: string): number | undefined =>
  readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .find((pid) => {
      const [program = '', ...args] = commandLine(pid);
      return program.endsWith('java') && args.includes(argument);
    });

const commandLine = (pid: number): readonly string[] => {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
  } catch {
    return [];
  }
};
