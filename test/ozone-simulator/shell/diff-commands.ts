import { cancelDiff, type DiffReport, listJobs, readDiff, type Submission, submitDiff } from '../om/diff-jobs.ts';
import type { Call, Command } from './command.ts';
import { jackson } from './json.ts';

/** `snapshot diff`. Whatever its form, it closes the stdout of its process: in a batch nothing prints after it. */
function diff(call: Call): void {
  const { session, parsed, address, print } = call;
  const [, from = '', to = ''] = parsed.parameters;
  const om = session.om(address.service);
  const report = () =>
    readDiff(
      om,
      address.volume,
      address.bucket,
      from,
      to,
      Number(parsed.value('-p', '--page-size') ?? om.settings.diffPageSize),
      parsed.value('-t', '--token') ?? '',
    );
  const show = (page: DiffReport) =>
    print(parsed.has('--json') ? `${jackson(reportJson(call, from, to, page))}\n` : `${reportText(from, to, page)}\n`);

  if (parsed.has('-c', '--cancel')) print(`${cancelDiff(om, address.volume, address.bucket, from, to)}\n`);
  else if (parsed.has('-r', '--get-report')) show(report());
  else if (from === to && session.cli === '2.2') print('Cannot submit diff between same snapshots.\n');
  else {
    const submission = submitDiff(om, address.volume, address.bucket, from, to);
    if (session.cli === '2.1' || session.has('diff-submission-prints-the-report')) show(report());
    else print(`${submissionText(submission, om.settings.diffWaitMs)}\n`);
  }
  call.closeStdout();
}

function submissionText({ previous, submitted }: Submission, waitMs: number): string {
  const found = previous
    ? `Previous snapshot diff attempt found. Status: ${previous.status}${previous.reason === null ? '' : `, reason: ${previous.reason}`}.\n`
    : '';
  if (submitted)
    return `${found}Submitting a new job. Please retry after ${waitMs} ms using --get-report option to get the report.\n`;
  return `${found}Please get the report using --get-report option${previous?.status === 'DONE' ? '' : ` in ${waitMs} ms`}.\n`;
}

const reportJson = ({ address }: Call, fromSnapshot: string, toSnapshot: string, page: DiffReport) => ({
  snapshotDiffReport: {
    volumeName: address.volume,
    bucketName: address.bucket,
    fromSnapshot,
    toSnapshot,
    diffList: page.entries.map((entry) => ({
      diffType: entry.type,
      sourcePath: entry.source,
      ...(entry.target === undefined ? {} : { targetPath: entry.target }),
    })),
    ...(page.nextToken === null ? {} : { nextToken: page.nextToken }),
  },
  jobStatus: page.status,
  ...(page.waitMs === null ? {} : { waitTimeInMs: page.waitMs }),
  ...(page.reason === null ? {} : { reason: page.reason }),
});

function reportText(from: string, to: string, page: DiffReport): string {
  switch (page.status) {
    case 'DONE': {
      const lines = page.entries.map(
        (entry) => `${entry.type}\t${entry.source}${entry.target === undefined ? '' : ` -> ${entry.target}`}\n`,
      );
      const token = page.nextToken === null ? '' : `Next token: ${page.nextToken}`;
      return `Difference between snapshot: ${from} and snapshot: ${to}\n${lines.join('')}${token}`;
    }
    case 'FAILED':
      return `Snapshot diff job is FAILED due to '${page.reason}'.\n Please resubmit the job without using the --get-report option.\n`;
    case 'NOT_FOUND':
      return (
        'No snapshot diff job found. Job may not have been submitted or was removed during cleanup.\n' +
        'Submit a new snapshot diff job without using the --get-report option.\n'
      );
    default:
      return `Snapshot diff job is ${page.status}. Please retry after ${page.waitMs} ms.\n`;
  }
}

export const diffCommands: readonly Command[] = [
  {
    spec: {
      path: 'snapshot diff',
      about: 'Get the differences between two snapshots',
      flags: ['-c', '--cancel', '-r', '--get-report', '--json', '--ffd', '--dnld'],
      valued: ['-p', '--page-size', '-t', '--token'],
      parameters: ['<value>', '<fromSnapshot>', '<toSnapshot>'],
    },
    names: ['diff', 'snapshotDiff'],
    takes: 'bucket',
    run: diff,
  },
  {
    spec: {
      path: 'snapshot listDiff',
      about: 'List snapshotDiff jobs for a bucket.',
      flags: ['--all-status', '-a', '--all'],
      valued: ['--job-status', '-l', '--length', '-s', '--start'],
      parameters: ['<value>'],
    },
    names: ['listDiff', 'listDiffJob', 'lsDiff', 'lsDiffJob'],
    takes: 'bucket',
    run({ session, parsed, address, print }) {
      const wanted = (parsed.value('--job-status') ?? 'in_progress').toUpperCase();
      const jobs = listJobs(session.om(address.service), address.volume, address.bucket)
        .filter((job) => parsed.has('--all-status') || job.state === wanted)
        .map((job) => ({
          volumeName: address.volume,
          bucketName: address.bucket,
          fromSnapshot: job.from,
          toSnapshot: job.to,
          jobStatus: job.state,
        }));
      print(`${jackson(jobs)}\n`);
    },
  },
];
