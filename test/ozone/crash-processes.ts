import { readdir, readFile, readlink } from 'node:fs/promises';

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

/** The process, if it works below this folder of operations; undefined also for one that has just gone. */
const processAt = async (pid: number, state: string): Promise<HostProcess | undefined> => {
  try {
    if (!(await readlink(`/proc/${pid}/cwd`)).startsWith(`${state}/`)) return undefined;
    const [environment, command, stat] = await Promise.all(
      ['environ', 'cmdline', 'stat'].map((file) => readFile(`/proc/${pid}/${file}`, 'utf8')),
    );
    if (environment === undefined || command === undefined || stat === undefined) return undefined;
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

/** All processes that were started by operations whose host keeps its state in one of these folders. */
export const processesOf = async (states: readonly string[]): Promise<readonly HostProcess[]> => {
  const pids = (await readdir('/proc')).map(Number).filter((pid) => pid > 1);
  const found = await Promise.all(pids.flatMap((pid) => states.map((state) => processAt(pid, state))));
  return found.filter((it) => it !== undefined);
};

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
