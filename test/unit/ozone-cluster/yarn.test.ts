import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { stopYarn } from '../../ozone-cluster/yarn.ts';

let directory: string;
let started: number[];

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'ozone-dr-yarn-'));
  started = [];
});
afterEach(() => {
  for (const pid of started) if (lives(pid)) process.kill(pid, 'SIGKILL');
  rmSync(directory, { recursive: true });
});

/** A process whose command line holds the words, with its pid on record where a node manager writes that of a container. */
const container = (name: string, words: string): { readonly pid: number; readonly over: Promise<unknown> } => {
  const child = spawn('sh', ['-c', 'sleep 60; :', words], { detached: true, stdio: 'ignore' });
  const over = new Promise((resolve) => child.once('exit', resolve));
  const record = join(directory, 'data', 'yarn', 'nm-local', 'nmPrivate', 'application_1', name);
  mkdirSync(record, { recursive: true });
  writeFileSync(join(record, `${name}.pid`), `${child.pid}\n`);
  started.push(child.pid ?? 0);
  return { pid: child.pid ?? 0, over };
};
const lives = (pid: number): boolean => {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
};

it('containers that a killed run left are ended, and no process that has come by one of their pids', async () => {
  const ours = container('container_1', `${directory}/data/yarn/nm-local/x`);
  const foreign = container('container_2', '/somewhere/else');
  await stopYarn(directory);
  await ours.over;
  expect(lives(ours.pid)).toBe(false);
  expect(lives(foreign.pid)).toBe(true);
});

it('a folder in which no YARN ever ran is left alone', async () => {
  await expect(stopYarn(directory)).resolves.toBeUndefined();
});
