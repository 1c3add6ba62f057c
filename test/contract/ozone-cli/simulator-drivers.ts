import { execFile } from 'node:child_process';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { OzoneSimulator, SimulatedOzone } from '../../ozone-simulator/simulator.ts';
import type { Driver, Ran } from './driver.ts';

const folder = (): Promise<string> => mkdtemp(join(tmpdir(), 'ozone-cli-'));

/** Starts a program the way a host does. An exit code of its own, 137 or 143 when a signal ended it. */
export const start = (file: string, argv: readonly string[], cwd: string): Promise<Ran> =>
  new Promise((resolve) => {
    execFile(file, argv, { cwd, maxBuffer: 1 << 26, encoding: 'utf8' }, (error, stdout, stderr) => {
      const exit =
        error === null ? 0 : typeof error.code === 'number' ? error.code : error.signal === 'SIGKILL' ? 137 : 143;
      resolve({ exit, stdout, stderr });
    });
  });

/** The simulator's executables as processes; preparations inside this process. */
export const processDriver = (simulator: OzoneSimulator): Driver => ({
  run: ([program = '', ...argv], cwd = simulator.directory) => start(join(simulator.bin, program), argv, cwd),
  prepare: async ([program, ...argv]) => simulator.inProcess.run(program === 'hadoop' ? 'hadoop' : 'ozone', argv),
  change: (url, changes) => simulator.change(url, changes),
  tree: (url) => simulator.tree(url),
  folder,
});

/** The same commands without processes, in an environment that may ask for a deliberate mistake. */
export const memoryDriver = (simulated: SimulatedOzone, env: Readonly<Record<string, string>> = {}): Driver => {
  const run = async ([program, ...argv]: readonly string[], cwd = '/'): Promise<Ran> =>
    simulated.run(program === 'hadoop' ? 'hadoop' : 'ozone', argv, { env, cwd });
  return {
    run,
    prepare: (argv) => run(argv),
    change: async (url, changes) => simulated.change(url, changes),
    tree: async (url) => simulated.tree(url),
    folder,
  };
};
