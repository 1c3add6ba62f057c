import { linkSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';

const nap = new Int32Array(new SharedArrayBuffer(4));

/** Blocks this process without spinning. */
export const sleepMs = (ms: number): void => {
  Atomics.wait(nap, 0, 0, ms);
};

const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
};

/** A holder that was killed leaves its lock behind; whoever finds it takes it away, but only that very one. */
function breakStale(path: string): void {
  const holder = readText(path);
  if (holder === '' || isAlive(Number(holder))) return;
  const taken = `${path}.${process.pid}.stale`;
  try {
    renameSync(path, taken);
  } catch {
    return;
  }
  if (readText(taken) !== holder) restore(taken, path);
  rmSync(taken, { force: true });
}

const restore = (taken: string, path: string): void => {
  try {
    linkSync(taken, path);
  } catch {
    // somebody holds the lock already
  }
};

const readText = (path: string): string => {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
};

/** Runs `work` while no other process does under the same path: where the real Ozone Manager applies one request at a time. */
export function withLock<T>(path: string, work: () => T): T {
  const mine = `${path}.${process.pid}`;
  writeFileSync(mine, String(process.pid));
  for (;;) {
    try {
      linkSync(mine, path);
      break;
    } catch {
      breakStale(path);
      sleepMs(2);
    }
  }
  try {
    return work();
  } finally {
    rmSync(path, { force: true });
    rmSync(mine, { force: true });
  }
}
