import type { SimulatedOzone } from '../ozone-simulator/simulator.ts';

/** What one JVM of `ozone sh --execute … --execute …` answered. */
export interface Batch {
  /** Output of each command that was begun, in their order. */
  readonly sections: readonly string[];
  /** Number of the command that failed, counted from 1; 0 when none did. */
  readonly failedAt: number;
  readonly error: string;
  /** The script's word for the error. */
  readonly code: string;
}

/** How the script's clients are told to give up on a manager that does not answer. */
export const clientProperties: readonly string[] = [
  '-D',
  'ozone.client.failover.max.attempts=3',
  '-D',
  'ozone.client.wait.between.retries.millis=200',
];

/** `ozone_batch` of the script: runs the commands in one JVM, which stops at the first failure. */
export const runBatch = (ozone: SimulatedOzone, commands: readonly string[]): Batch => {
  const { exit, stdout, stderr } = ozone.run('ozone', [
    'sh',
    ...clientProperties,
    ...commands.flatMap((command) => ['--execute', command]),
  ]);
  const sections = splitSections(stdout, commands);
  const seen = sections.length;
  const complete = seen === commands.length;
  const failedAt = exit === 0 ? (complete ? 0 : seen + 1) : seen === 0 ? 1 : seen;
  const error = Buffer.from(stderr).subarray(0, 1000).toString().replace(/\n+$/, '');
  return {
    sections,
    failedAt,
    error: error === '' ? `ozone sh ended with exit code ${exit} and an incomplete answer` : error,
    code: classify(exit, error),
  };
};

/** Ozone echoes each command before its output; output before the first echo makes the whole answer unreadable. */
const splitSections = (stdout: string, commands: readonly string[]): readonly string[] => {
  const sections: string[][] = [];
  for (const line of stdout.replace(/\n$/, '').split('\n')) {
    if (line === commands[sections.length]) sections.push([]);
    else if (sections.length > 0) sections.at(-1)?.push(line);
    else if (line !== '') return [];
  }
  return sections.map((lines) => lines.join('\n'));
};

/** `classify_error` of the script, in its order. */
const ERROR_TEXTS: readonly (readonly [RegExp, string])[] = [
  [/TIMEOUT.*has not been flushed yet/s, 'not-flushed'],
  [/GSS initiate failed.*(?:Connection refused|timed out)|annot locate KDC/s, 'no-kdc'],
  [/Client cannot authenticate|GSS initiate failed/, 'no-ticket'],
  [/PERMISSION_DENIED|AccessControlException|doesn't have .* permission/s, 'permission-denied'],
  [/BUCKET_ALREADY_EXISTS/, 'exists'],
  [/BUCKET_NOT_FOUND/, 'bucket-missing'],
  [/VOLUME_NOT_FOUND/, 'volume-missing'],
  [/FILE_NOT_FOUND/, 'snapshot-missing'],
  [/FILE_ALREADY_EXISTS/, 'exists'],
  [/TOO_MANY_SNAPSHOTS/, 'snapshot-limit'],
  [/Cannot resolve OM host|UnknownHost/, 'unknown-host'],
  [
    /Connection refused|No route to host|onnection reset|timed out|ConnectTimeout|is unreachable|UNAVAILABLE: |DEADLINE_EXCEEDED/,
    'connection',
  ],
  [/Unknown option/, 'unknown-option'],
];

/** The script's word for how a client ended. */
export const classify = (exit: number, error: string): string =>
  exit === 124 || exit === 137 ? 'timeout' : (ERROR_TEXTS.find(([text]) => text.test(error))?.[1] ?? 'unreadable');

/** JSON of a section; undefined when it is none. */
export const jsonOf = (section: string | undefined): unknown => {
  try {
    return JSON.parse(section ?? '');
  } catch {
    return undefined;
  }
};
