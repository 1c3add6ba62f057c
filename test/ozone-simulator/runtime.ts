import { writeSync } from 'node:fs';
import { sleepMs } from './store/lock.ts';

/** One started program: where its output goes and how it can end without an exit code of its own. */
export interface Runtime {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  out(text: string): void;
  err(text: string): void;
  sleep(ms: number): void;
  /** SIGKILL to this very process. */
  kill(): never;
  /** Waits for ever, as a client does that nobody bounds. */
  hang(): never;
}

export interface Finished {
  /** 137 when it was killed, 124 when it hung (what `timeout` makes of it). */
  readonly exit: number;
  readonly stdout: string;
  readonly stderr: string;
}

export class Killed extends Error {
  override readonly name = 'Killed';
}

export class Hung extends Error {
  override readonly name = 'Hung';
}

export const processRuntime = (): Runtime => ({
  env: process.env,
  cwd: process.cwd(),
  out: (text) => write(1, text),
  err: (text) => write(2, text),
  sleep: sleepMs,
  kill() {
    process.kill(process.pid, 'SIGKILL');
    for (;;) sleepMs(1_000);
  },
  hang() {
    for (;;) sleepMs(60_000);
  },
});

/** A pipe may be full for a moment or closed by its reader: the first is waited out, the second is not our failure. */
function write(fd: number, text: string): void {
  const bytes = Buffer.from(text);
  for (let done = 0; done < bytes.length; ) {
    try {
      done += writeSync(fd, bytes, done);
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'EAGAIN')) return;
      sleepMs(2);
    }
  }
}

/** Runs a command inside this process: same code, no start-up time. A kill or an endless wait ends it with an exception. */
export function runInProcess(env: Runtime['env'], cwd: string, command: (runtime: Runtime) => number): Finished {
  const written = { stdout: '', stderr: '' };
  const runtime: Runtime = {
    env,
    cwd,
    out: (text) => {
      written.stdout += text;
    },
    err: (text) => {
      written.stderr += text;
    },
    sleep: () => undefined,
    kill() {
      throw new Killed();
    },
    hang() {
      throw new Hung();
    },
  };
  return { exit: exitOf(() => command(runtime)), ...written };
}

function exitOf(command: () => number): number {
  try {
    return command();
  } catch (error) {
    if (error instanceof Killed) return 137;
    if (error instanceof Hung) return 124;
    throw error;
  }
}
