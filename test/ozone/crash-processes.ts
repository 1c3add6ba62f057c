import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { readFile } from 'node:fs/promises';

/** A process that an operation of an edge host started, the script itself included. */
export interface HostProcess {
  readonly pid: number;
  readonly group: number;
  readonly operation: string;
  readonly command: string;
  /** The script (or a subshell of it) has the parameter, what it starts has the tag. */
  readonly isScript: boolean;
}

const field = (environment: string, name: string): string | undefined =>
  environment
    .split('\0')
    .find((line) => line.startsWith(`${name}=`))
    ?.slice(name.length + 1);

/** The process, if it works below one of these folders of operations; undefined also for one that has just gone. */
const processAt = (pid: number, states: readonly string[]): HostProcess | undefined => {
  try {
    const folder = readlinkSync(`/proc/${pid}/cwd`);
    if (!states.some((state) => folder.startsWith(`${state}/`))) return undefined;
    const read = (file: string): string => readFileSync(`/proc/${pid}/${file}`, 'utf8');
    const [environment, command, stat] = [read('environ'), read('cmdline'), read('stat')];
    const parameter = field(environment, 'SSM_operation');
    const operation = field(environment, 'OZONE_DR_OPERATION') ?? parameter;
    const [, , group] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    if (operation === undefined) return undefined;
    return {
      pid,
      group: Number(group),
      operation,
      command: command.replaceAll('\0', ' '),
      isScript: parameter !== undefined,
    };
  } catch {
    return undefined;
  }
};

/**
 * All processes that were started by operations whose host keeps its state in one of these folders. Without promises: what the kernel
 * tells is there at once, and a hundred of them cost more than the looks.
 */
export const processesOf = (states: readonly string[]): readonly HostProcess[] =>
  readdirSync('/proc')
    .map(Number)
    .filter((pid) => pid > 1)
    .flatMap((pid) => processAt(pid, states) ?? []);

/** Bytes that wait, unread, in the connections to a port of this machine (Linux, /proc/net/tcp). */
export const unreadBytes = async (port: number): Promise<number> => {
  const tables = await Promise.all(['tcp', 'tcp6'].map((table) => readFile(`/proc/net/${table}`, 'utf8')));
  const local = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  return tables
    .flatMap((table) => table.split('\n').slice(1))
    .map((line) => line.trim().split(/\s+/))
    .filter(([, address, , state]) => address?.endsWith(local) && state === '01')
    .reduce((sum, [, , , , queues]) => sum + Number.parseInt(queues?.split(':')[1] ?? '0', 16), 0);
};

/** Sends a signal; a process or a group (negative) that has gone meanwhile is left alone. */
export const signal = (pid: number, name: NodeJS.Signals): void => {
  try {
    process.kill(pid, name);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error;
  }
};
