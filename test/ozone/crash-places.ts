import { SendCommandCommand } from '@aws-sdk/client-ssm';
import { REPLICA_HOST } from '../fixtures/deployment.ts';
import type { Change } from '../ozone-cluster/ozone-clusters.ts';
import type { Operation, PolicyKind, Scene } from './crash-stage.ts';

const put = (path: string, size: number, seed: number): Change => ({ op: 'put', path, size, seed });
const many = (count: number, change: (i: number) => Change): readonly Change[] =>
  Array.from({ length: count }, (_, i) => change(i));

/** At 1 MB/s each takes distcp 0.3 s: a copy of them can be met in the middle. */
const LARGE = 300_000;

/** Small files that the increment renames, deletes and overwrites, one by one. */
const smallContent: readonly Change[] = [
  ...many(20, (i) => put(`old/moved-${i}`, 100 + i, i)),
  ...many(20, (i) => put(`gone/${i}`, 100 + i, 100 + i)),
  ...many(6, (i) => put(`kept/${i}`, 500, 200 + i)),
  put('directory/inside/file', 70, 7),
  { op: 'mkdir', path: 'empty' },
];
const largeContent = (seed: number): readonly Change[] =>
  many(14, (i) => put(`large-${seed}/${i % 3}/${i}`, LARGE, seed + i));

/** Renames and deletions, which the sync does, then files to be copied. */
const everyKindOfChange: readonly Change[] = [
  ...many(20, (i) => ({ op: 'mv', path: `old/moved-${i}`, to: `old/renamed-${i}` })),
  ...many(20, (i) => ({ op: 'rm', path: `gone/${i}` })),
  ...many(4, (i) => put(`kept/${i}`, 500, 300 + i)),
  { op: 'mv', path: 'directory', to: 'directory-renamed' },
  put('directory-renamed/inside/another', 80, 8),
  ...largeContent(1000),
];

/** Directories that make the sync long enough to be met in the middle: each is moved out of the way, then to its new name. */
const DIRECTORIES = 150;
const longSync = {
  content: many(DIRECTORIES, (i) => ({ op: 'mkdir', path: `many/${i}` })),
  changes: many(DIRECTORIES, (i) => ({ op: 'mv', path: `many/${i}`, to: `many/renamed-${i}` })),
};

/** A moment in which something dies, and what is done then. */
export interface Place {
  readonly name: string;
  readonly policy: PolicyKind;
  /** Lets it happen; all runs go through the scene. The test then gives the bucket up to two further runs. */
  readonly play: (scene: Scene) => Promise<void>;
  /** Verified points that there must be in the end, where each slot counts. */
  readonly verified?: number;
}

/** What is done beside a run, at its moment. */
type Strike = (scene: Scene) => Promise<void>;

const firstCopy =
  (strike: Strike): Place['play'] =>
  async (scene) => {
    await scene.clusters.change(scene.source, [...smallContent, ...largeContent(0)]);
    await scene.runBeside(() => strike(scene));
  };

/** A verified pair, and changes of every kind that are not yet copied. */
const prepareIncrement = async (scene: Scene, more: Partial<typeof longSync> = {}): Promise<void> => {
  await scene.clusters.change(scene.source, [...smallContent, ...(more.content ?? [])]);
  const { status, cause } = await scene.run();
  if (status !== 'SUCCEEDED') throw new Error(`the first copy failed: ${cause}`);
  await scene.clusters.change(scene.source, [...everyKindOfChange, ...(more.changes ?? [])]);
  scene.prepared();
};

const increment =
  (strike: Strike): Place['play'] =>
  async (scene) => {
    await prepareIncrement(scene);
    await scene.runBeside(() => strike(scene));
  };

/** An increment whose sync is met after so many moves into distcp's temporary folder. */
const sync =
  (moves: number, strike: (scene: Scene, copy: Operation) => Promise<void>): Place['play'] =>
  async (scene) => {
    await prepareIncrement(scene, longSync);
    await scene.runBeside(async () => {
      const isSyncing = scene.syncing(moves);
      const copy = await scene.operation('replicate');
      await isSyncing;
      await strike(scene, copy);
    });
  };

/** An increment that finds a foreign write on the replica, so that the same run goes on with a resync. */
const resync =
  (strike: (scene: Scene, resync: Operation) => Promise<void>): Place['play'] =>
  async (scene) => {
    await prepareIncrement(scene);
    await scene.clusters.change(scene.replica, [put('intruder', 5, 20), { op: 'rm', path: 'kept/5' }]);
    await scene.runBeside(async () => {
      await scene.operation('replicate');
      await strike(scene, await scene.operation('replicate'));
    });
  };

const copyMet = async (scene: Scene, files: number): Promise<Operation> => {
  const copy = await scene.operation('replicate');
  await scene.copying(copy, files);
  return copy;
};

/** Waits until distcp has ended well and the seal's command is at work. */
const sealMet = async (scene: Scene): Promise<Operation> => {
  const copy = await scene.operation('replicate');
  await scene.process(copy, /OzoneShell.* snapshot create o3:\/\/dr\//);
  return copy;
};

const expectFailure = (what: string, { status }: { readonly status: string }): void => {
  if (status !== 'FAILED') throw new Error(`${what}: a run that must fail is ${status}`);
};

/** Processes of one operation die, and no other bucket notices: these may be played side by side. */
export const placesOfProcesses: readonly Place[] = [
  // ------------------------------------------------------------ distcp
  {
    name: 'first copy: distcp killed -9 early',
    policy: 'slow',
    play: firstCopy(async (scene) => scene.killDistcp(await copyMet(scene, 3), 'SIGKILL', 'group')),
  },
  {
    name: 'first copy: distcp killed -9 late, in the retry again',
    policy: 'slow',
    play: firstCopy(async (scene) => {
      await scene.killDistcp(await copyMet(scene, 50), 'SIGKILL', 'group');
      await scene.killDistcp(await copyMet(scene, 3), 'SIGKILL', 'java');
    }),
  },
  {
    name: 'increment, sync: distcp killed -9 after moves to its temporary folder',
    policy: 'slow',
    play: sync(20, async (scene, copy) => {
      await scene.killDistcp(copy, 'SIGKILL', 'group');
      await scene.leftInSync(copy);
    }),
  },
  {
    name: 'increment, copy: JVM of distcp killed -9',
    policy: 'slow',
    play: increment(async (scene) => scene.killDistcp(await copyMet(scene, 4), 'SIGKILL', 'java')),
  },
  {
    name: 'increment, copy: distcp ended by SIGTERM',
    policy: 'slow',
    play: increment(async (scene) => scene.killDistcp(await copyMet(scene, 4), 'SIGTERM', 'group')),
  },
  {
    name: 'increment, sync killed -9, then the resync that repairs it killed -9',
    policy: 'slow',
    play: sync(100, async (scene, copy) => {
      await scene.killDistcp(copy, 'SIGKILL', 'java');
      await scene.leftInSync(copy);
      await scene.killDistcp(await copyMet(scene, 4), 'SIGKILL', 'group');
    }),
  },
  {
    name: 'increment: distcp killed -9 in every try of the run',
    policy: 'slow',
    play: increment(async (scene) => {
      for (let tries = 0; tries < 3; tries += 1) await scene.killDistcp(await copyMet(scene, 2), 'SIGKILL', 'group');
    }),
  },
  {
    name: 'resync, copy: distcp killed -9',
    policy: 'slow',
    play: resync(async (scene, copy) => {
      await scene.copying(copy, 4);
      await scene.killDistcp(copy, 'SIGKILL', 'group');
    }),
  },

  // ------------------------------------------------------------ the script and its command
  {
    name: 'seal: its command killed -9 before it asked',
    policy: 'quick',
    play: increment(async (scene) => {
      const copy = await scene.operation('replicate');
      const { pid } = await scene.process(copy, /OzoneShell.* snapshot create o3:\/\/dr\//);
      process.kill(pid, 'SIGKILL');
    }),
  },
  {
    name: 'seal: script killed -9 when the seal was just made, the same slot again',
    policy: 'quick',
    play: async (scene) => {
      await prepareIncrement(scene);
      const { status } = await scene.runBeside(async () => {
        const isSealed = scene.hasSnapshot('dr');
        const copy = await sealMet(scene);
        await scene.stopScript(copy);
        await isSealed;
        await scene.killScript(copy);
      });
      expectFailure('the answer was lost', { status });
      await scene.run('same slot');
    },
  },
  {
    name: 'increment, copy: script killed -9, distcp lives on',
    policy: 'slow',
    play: increment(async (scene) => scene.killScript(await copyMet(scene, 4))),
  },
  {
    name: 'first copy: script killed -9, distcp lives on',
    policy: 'slow',
    play: firstCopy(async (scene) => scene.killScript(await copyMet(scene, 4))),
  },
  {
    name: 'increment: script killed -9 in its checks, before distcp',
    policy: 'quick',
    play: increment(async (scene) => {
      const copy = await scene.operation('replicate');
      await scene.process(copy, /OzoneShell.* bucket info o3:\/\/dr\//);
      await scene.killScript(copy);
    }),
  },
  {
    name: 'increment, copy: command cancelled through Run Command',
    policy: 'slow',
    play: increment(async (scene) => {
      await scene.cancel(await copyMet(scene, 4));
    }),
  },
  {
    name: 'increment, copy: execution stopped by a person',
    policy: 'slow',
    play: increment(async (scene) => {
      await copyMet(scene, 4);
      await scene.stopExecution();
    }),
  },
  {
    name: 'increment, copy: the command delivered a second time',
    policy: 'slow',
    play: increment(async (scene) => {
      const copy = await copyMet(scene, 4);
      const { document, parameters } = copy.command;
      await scene.client.send(
        new SendCommandCommand({
          DocumentName: document.name,
          InstanceIds: [REPLICA_HOST],
          Comment: copy.id,
          Parameters: Object.fromEntries(Object.entries(parameters).map(([name, values]) => [name, [...values]])),
        }),
      );
      const second = scene.deployment.cloud.commands().at(-1);
      if (!second || second.id === copy.command.id || second.comment !== copy.id) throw new Error('no second delivery');
      const ends = await Promise.all([scene.ended(copy), scene.ended({ ...copy, command: second })]);
      const [first, other] = [copy.command, second].map(({ invocations }) => invocations[0]?.stdout);
      if (ends.join() !== 'Success,Success' || first !== other) throw new Error(`two answers: ${first} and ${other}`);
    }),
  },
];

/** Something dies that every bucket needs: these are played one at a time. */
export const placesOfServices: readonly Place[] = [
  {
    name: 'increment, copy: host rebooted, its agent forgets the command',
    policy: 'slow',
    play: increment(async (scene) => {
      const copy = await copyMet(scene, 4);
      scene.deployment.cloud.host(REPLICA_HOST).crash();
      await scene.killAll(copy);
      scene.deployment.cloud.host(REPLICA_HOST).connect();
      await scene.stopExecution();
    }),
  },

  // ------------------------------------------------------------ managers
  {
    name: 'survey: OM of the source killed, with the request',
    policy: 'quick',
    play: increment(async (scene) => {
      const survey = await scene.operation('survey');
      await scene.killWithRequest('prod');
      await scene.ended(survey);
      await scene.restart('prod', 'om');
    }),
  },
  {
    name: 'snapshot: OM of the source killed, with the request',
    policy: 'quick',
    play: increment(async (scene) => {
      const snapshot = await scene.operation('snapshot');
      await scene.killWithRequest('prod');
      await scene.ended(snapshot);
      await scene.restart('prod', 'om');
    }),
  },
  {
    name: 'snapshot: OM of the source killed when it had just taken the snapshot',
    policy: 'quick',
    play: increment(async (scene) => {
      const isTaken = scene.hasSnapshot('prod');
      await scene.operation('snapshot');
      await isTaken;
      await scene.clusters.kill('prod', 'om');
      await scene.restart('prod', 'om');
    }),
  },
  {
    name: 'diff: OM of the source killed when the job had just begun',
    policy: 'quick',
    play: increment(async (scene) => {
      const isBegun = scene.managerLogs('prod', /Starting diff report generation/);
      await scene.operation('snapshot');
      await isBegun;
      await scene.clusters.kill('prod', 'om');
      await scene.restart('prod', 'om');
    }),
  },
  {
    name: 'increment, copy: OM of the source killed',
    policy: 'slow',
    play: increment(async (scene) => {
      await copyMet(scene, 4);
      await scene.clusters.kill('prod', 'om');
      await scene.restart('prod', 'om');
    }),
  },
  {
    name: 'increment, sync: OM of the replica killed',
    policy: 'quick',
    play: sync(20, async (scene, copy) => {
      await scene.clusters.kill('dr', 'om');
      await scene.restart('dr', 'om');
      await scene.leftInSync(copy);
    }),
  },
  {
    name: 'seal: OM of the replica killed, with the request',
    policy: 'quick',
    play: increment(async (scene) => {
      const copy = await sealMet(scene);
      await scene.killWithRequest('dr');
      await scene.ended(copy);
      await scene.restart('dr', 'om');
    }),
  },
  {
    name: 'seal: OM of the replica killed when it had just made the seal',
    policy: 'quick',
    play: increment(async (scene) => {
      const isSealed = scene.hasSnapshot('dr');
      await isSealed;
      await scene.clusters.kill('dr', 'om');
      await scene.restart('dr', 'om');
    }),
  },
  {
    name: 'seal to verification: both OMs killed',
    policy: 'quick',
    play: increment(async (scene) => {
      await scene.ended(await scene.operation('replicate'));
      await Promise.all([scene.clusters.kill('prod', 'om'), scene.clusters.kill('dr', 'om')]);
      await Promise.all([scene.restart('prod', 'om'), scene.restart('dr', 'om')]);
    }),
  },
  {
    name: 'verification: OM of the replica killed, with the request',
    policy: 'quick',
    play: increment(async (scene) => {
      const verify = await scene.operation('verify');
      await scene.killWithRequest('dr');
      await scene.ended(verify);
      await scene.restart('dr', 'om');
    }),
  },

  // ------------------------------------------------------------ datanodes and container managers
  {
    name: 'increment, copy: datanode of the replica killed, back at once',
    policy: 'slow',
    play: increment(async (scene) => {
      await copyMet(scene, 4);
      await scene.clusters.kill('dr', 'dn');
      await scene.restart('dr', 'dn');
    }),
  },
  {
    name: 'increment, copy: datanode of the source killed, back at once',
    policy: 'slow',
    play: increment(async (scene) => {
      await copyMet(scene, 4);
      await scene.clusters.kill('prod', 'dn');
      await scene.restart('prod', 'dn');
    }),
  },
  {
    name: 'increment, copy: datanode of the source gone until the copy has failed',
    policy: 'slow',
    play: increment(async (scene) => {
      const copy = await copyMet(scene, 4);
      await scene.clusters.kill('prod', 'dn');
      await scene.ended(copy);
      await scene.restart('prod', 'dn');
    }),
  },
  {
    name: 'increment, copy: SCM of the replica killed, back at once',
    policy: 'slow',
    play: increment(async (scene) => {
      await copyMet(scene, 4);
      await scene.clusters.kill('dr', 'scm');
      await scene.restart('dr', 'scm');
    }),
  },

  // ------------------------------------------------------------ whole clusters, whole slots
  {
    name: 'replica cluster down for two slots',
    policy: 'hasty',
    // The first copy, both slots of the outage, and the one after it.
    verified: 4,
    play: async (scene) => {
      await prepareIncrement(scene);
      await scene.killCluster('dr');
      for (const slot of [1, 2]) {
        expectFailure('the replica is down', await scene.run());
        const [point] = await scene.deployment.points(scene.bucket);
        if (point?.state !== 'taken') throw new Error(`slot ${slot} has no point on the source: ${point?.state}`);
        await scene.clusters.change(scene.source, [put(`between-slots/${slot}`, 100, slot)]);
      }
      await scene.restart('dr', 'scm', 'om', 'dn');
    },
  },
  {
    name: 'OM of the source down for one slot',
    policy: 'hasty',
    play: async (scene) => {
      await prepareIncrement(scene);
      await scene.clusters.kill('prod', 'om');
      expectFailure('the source is down', await scene.run());
      await scene.restart('prod', 'om');
    },
  },
];
