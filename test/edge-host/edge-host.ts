import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll } from 'vitest';
import type { Aside } from '../../cdk/constructs/edge-document.ts';
import { scriptLines } from '../../cdk/constructs/edge-script.ts';
import { BlastRadius } from '../../functions/core/domain/operation.ts';

const source = join(dirname(fileURLToPath(import.meta.url)), '..', '..', 'functions', 'edge-host', 'ozone-dr.sh');

/** What the fake `ozone sh` does with one `--execute` string. */
export interface Answer {
  readonly out?: string;
  readonly err?: string;
  /** Not 0: the JVM ends here, as Ozone 2.2 does at the first failure. */
  readonly exit?: number;
  /** Printed before Ozone echoes the command. */
  readonly before?: string;
}
/** Several: one for each time it is asked, the last one from then on. */
export type Answers = Readonly<Record<string, Answer | readonly Answer[]>>;

export type Variables = Readonly<Record<string, string | undefined>>;

export interface Reply {
  readonly version: number;
  readonly operation: string;
  readonly verb: string;
  readonly outcome: string;
  readonly code: string;
  readonly message: string;
  readonly host: string;
  readonly startedAt: number;
  readonly endedAt: number;
  readonly jvmStarts: number;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into replies of every verb
  readonly data: any;
}

export interface Run {
  readonly exit: number | null;
  readonly stdout: string;
  readonly stderr: string;
  readonly reply: Reply;
}

export const operationId = (n = 1): string => `op-${'0'.repeat(23)}a-${String(n).padStart(3, '0')}`;

const defaults: Readonly<Record<string, string>> = {
  operation: operationId(),
  source: 'prod/vol/bkt',
  replica: 'dr/vol/bkt',
  target: '',
  base: '',
  targetId: '',
  baseSourceId: '',
  baseReplicaId: '',
  sealId: '',
  replicaCreated: '',
  mode: '',
  empty: 'no',
  fence: '0',
  fenceSeed: 'no',
  copySeconds: '60',
  maps: '2',
  bandwidth: '0',
  level: '',
  part: '0',
  parts: '0',
  brake: '',
  supersedes: '',
  detached: 'no',
  queue: '',
  adopts: '',
  probed: '',
  remove: '',
  layout: '',
  replication: '',
  quotaBytes: '0',
  quotaNamespace: '0',
  encryptionKey: '',
  narrow: '',
  selection: '',
  selectionUrl: '',
  since: '',
  sinceId: '',
  overwrite: '',
  deleteExtra: 'no',
  exact: 'no',
  targetCreated: '',
  policy: '',
  hookBefore: '',
  hookAfter: '',
  points: '',
  path64: '',
  token: '',
  limit: '0',
  buckets: '',
  globs: '',
  acls: '',
  batch: '',
  executionTimeout: '120',
};

/** Which document runs a verb. */
export const documentOf: Readonly<Record<string, BlastRadius>> = {
  survey: 'observe',
  diff: 'observe',
  verify: 'observe',
  probe: 'observe',
  snapshot: 'protect',
  replicate: 'protect',
  'seal-unchanged': 'protect',
  'create-bucket': 'protect',
  tidy: 'destroy',
  delete: 'destroy',
  versions: 'observe',
  changes: 'observe',
  buckets: 'observe',
  divergence: 'observe',
  examine: 'observe',
  compare: 'observe',
  restore: 'restore',
  'remove-scratch': 'restore',
  restrict: 'restore',
  doctor: 'observe',
};

/** Of these verbs the document beside that of the radius. */
const asides: Readonly<Record<string, Aside>> = {
  doctor: 'doctor',
  versions: 'look',
  changes: 'look',
  buckets: 'look',
  divergence: 'look',
  'seal-unchanged': 'batch',
};

const asideOf = (verb: string, { batch, queue, adopts }: Variables): Aside | undefined => {
  if (verb === 'snapshot' && batch) return 'batch';
  return verb === 'replicate' && (queue || adopts) ? 'yarn' : asides[verb];
};

const quote = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;

const isSeveral = (answer: Answer | readonly Answer[]): answer is readonly Answer[] => Array.isArray(answer);

const folders: string[] = [];
afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

/** An edge host in a temporary folder, removed after the tests of the file: the script as a document runs it, its state, and programs `ozone` and `hadoop` that a test scripts. */
export class EdgeHost {
  readonly directory = mkdtempSync(join(tmpdir(), 'edge-host-'));
  readonly state = join(this.directory, 'state');
  readonly config = join(this.directory, 'host.conf');
  /** Where the script finds the programs of the system. */
  systemPath: string | undefined;

  constructor() {
    folders.push(this.directory);
    mkdirSync(join(this.directory, 'bin'));
    this.configure(`path=${join(this.directory, 'bin')}\nstate=${this.state}\nclient_attempts=3\nclient_wait_ms=200\n`);
    this.ozone({});
    this.hadoop('exit 99');
  }

  configure(text: string): void {
    writeFileSync(this.config, text);
  }

  /** Ozone's shell: echoes each command, prints its answer and an empty line, stops at the first failure; unknown commands fail. */
  ozone(answers: Answers): void {
    const said = ({ out = '', err = '', exit = 0, before = '' }: Answer): string =>
      [
        `printf %s ${quote(before)}; echo "$2"; printf %s ${quote(out)}; printf %s ${quote(err)} >&2`,
        exit === 0 ? 'echo ;;' : `exit ${exit} ;;`,
      ].join('; ');
    const cases = Object.entries(answers).map(([command, answer], n) => {
      if (!isSeveral(answer)) return `${quote(command)}) ${said(answer)}`;
      const counter = this.file(`asked.${n}`);
      const each = answer.map((it, at) => `${at === answer.length - 1 ? '*' : at + 1}) ${said(it)}`);
      return `${quote(command)}) echo >>${counter}; case $(wc -l <${counter}) in ${each.join('\n')}\nesac ;;`;
    });
    this.program(
      'ozone',
      `log "$*"
[ "$1" = sh ] || exit 1
while [ $# -gt 0 ]; do
  if [ "$1" = --execute ]; then
    case $2 in
${cases.join('\n')}
*) echo "$2"; echo "the test has no answer for: $2" >&2; exit 255 ;;
    esac
    shift
  fi
  shift
done`,
    );
  }

  /** Body of the fake `hadoop`; it may call \`log\`. */
  hadoop(body: string): void {
    this.program('hadoop', `log "$*"\n${body}`);
  }

  program(name: string, body: string): void {
    const file = join(this.directory, 'bin', name);
    writeFileSync(file, `#!/bin/bash\nlog() { echo "$1" >> ${join(this.directory, name)}.calls; }\n${body}\n`, {
      mode: 0o755,
    });
  }

  /** Command lines that a program was started with. */
  calls(name: string): readonly string[] {
    try {
      return readFileSync(join(this.directory, `${name}.calls`), 'utf8')
        .trimEnd()
        .split('\n');
    } catch {
      return [];
    }
  }

  file(...path: readonly string[]): string {
    return join(this.directory, ...path);
  }

  /** Starts the script as Run Command does; `undefined` leaves that variable out. */
  start(
    verb: string,
    parameters: Variables = {},
    document: string = documentOf[verb] ?? 'observe',
    more: Variables = {},
    words: readonly string[] = [],
  ): ChildProcess {
    const script = this.file(`document-${document}.sh`);
    const radius = BlastRadius.options.find((it) => it === document) ?? 'observe';
    const aside = asideOf(verb, parameters);
    const [first, ...rest] = scriptLines(readFileSync(source, 'utf8'), aside ?? radius);
    const text = [first, `OZONE_DR_DOCUMENT=${aside ? `${aside}-` : ''}${document}`, ...rest, ''].join('\n');
    const { systemPath } = this;
    writeFileSync(
      script,
      systemPath === undefined ? text : text.replace('PATH=/usr/sbin:/usr/bin:/sbin:/bin\n', `PATH=${systemPath}\n`),
    );
    return spawn('/bin/bash', [script, ...words], {
      env: this.environment(verb, parameters, more),
      stdio: ['ignore', 'pipe', 'pipe'],
    });
  }

  /** What Run Command's agent gives the script. */
  environment(verb: string, parameters: Variables, more: Variables = {}): Record<string, string> {
    const env: Record<string, string> = { PATH: '/usr/bin:/bin', OZONE_DR_HOST_CONFIG: this.config };
    for (const [name, value] of Object.entries({ ...defaults, verb, ...parameters })) {
      if (value !== undefined) env[`SSM_${name}`] = value;
    }
    for (const [name, value] of Object.entries(more)) if (value !== undefined) env[name] = value;
    return env;
  }

  run(...args: RunArguments): Promise<Run> {
    return ended(this.start(...args));
  }
}

type RunArguments = [verb: string, parameters?: Variables, document?: string, more?: Variables];

/** Waits for the script; the reply must be the last thing on stdout. */
export const ended = (child: ChildProcess): Promise<Run> =>
  new Promise((resolve, reject) => {
    let stdout = '';
    let stderr = '';
    child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      stdout += text;
    });
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      stderr += text;
    });
    child.on('error', reject);
    child.on('close', (exit) => {
      const found = /-----BEGIN OZONE-DR REPLY-----\n(.*)\n-----END OZONE-DR REPLY-----\n$/.exec(stdout);
      if (found?.[1] === undefined) return reject(new Error(`no reply, exit ${exit}\n${stdout}\n${stderr}`));
      resolve({ exit, stdout, stderr, reply: JSON.parse(found[1]) });
    });
  });
