import { chmodSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { buildSimulator } from './build.mjs';
import { applyChanges, type Change, snapshotsOf, type TreeEntry, treeOf } from './change.ts';
import { type Program, runProgram } from './cli.ts';
import type { FaultRule } from './faults/rules.ts';
import { type Finished, runInProcess } from './runtime.ts';
import { Session } from './session.ts';
import type { Settings } from './store/model.ts';
import {
  type Clock,
  folderUniverse,
  type MutableUniverse,
  memoryUniverse,
  prepareFolder,
  type Watch,
} from './universe.ts';

/** The environment and the working folder of a command. */
export interface Where {
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
}

/** Simulated clusters inside this process: the same commands as the executables, without starting any. */
export interface SimulatedOzone {
  readonly services: readonly string[];
  /** Runs `ozone …` or `hadoop …`; a kill ends it with 137, an endless wait with 124. */
  run(program: Program, argv: readonly string[], where?: Where): Finished;
  createBucket(bucketUrl: string): void;
  change(bucketUrl: string, changes: readonly Change[]): void;
  tree(url: string): ReadonlyMap<string, TreeEntry>;
  /** The active snapshots of a bucket, oldest first; none when there is no bucket. */
  snapshots(bucketUrl: string): readonly { readonly name: string; readonly id: string }[];
  /** Names of the buckets of a volume. */
  buckets(service: string, volume: string): readonly string[];
  setClock(clock: Clock): void;
  setFaults(rules: readonly FaultRule[]): void;
  /** By service id; `*` for all. */
  setSettings(settings: Readonly<Record<string, Partial<Settings>>>): void;
}

/** The same clusters behind executables, shaped as an edge host has them; what tests of real clusters take, too. */
export interface OzoneSimulator {
  readonly services: readonly string[];
  /** Folder with `ozone` and `hadoop`; they need nothing from the environment. */
  readonly bin: string;
  readonly directory: string;
  /** The folder's clusters inside this process, for preparing and inspecting. */
  readonly inProcess: SimulatedOzone;
  hostConfig(path: string, more?: Readonly<Record<string, string>>): Promise<string>;
  ozone(...args: readonly string[]): Promise<string>;
  createBucket(bucketUrl: string): Promise<void>;
  change(bucketUrl: string, changes: readonly Change[]): Promise<void>;
  tree(url: string): Promise<ReadonlyMap<string, TreeEntry>>;
  stop(): Promise<void>;
}

export interface SimulatorOptions {
  readonly directory: string;
  /** Service ids, `prod` and `dr` by default. */
  readonly services?: readonly string[];
}

const defaultServices = ['prod', 'dr'];

/** Clusters in memory only: for many short histories. */
export const simulateInMemory = (services: readonly string[] = defaultServices, watch?: Watch): SimulatedOzone =>
  simulated(memoryUniverse(services, watch), '/');

/** Makes (or opens) the clusters of a folder and its `bin`. Clusters that are there are kept. */
export async function createSimulator(options: SimulatorOptions): Promise<OzoneSimulator> {
  const { directory } = options;
  prepareFolder(directory, options.services ?? defaultServices);
  const bin = await writeExecutables(directory);
  const inProcess = simulated(folderUniverse(directory, {}), directory);
  return {
    services: inProcess.services,
    bin,
    directory,
    inProcess,
    async hostConfig(path, more = {}) {
      const settings = { path: bin, java_home: '/usr', state: `${path}.state`, ...more };
      writeFileSync(
        path,
        Object.entries(settings)
          .map(([key, value]) => `${key}=${value}\n`)
          .join(''),
      );
      return path;
    },
    async ozone(...args) {
      const finished = inProcess.run('ozone', args);
      if (finished.exit !== 0) throw new Error(`ozone ${args.join(' ')}: exit ${finished.exit}\n${finished.stderr}`);
      return finished.stdout;
    },
    createBucket: async (url) => inProcess.createBucket(url),
    change: async (url, changes) => inProcess.change(url, changes),
    tree: async (url) => inProcess.tree(url),
    stop: async () => rmSync(directory, { recursive: true, force: true }),
  };
}

async function writeExecutables(directory: string): Promise<string> {
  const main = await buildSimulator();
  const bin = join(directory, 'bin');
  mkdirSync(bin, { recursive: true });
  for (const program of ['ozone', 'hadoop']) {
    const words = [process.execPath, main, directory, program].map((word) => `'${word.replaceAll("'", `'\\''`)}'`);
    writeFileSync(join(bin, program), `#!/bin/sh\nexec ${words.join(' ')} "$@"\n`);
    chmodSync(join(bin, program), 0o755);
  }
  return bin;
}

function simulated(universe: MutableUniverse, cwd: string): SimulatedOzone {
  /** Preparing and inspecting is not a command: no fault strikes it. */
  const within = <T>(work: (session: Session) => T): T => {
    let result: readonly T[] = [];
    runInProcess({}, cwd, (runtime) => {
      result = [work(new Session(universe, runtime, []))];
      return 0;
    });
    const [value] = result;
    if (value === undefined) throw new Error('interrupted');
    return value;
  };
  return {
    services: universe.services,
    run: (program, argv, where = {}) =>
      runInProcess(where.env ?? {}, where.cwd ?? cwd, (runtime) => runProgram(universe, runtime, program, argv)),
    createBucket: (url) => {
      within((session) => [applyChanges(session, url, [{ op: 'mkdir', path: '' }])]);
    },
    change: (url, changes) => {
      within((session) => [applyChanges(session, url, changes)]);
    },
    tree: (url) => within((session) => treeOf(session, url)),
    snapshots: (url) => within((session) => snapshotsOf(session, url)),
    buckets: (service, volume) =>
      within((session) =>
        session
          .om(service)
          .buckets(volume)
          .map(({ name }) => name),
      ),
    setClock: universe.setClock,
    setFaults: universe.setFaults,
    setSettings: universe.setSettings,
  };
}
