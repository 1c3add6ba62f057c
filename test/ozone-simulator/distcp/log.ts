import type { Session } from '../session.ts';

export interface CopyCounters {
  bytesCopied: number;
  bytesSkipped: number;
  filesCopied: number;
  filesSkipped: number;
  dirsCopied: number;
}

export const noCounters = (): CopyCounters => ({
  bytesCopied: 0,
  bytesSkipped: 0,
  filesCopied: 0,
  filesSkipped: 0,
  dirsCopied: 0,
});

/** Hadoop's console log: stderr, `yy/MM/dd HH:mm:ss LEVEL logger: text` in UTC. */
export class Log {
  private readonly session: Session;
  readonly job: string;
  constructor(session: Session) {
    this.session = session;
    this.job = `local${Math.floor(Math.random() * 2_000_000_000)}_0001`;
  }

  private write(level: string, logger: string, text: string): void {
    const time = new Date(this.session.now()).toISOString().slice(2, 19).replaceAll('-', '/').replace('T', ' ');
    this.session.runtime.err(`${time} ${level} ${logger}: ${text}\n`);
  }

  info(logger: string, text: string): void {
    this.write('INFO', logger, text);
  }
  warn(logger: string, text: string): void {
    this.write('WARN', logger, text);
  }
  error(logger: string, text: string): void {
    this.write('ERROR', logger, text);
  }

  /** The lines of an exception under a log line. */
  trace(exception: string, at: readonly string[]): void {
    this.session.runtime.err(`${exception}\n${at.map((frame) => `\tat ${frame}\n`).join('')}`);
  }

  jobStarted(paths: number): void {
    this.info('Configuration.deprecation', 'io.sort.mb is deprecated. Instead, use mapreduce.task.io.sort.mb');
    this.info('Configuration.deprecation', 'io.sort.factor is deprecated. Instead, use mapreduce.task.io.sort.factor');
    this.info('tools.DistCp', `Number of paths in the copy list: ${paths}`);
    this.warn('impl.MetricsSystemImpl', 'JobTracker metrics system already initialized!');
    this.info('mapreduce.JobSubmitter', `number of splits:${paths === 0 ? 0 : 1}`);
    this.info('mapreduce.JobSubmitter', `Submitting tokens for job: job_${this.job}`);
    this.info('mapreduce.JobSubmitter', 'Executing with tokens: []');
    this.info('mapreduce.Job', 'The url to track the job: http://localhost:8080/');
    this.info('tools.DistCp', `DistCp job-id: job_${this.job}`);
    this.info('mapreduce.Job', `Running job: job_${this.job}`);
    this.info('mapred.LocalJobRunner', 'OutputCommitter is org.apache.hadoop.tools.mapred.CopyCommitter');
    this.info('mapred.LocalJobRunner', 'Waiting for map tasks');
  }

  /** The local runner shows the counters of its task, then of the job. */
  taskDone(counters: CopyCounters, paths: number): void {
    const task = `attempt_${this.job}_m_000000_0`;
    this.info('mapred.Task', `Task:${task} is done. And is in the process of committing`);
    this.info('mapred.Task', `Final Counters for ${task}: ${countersText(counters, paths)}`);
    this.info('mapred.LocalJobRunner', `Finishing task: ${task}`);
  }

  jobDone(counters: CopyCounters, paths: number): void {
    this.info('mapreduce.Job', `Job job_${this.job} running in uber mode : false`);
    this.info('mapreduce.Job', ` map ${paths === 0 ? 0 : 100}% reduce 0%`);
    this.info('mapreduce.Job', `Job job_${this.job} completed successfully`);
    this.info('mapreduce.Job', paths === 0 ? 'Counters: 0' : countersText(counters, paths));
  }
}

function countersText(counters: CopyCounters, paths: number): string {
  const shown: readonly (readonly [string, number])[] = [
    ['Bytes Copied', counters.bytesCopied],
    ['Bytes Expected', counters.bytesCopied],
    ['Bytes Skipped', counters.bytesSkipped],
    ['Files Copied', counters.filesCopied],
    ['DIR_COPY', counters.dirsCopied],
    ['Files Skipped', counters.filesSkipped],
  ];
  const own = shown.filter(
    ([name, value]) => value > 0 || (name.startsWith('Bytes') && name !== 'Bytes Skipped' && counters.filesCopied > 0),
  );
  const group = (name: string, lines: readonly string[]) => [`\t${name}`, ...lines.map((line) => `\t\t${line}`)];
  return [
    `Counters: ${18 + own.length + 1}`,
    ...group('File System Counters', [
      `OFS: Number of bytes read=${counters.bytesCopied}`,
      `OFS: Number of bytes written=${counters.bytesCopied}`,
    ]),
    ...group('Map-Reduce Framework', [`Map input records=${paths}`, `Map output records=${counters.filesSkipped}`]),
    ...group('File Input Format Counters ', ['Bytes Read=0']),
    ...group('File Output Format Counters ', ['Bytes Written=8']),
    ...group('DistCp Counters', [
      `Bandwidth in Bytes=${counters.bytesCopied}`,
      ...own.map(([name, value]) => `${name}=${value}`),
    ]),
  ].join('\n');
}
