import { spawn } from 'node:child_process';
import { chmodSync, closeSync, mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export interface ProcessResult {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
  readonly ending: 'exited' | 'timed-out' | 'killed';
}

/** A script that runs; `kill` ends its whole process group. */
export interface RunningProcess {
  readonly result: Promise<ProcessResult>;
  readonly kill: () => void;
}

/**
 * Runs a script as the SSM Agent does (plugin runscript): the lines in `_script.sh`, run by `sh -c <path>`, so that a
 * script without a first line of its own is read by the host's `sh`; output into files, so that a process left in the
 * background holds nobody up; a time-out or a cancellation kills the process group.
 */
export function runScript(options: {
  readonly directory: string;
  readonly script: string;
  readonly workingDirectory: string | undefined;
  readonly environment: Readonly<Record<string, string>>;
  readonly timeoutSeconds: number;
}): RunningProcess {
  mkdirSync(options.directory, { recursive: true });
  const file = join(options.directory, '_script.sh');
  writeFileSync(file, `${options.script}\n`);
  chmodSync(file, 0o700);
  const outFile = join(options.directory, 'stdout');
  const errFile = join(options.directory, 'stderr');
  const out = openSync(outFile, 'w');
  const err = openSync(errFile, 'w');
  const child = spawn('/bin/sh', ['-c', `'${file}'`], {
    cwd: options.workingDirectory ?? options.directory,
    env: { ...options.environment },
    stdio: ['ignore', out, err],
    detached: true,
  });
  closeSync(out);
  closeSync(err);
  let ending: ProcessResult['ending'] = 'exited';
  const end = (how: 'timed-out' | 'killed') => {
    if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return;
    ending = how;
    killGroup(child.pid);
  };
  const timer = setTimeout(() => end('timed-out'), options.timeoutSeconds * 1000);
  const result = new Promise<ProcessResult>((resolve, reject) => {
    child.on('error', (error) => {
      clearTimeout(timer);
      reject(error);
    });
    child.on('exit', (code) => {
      clearTimeout(timer);
      resolve({
        exitCode: code ?? -1,
        stdout: readFileSync(outFile, 'utf8'),
        stderr: readFileSync(errFile, 'utf8'),
        ending,
      });
    });
  });
  return { result, kill: () => end('killed') };
}

function killGroup(pid: number): void {
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // The group ended between the look and the signal.
  }
}
