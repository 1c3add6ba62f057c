import { expect } from 'vitest';
import type { Change, Driver, Ran, TreeEntry } from './driver.ts';

/** The switch without which `-diff` lists a new directory twice. */
export const traverseSwitch = '-Ddistcp.diff.copy.listing.traverse.directory=false';
const bounded = ['-D', 'ozone.client.failover.max.attempts=3', '-D', 'ozone.client.wait.between.retries.millis=200'];

export interface DiffLine {
  readonly diffType: string;
  readonly sourcePath: string;
  readonly targetPath?: string;
}

/** One scenario's own bucket on both clusters, and the words to act on it and to look at it. */
export class Stage {
  readonly volume: string;
  readonly bucket: string;
  readonly driver: Driver;

  constructor(driver: Driver, volume: string, bucket: string) {
    this.driver = driver;
    this.volume = volume;
    this.bucket = bucket;
  }

  /** The bucket as `ozone sh` addresses it. */
  o3(service: 'prod' | 'dr' = 'prod'): string {
    return `o3://${service}/${this.volume}/${this.bucket}`;
  }

  /** The bucket, or a path in it, as the file system addresses it. */
  ofs(service: 'prod' | 'dr' = 'prod', path = ''): string {
    return `ofs://${service}/${this.volume}/${this.bucket}${path === '' ? '' : `/${path}`}`;
  }

  sh(...words: readonly string[]): Promise<Ran> {
    return this.driver.run(['ozone', 'sh', ...words]);
  }

  fs(...words: readonly string[]): Promise<Ran> {
    return this.driver.run(['hadoop', 'fs', ...words]);
  }

  distcp(...words: readonly string[]): Promise<Ran> {
    return this.driver.run(['hadoop', 'distcp', ...bounded, ...words]);
  }

  /** Several commands of `ozone sh` in one start. */
  batch(...commands: readonly string[]): Promise<Ran> {
    return this.sh(...commands.flatMap((command) => ['--execute', command]));
  }

  /** The same as a preparation: they must all succeed. */
  async given(...commands: readonly string[]): Promise<void> {
    const ran = await this.driver.prepare(['ozone', 'sh', ...commands.flatMap((command) => ['--execute', command])]);
    expect(ran, commands.join('; ')).toMatchObject({ exit: 0 });
  }

  async snapshots(service: 'prod' | 'dr', ...names: readonly string[]): Promise<void> {
    await this.given(...names.map((name) => `snapshot create ${this.o3(service)} ${name}`));
  }

  change(service: 'prod' | 'dr', ...changes: readonly Change[]): Promise<void> {
    return this.driver.change(this.ofs(service), changes);
  }

  /** The same content on both sides and a snapshot `s-1` of it on each. */
  async pair(...changes: readonly Change[]): Promise<void> {
    await Promise.all([this.change('prod', ...changes), this.change('dr', ...changes)]);
    await this.given(`snapshot create ${this.o3()} s-1`, `snapshot create ${this.o3('dr')} s-1`);
  }

  /** Changes on the source, then its snapshot `s-2`, with the diff from `s-1` asked for. */
  async changed(...changes: readonly Change[]): Promise<void> {
    if (changes.length > 0) await this.change('prod', ...changes);
    await this.given(`snapshot create ${this.o3()} s-2`, `snapshot diff ${this.o3()} s-1 s-2`);
  }

  incremental(from = 's-1', to = 's-2'): Promise<Ran> {
    return this.distcp(traverseSwitch, '-update', '-diff', from, to, '-direct', this.ofs(), this.ofs('dr'));
  }

  full(snapshot = 's-2'): Promise<Ran> {
    return this.distcp('-update', '-delete', '-direct', this.ofs('prod', `.snapshot/${snapshot}`), this.ofs('dr'));
  }

  tree(service: 'prod' | 'dr', snapshot = ''): Promise<ReadonlyMap<string, TreeEntry>> {
    return this.driver.tree(this.ofs(service, snapshot === '' ? '' : `.snapshot/${snapshot}`));
  }

  /** Whether the replica now is, path by path and byte by byte, what the source's snapshot holds. */
  async isReplica(snapshot = 's-2'): Promise<boolean> {
    const [source, replica] = await Promise.all([this.tree('prod', snapshot), this.tree('dr')]);
    return JSON.stringify(sorted(source)) === JSON.stringify(sorted(replica));
  }

  async paths(service: 'prod' | 'dr', snapshot = ''): Promise<readonly string[]> {
    return [...(await this.tree(service, snapshot)).keys()].sort();
  }

  /** The report as JSON, asked for until the job has ended. */
  async report(
    from = 's-1',
    to = 's-2',
  ): Promise<{ readonly jobStatus: string; readonly lines: readonly DiffLine[]; readonly reason?: string }> {
    for (let attempt = 0; ; attempt++) {
      const ran = await this.sh('snapshot', 'diff', '--get-report', '--json', this.o3(), from, to);
      expect(ran).toMatchObject({ exit: 0, stderr: '' });
      const report = JSON.parse(ran.stdout);
      if (report.jobStatus !== 'IN_PROGRESS' || attempt === 20) {
        return {
          jobStatus: report.jobStatus,
          lines: report.snapshotDiffReport.diffList,
          ...(report.reason === undefined ? {} : { reason: report.reason }),
        };
      }
    }
  }

  /** `type path` or `R path -> path`, grouped in the order of the report, sorted inside each group; what is below a deleted directory is left out, because that depends on how far the background cleaner got. */
  async diff(from = 's-1', to = 's-2'): Promise<readonly string[]> {
    const { jobStatus, lines } = await this.report(from, to);
    expect(jobStatus).toBe('DONE');
    const deleted = lines.filter((line) => line.diffType === '-').map((line) => line.sourcePath);
    const below = (line: DiffLine) =>
      line.diffType === '-' && deleted.some((path) => line.sourcePath.startsWith(`${path}/`));
    const groups = ['-', 'R', '+', 'M'];
    expect(lines.map((line) => groups.indexOf(line.diffType))).toEqual(
      [...lines.map((line) => groups.indexOf(line.diffType))].sort(),
    );
    return groups.flatMap((group) =>
      lines
        .filter((line) => line.diffType === group && !below(line))
        .map((line) => `${group} ${line.sourcePath}${line.targetPath === undefined ? '' : ` -> ${line.targetPath}`}`)
        .sort(),
    );
  }
}

const sorted = (tree: ReadonlyMap<string, TreeEntry>) => [...tree].sort(([a], [b]) => (a < b ? -1 : 1));

/** For what a background service may disturb: looked at up to five times, each with names of its own. */
export async function inTime(look: (attempt: number) => Promise<void>): Promise<void> {
  for (let attempt = 1; attempt < 5; attempt++) {
    const done = await look(attempt).then(
      () => true,
      () => false,
    );
    if (done) return;
  }
  await look(5);
}

/** The last `DistCp Counters` group, which the local runner prints twice; an absent group is null. */
export function countersOf({ stderr }: Ran): Readonly<Record<string, number>> | null {
  const group = stderr.split('\tDistCp Counters\n').slice(1).at(-1);
  if (group === undefined) return null;
  const lines = group.split('\n').filter((line) => line.startsWith('\t\t'));
  const counters = Object.fromEntries(
    lines.map((line) => line.trim().split('=')).map(([name = '', value = '']) => [name, Number(value)]),
  );
  delete counters['Bandwidth in Bytes'];
  return counters;
}

/** Durations and waits differ between configurations. */
export const withoutWaits = (text: string): string => text.replace(/\d+ ms/g, 'N ms').trimEnd();
