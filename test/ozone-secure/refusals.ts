import { spawn } from 'node:child_process';
import { join } from 'node:path';
import * as z from 'zod';
import { policyText } from '../fixtures/deployment.ts';
import type { OzoneClusters, TreeEntry } from '../ozone-cluster/ozone-clusters.ts';
import { type SecuredClusters, type User, users } from '../ozone-cluster/secured.ts';
import { jvmEnvironment } from '../ozone-cluster/software.ts';
import { prepare } from './grants.ts';

const VOLUME = 'guarded';
const BUCKET = 'orders';
const sides = { source: 'prod', replica: 'dr' } as const;
export type Side = keyof typeof sides;
/** Of the bucket of a side. */
export const owners: Readonly<Record<Side, User>> = { source: 'odr-source', replica: 'odr-replica' };

/** What each identity tries on each side, on real clusters. Each is tried for good; only what is allowed is done. */
export const actions = [
  'list snapshots',
  'create a snapshot',
  'delete a snapshot',
  'read a file of a snapshot',
  'write a key',
  'overwrite a key',
  'delete a key',
  'change the access list',
  'change the owner',
] as const;
export type Action = (typeof actions)[number];

/** `yes`, or what Ozone says is missing: `owner`, or a right and on what, e.g. `READ on volume`. */
export type Answer = string;

export interface Refusals {
  /** By side, action, user. */
  readonly answers: Readonly<Record<Side, readonly (readonly [Action, readonly (readonly [User, Answer])[]])[]>>;
  /** What stands behind an answer that is not `yes`: words of Ozone, the names of the asker and of the place taken out. */
  readonly words: ReadonlyMap<Answer, ReadonlySet<string>>;
}

const bucketOf = (side: Side): string => `o3://${sides[side]}/${VOLUME}/${BUCKET}`;
const keptKey = 'dir/kept';
const own = (user: User, thing: string): string => `${thing}-${user}`;

/** Words of `ozone sh` for an action. `owner` is the bucket's: who may set it, sets it to what it is. */
const attempt = (action: Action, side: Side, user: User, file: string): readonly string[] => {
  const bucket = bucketOf(side);
  switch (action) {
    case 'list snapshots':
      return ['snapshot', 'list', bucket];
    case 'create a snapshot':
      return ['snapshot', 'create', bucket, own(user, 'made-by')];
    case 'delete a snapshot':
      return ['snapshot', 'delete', bucket, own(user, 'goes-with')];
    case 'read a file of a snapshot':
      return ['key', 'cat', `${bucket}/.snapshot/kept/${keptKey}`];
    case 'write a key':
      return ['key', 'put', `${bucket}/${own(user, 'dir/written-by')}`, file];
    case 'overwrite a key':
      return ['key', 'put', `${bucket}/${own(user, 'dir/altered-by')}`, file];
    case 'delete a key':
      return ['key', 'delete', `${bucket}/${own(user, 'dir/goes-with')}`];
    case 'change the access list':
      return ['bucket', 'addacl', '-a', `user:${user}:a`, bucket];
    case 'change the owner':
      return ['bucket', 'update', '--user', user, bucket];
  }
};

/** A snapshot that nobody has is asked for: who may delete hears that there is none, who may not hears that. */
const probe = (side: Side): readonly string[] => ['snapshot', 'delete', bucketOf(side), 'never-there'];

const missing = (said: string): Answer | undefined => {
  if (/Only bucket owners and Ozone admins can (create|delete) snapshots/.test(said)) return 'owner';
  const [, right, on] = /doesn't have (\w+) permission to access (\w+)/.exec(said) ?? [];
  return right && on ? `${right} on ${on}` : undefined;
};

/** What Ozone says when it has done what it was told: mostly nothing. */
const DONE = /^(|[[{]\s.*|ACL .* (added|removed) successfully\.|as it was)$/s;

const answerOf = (said: string, what: string): Answer => {
  const answer = missing(said) ?? (DONE.test(said) ? 'yes' : undefined);
  if (answer === undefined) throw new Error(`${what}: neither done nor refused: ${said}`);
  return answer;
};

/** Two buckets with the grants of docs/security.md and the same content, and what each user may try to destroy in them. */
async function stage(clusters: OzoneClusters): Promise<void> {
  const bucket = `${VOLUME}/${BUCKET}`;
  await prepare(clusters, policyText([bucket], "drills: { cron: '0 5 * * ? *', zone: Etc/UTC }"), [bucket]);
  const victims = users.flatMap((user) => [own(user, 'dir/altered-by'), own(user, 'dir/goes-with')]);
  await Promise.all(
    (['source', 'replica'] as const).map(async (side) => {
      const put = [keptKey, ...victims].map((path) => ({ op: 'text', path, content: 'as it was' }) as const);
      await clusters.change(`ofs://${sides[side]}/${VOLUME}/${BUCKET}`, put);
      const snapshots = ['kept', ...users.map((user) => own(user, 'goes-with'))];
      await clusters.ozone(
        'sh',
        ...snapshots.flatMap((name) => ['--execute', `snapshot create ${bucketOf(side)} ${name}`]),
      );
    }),
  );
}

const Snapshots = z.array(z.object({ name: z.string(), snapshotStatus: z.string() }));
const Grants = z.array(z.object({ name: z.string(), aclScope: z.string(), aclList: z.array(z.string()) }));
const Info = z.object({ owner: z.string() });

/** What is there for all to see on each side: snapshots, content, owner and access list of its bucket. Two JVMs. */
export const statesOf = async (clusters: OzoneClusters) => {
  const all = ['source', 'replica'] as const;
  const asked = all.flatMap((side) =>
    ['snapshot list --all', 'bucket getacl', 'bucket info'].map((command) => `${command} ${bucketOf(side)}`),
  );
  const [said, trees] = await Promise.all([
    clusters.ozone('sh', ...asked.flatMap((command) => ['--execute', command])),
    clusters.trees(all.map((side) => `ofs://${sides[side]}/${VOLUME}/${BUCKET}`)),
  ]);
  // The shell repeats each command before it answers it.
  const [, ...answers] = said.split(/^(?:snapshot|bucket) .*\n/m);
  if (answers.length !== asked.length) throw new Error(`${asked.length} questions, but: ${said}`);
  const [source, replica] = all.map((_, n) => {
    const [snapshots, grants, info] = answers.slice(n * 3, n * 3 + 3).map((answer): unknown => JSON.parse(answer));
    return {
      snapshots: Snapshots.parse(snapshots)
        .flatMap(({ name, snapshotStatus }) => (snapshotStatus === 'SNAPSHOT_ACTIVE' ? [name] : []))
        .sort(),
      owner: Info.parse(info).owner,
      grants: Grants.parse(grants)
        .map(({ name, aclScope, aclList }) => `${name} ${aclScope} ${aclList.join()}`)
        .sort(),
      tree: trees[n] ?? new Map<string, TreeEntry>(),
    };
  });
  if (!source || !replica) throw new Error('there are two sides');
  return { source, replica };
};

/** A user who tries every action on a side. */
export interface Try {
  readonly side: Side;
  readonly user: User;
}

/** Each user's answer to each action on each side; one JVM for a user on a side, two at a time. */
export class Asking {
  readonly #clusters: SecuredClusters;
  readonly #words = new Map<Answer, Set<string>>();
  readonly #answers = new Map<string, Answer>();
  readonly #file: string;

  constructor(clusters: SecuredClusters, file: string) {
    this.#clusters = clusters;
    this.#file = file;
  }

  static async begin(clusters: SecuredClusters, file: string): Promise<Asking> {
    await stage(clusters);
    return new Asking(clusters, file);
  }

  async ask(wanted: readonly Try[]): Promise<void> {
    const left = [...wanted];
    const worker = async (): Promise<void> => {
      for (let next = left.shift(); next; next = left.shift()) await this.#try(next);
    };
    await Promise.all([worker(), worker()]);
  }

  async #try({ side, user }: Try): Promise<void> {
    const commands = actions.map((action) => attempt(action, side, user, this.#file));
    const [probed = '', ...said] = await this.#inShell(user, [probe(side), ...commands]);
    for (const [n, action] of actions.entries()) {
      const what = `${user}: ${action} on the ${side}`;
      const of = said[n] ?? 'nothing was heard';
      const answer = answerOf(of, what);
      this.#answers.set(`${side}/${action}/${user}`, answer);
      if (answer !== 'yes') this.#heard(answer, of, user);
      if (action !== 'delete a snapshot') continue;
      const could = probed.includes('FILE_NOT_FOUND');
      if ((answer === 'yes') !== could || (!could && missing(probed) !== answer))
        throw new Error(`${what}: ${answer}, but the probe said ${probed}`);
    }
  }

  #heard(answer: Answer, said: string, user: User): void {
    const plain = said
      .replace(/ (Volume|Bucket|Key):.*/, ' …')
      .replace(new RegExp(`User ${user}\\b`), 'User …')
      .replace(/\s+/g, ' ')
      .trim();
    const known = this.#words.get(answer) ?? new Set();
    this.#words.set(answer, known.add(`\`${plain}\``));
  }

  /** What is said to each of these commands of `ozone sh`, which goes on after one that fails. */
  async #inShell(user: User, commands: readonly (readonly string[])[]): Promise<readonly string[]> {
    const input = commands.map((words) => `${words.join(' ')}\n`).join('');
    const [, ...said] = (await this.#said(user, ['sh', '--interactive'], input)).split('ozone sh> ');
    // After the last answer it prompts once more.
    if (said.length !== commands.length + 1) throw new Error(`${commands.length} commands, but: ${said.join('---')}`);
    return said.map((text) => text.trim());
  }

  /** On both streams, in the order in which it was said. */
  #said(user: User, args: readonly string[], input: string): Promise<string> {
    const env = { ...jvmEnvironment, ...this.#clusters.kdc.as(user) };
    return new Promise((resolve, reject) => {
      const child = spawn('/bin/sh', ['-c', 'exec "$@" 2>&1', 'sh', join(this.#clusters.bin, 'ozone'), ...args], {
        env,
        stdio: ['pipe', 'pipe', 'inherit'],
      });
      let said = '';
      child.stdout.setEncoding('utf8').on('data', (text: string) => {
        said += text;
      });
      child.on('error', reject).on('close', () => resolve(said));
      child.stdin.end(input);
    });
  }

  refusals(): Refusals {
    const of = (side: Side, action: Action, user: User): Answer =>
      this.#answers.get(`${side}/${action}/${user}`) ?? 'not tried';
    const byAction = (side: Side) =>
      actions.map((action) => [action, users.map((user) => [user, of(side, action, user)] as const)] as const);
    return { answers: { source: byAction('source'), replica: byAction('replica') }, words: this.#words };
  }
}

const titles: Readonly<Record<Side, string>> = {
  source: 'On the bucket that is protected',
  replica: 'On its replica',
};

const lack = (answer: Answer): string => (answer === 'owner' ? 'is not the owner' : `lacks ${answer}`);
const cell = (answer: Answer): string => (answer === 'yes' ? 'yes' : `no: ${lack(answer)}`);

/** The matrix as the page shows it. */
export const page = ({ answers, words }: Refusals): string => {
  const table = (side: Side): string =>
    [
      `### ${titles[side]}`,
      '',
      `| | ${users.map((user) => `\`${user}\``).join(' | ')} |`,
      `|---|${users.map(() => '---|').join('')}`,
      ...answers[side].map(([action, row]) => `| ${action} | ${row.map(([, answer]) => cell(answer)).join(' | ')} |`),
    ].join('\n');
  const said = [...words]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([answer, texts]) => `- ${lack(answer)}: ${[...texts].sort().join('; ')}`);
  return [table('source'), table('replica'), `### What Ozone says\n\n${said.join('\n')}`].join('\n\n');
};
