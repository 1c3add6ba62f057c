import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { policyText } from '../fixtures/deployment.ts';
import type { OzoneClusters } from '../ozone-cluster/ozone-clusters.ts';
import { type User, users } from '../ozone-cluster/secured.ts';
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

interface Heard {
  readonly exit: number;
  readonly said: string;
}

export interface Refusals {
  /** By side, action, user. */
  readonly answers: Readonly<Record<Side, readonly (readonly [Action, readonly (readonly [User, Answer])[]])[]>>;
  /** What stands behind an answer that is not `yes`: exit codes and words of Ozone, the names of the asker and of the place taken out. */
  readonly words: ReadonlyMap<Answer, ReadonlySet<string>>;
}

const bucketOf = (side: Side): string => `o3://${sides[side]}/${VOLUME}/${BUCKET}`;
const keptKey = 'dir/kept';
const own = (user: User, thing: string): string => `${thing}-${user}`;

/** Arguments of `ozone` for an action. `owner` is the bucket's: who may set it, sets it to what it is. */
const attempt = (action: Action, side: Side, user: User, file: string): readonly string[] => {
  const bucket = bucketOf(side);
  switch (action) {
    case 'list snapshots':
      return ['sh', 'snapshot', 'list', bucket];
    case 'create a snapshot':
      return ['sh', 'snapshot', 'create', bucket, own(user, 'made-by')];
    case 'delete a snapshot':
      return ['sh', 'snapshot', 'delete', bucket, own(user, 'goes-with')];
    case 'read a file of a snapshot':
      return ['fs', '-cat', `ofs://${sides[side]}/${VOLUME}/${BUCKET}/.snapshot/kept/${keptKey}`];
    case 'write a key':
      return ['sh', 'key', 'put', `${bucket}/${own(user, 'dir/written-by')}`, file];
    case 'overwrite a key':
      return ['sh', 'key', 'put', `${bucket}/${own(user, 'dir/altered-by')}`, file];
    case 'delete a key':
      return ['sh', 'key', 'delete', `${bucket}/${own(user, 'dir/goes-with')}`];
    case 'change the access list':
      return ['sh', 'bucket', 'addacl', '-a', `user:${user}:a`, bucket];
    case 'change the owner':
      return ['sh', 'bucket', 'update', '--user', user, bucket];
  }
};

/** A snapshot that nobody has is asked for: who may delete hears that there is none, who may not hears that. */
const probe = (side: Side): readonly string[] => ['sh', 'snapshot', 'delete', bucketOf(side), 'never-there'];

const missing = (said: string): Answer | undefined => {
  if (/Only bucket owners and Ozone admins can (create|delete) snapshots/.test(said)) return 'owner';
  const [, right, on] = /doesn't have (\w+) permission to access (\w+)/.exec(said) ?? [];
  return right && on ? `${right} on ${on}` : undefined;
};

const answerOf = ({ exit, said }: Heard, what: string): Answer => {
  if (exit === 0) return 'yes';
  const answer = missing(said);
  if (answer === undefined) throw new Error(`${what}: neither done nor refused: exit ${exit}, ${said}`);
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

/** What is there for all to see: snapshots, content, owner and access list of a bucket. */
export const stateOf = async (clusters: OzoneClusters, side: Side) => {
  const asked = [`snapshot list --all ${bucketOf(side)}`, `bucket getacl ${bucketOf(side)}`];
  const [said, tree] = await Promise.all([
    clusters.ozone('sh', ...asked.flatMap((command) => ['--execute', command])),
    clusters.tree(`ofs://${sides[side]}/${VOLUME}/${BUCKET}`),
  ]);
  const info = JSON.parse(await clusters.ozone('sh', 'bucket', 'info', bucketOf(side)));
  const active = /"name" : "([^"]+)",\s+"creationTime" : \d+,\s+"snapshotStatus" : "SNAPSHOT_ACTIVE"/g;
  const grants = said.match(/"name" : "[^"]+",\s+"aclScope" : "\w+",\s+"aclList" : \[[^\]]*\]/g)?.sort();
  if (!grants) throw new Error(`${bucketOf(side)} has no access list: ${said}`);
  return {
    snapshots: [...said.matchAll(active)].map(([, name]) => name).sort(),
    owner: String(info.owner),
    grants,
    tree,
  };
};

/** A user's try of an action, later than all that it needs. */
interface Try {
  readonly side: Side;
  readonly action: Action;
  readonly user: User;
}

/** Every action on a side by each of these. */
export const tries = (side: Side, who: readonly User[]): readonly Try[] =>
  actions.flatMap((action) => who.map((user): Try => ({ side, action, user })));

/** Each user's answer to each action on each side; a JVM each, two at a time. */
export class Asking {
  readonly #clusters: OzoneClusters;
  readonly #words = new Map<Answer, Set<string>>();
  readonly #answers = new Map<string, Answer>();
  readonly #file: string;

  constructor(clusters: OzoneClusters, file: string) {
    this.#clusters = clusters;
    this.#file = file;
  }

  static async begin(clusters: OzoneClusters, file: string): Promise<Asking> {
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

  async #try({ side, action, user }: Try): Promise<void> {
    const what = `${user}: ${action} on the ${side}`;
    const heard = await this.#as(user, attempt(action, side, user, this.#file));
    const answer = answerOf(heard, what);
    this.#answers.set(`${side}/${action}/${user}`, answer);
    if (answer !== 'yes') this.#heard(answer, heard, user);
    if (action !== 'delete a snapshot') return;
    const probed = await this.#as(user, probe(side));
    const could = probed.said.includes('FILE_NOT_FOUND');
    if ((answer === 'yes') !== could || (!could && missing(probed.said) !== answer))
      throw new Error(`${what}: ${answer}, but the probe said ${probed.said}`);
  }

  #heard(answer: Answer, { exit, said }: Heard, user: User): void {
    const plain = said
      .replace(/ (Volume|Bucket|Key):.*/, ' …')
      .replace(new RegExp(`User ${user}\\b`), 'User …')
      .replace(/\s+/g, ' ')
      .trim();
    const known = this.#words.get(answer) ?? new Set();
    this.#words.set(answer, known.add(`exit ${exit}: \`${plain}\``));
  }

  #as(user: User, args: readonly string[]): Promise<Heard> {
    const env = { ...jvmEnvironment, ...this.#clusters.kdc?.as(user) };
    return new Promise((resolve) => {
      execFile(join(this.#clusters.bin, 'ozone'), args, { env }, (error, _stdout, stderr) =>
        resolve({ exit: error === null ? 0 : Number(error.code), said: stderr.trim().split('\n')[0] ?? '' }),
      );
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
