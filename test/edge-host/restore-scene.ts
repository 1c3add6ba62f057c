import { createHash } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Change, TreeEntry } from '../ozone-cluster/ozone-clusters.ts';
import { type EdgeHost, operationId, type Reply, type Variables } from './edge-host.ts';

/** Two clusters, `prod` and `dr`, real or simulated. */
export interface Clusters {
  ozone(...args: readonly string[]): Promise<string>;
  change(bucketUrl: string, changes: readonly Change[]): Promise<void>;
  tree(url: string): Promise<ReadonlyMap<string, TreeEntry>>;
}

/** A path as Ozone prints it in JSON, and so as a selection has it. */
export const escaped = (path: string): string => JSON.stringify(path).slice(1, -1);

export const literal = (path: string): string => `l\t${escaped(path)}`;
export const glob = (expression: string): string => `g\t${expression}`;

/** Gives out selections as the records bucket does: under their hash, to who has the whole URL. */
export class Selections {
  readonly #texts = new Map<string, string>();
  readonly #server: Server;
  asked = 0;

  private constructor() {
    this.#server = createServer((request, response) => {
      this.asked += 1;
      const text = this.#texts.get(request.url ?? '');
      response.writeHead(text === undefined ? 403 : 200).end(text ?? 'AccessDenied');
    });
  }

  static async start(): Promise<Selections> {
    const selections = new Selections();
    await new Promise<void>((resolve) => selections.#server.listen(0, '127.0.0.1', resolve));
    return selections;
  }

  stop(): Promise<void> {
    return new Promise((resolve) => this.#server.close(() => resolve()));
  }

  /** The parameters of a selection of these lines; `hash`: another than that of the text. */
  of(lines: readonly string[], more: { readonly text?: string; readonly hash?: string } = {}): Variables {
    const text = more.text ?? lines.map((line) => `${line}\n`).join('');
    const selection = more.hash ?? createHash('sha256').update(text).digest('hex');
    const path = `/selections/${selection}?X-Amz-Credential=AKIA%2F20261121&X-Amz-Signature=s3cr3t`;
    this.#texts.set(path, text);
    const { port } = this.#server.address() as AddressInfo;
    return { selection, selectionUrl: `http://127.0.0.1:${port}${path}` };
  }
}

let operations = 0;

/** A point `snap-1` in one bucket, to be restored into another, or into the same. */
export class RestoreScene {
  readonly source: string;
  readonly target: string;
  readonly host: EdgeHost;
  readonly #clusters: Clusters;
  #fence = 0;

  constructor(host: EdgeHost, clusters: Clusters, source: string, target: string) {
    this.host = host;
    this.#clusters = clusters;
    this.source = source;
    this.target = target;
  }

  async buckets(layout = 'FILE_SYSTEM_OPTIMIZED', targetLayout = layout): Promise<void> {
    for (const [bucket, its] of new Map([
      [this.source, layout],
      [this.target, targetLayout],
    ])) {
      await this.#clusters.ozone('sh', 'volume', 'create', `o3://${bucket.replace(/\/[^/]*$/, '')}`).catch(() => '');
      await this.#clusters.ozone('sh', 'bucket', 'create', '-l', its, `o3://${bucket}`);
    }
  }

  /** Both buckets; what the point has, and what the target has by then. */
  async begin(point: readonly Change[], target: readonly Change[] = [], layout?: string): Promise<void> {
    await this.buckets(layout);
    if (point.length > 0) await this.#clusters.change(`ofs://${this.source}`, point);
    await this.snapshot();
    if (target.length > 0) await this.#clusters.change(`ofs://${this.target}`, target);
  }

  snapshot(name = 'snap-1'): Promise<string> {
    return this.#clusters.ozone('sh', 'snapshot', 'create', `o3://${this.source}`, name);
  }

  change(...changes: readonly Change[]): Promise<void> {
    return this.#clusters.change(`ofs://${this.target}`, changes);
  }

  async created(bucket = this.target): Promise<string> {
    return JSON.parse(await this.#clusters.ozone('sh', 'bucket', 'info', `o3://${bucket}`)).creationTime;
  }

  async id(name = 'snap-1'): Promise<string> {
    return JSON.parse(await this.#clusters.ozone('sh', 'snapshot', 'info', `o3://${this.source}`, name)).snapshotId;
  }

  point(): Promise<ReadonlyMap<string, TreeEntry>> {
    return this.#clusters.tree(`ofs://${this.source}/.snapshot/snap-1`);
  }

  live(): Promise<ReadonlyMap<string, TreeEntry>> {
    return this.#clusters.tree(`ofs://${this.target}`);
  }

  async parameters(more: Variables = {}): Promise<Variables> {
    operations += 1;
    return {
      operation: operationId(operations),
      source: this.source,
      replica: this.target,
      target: 'snap-1',
      targetId: more.targetId ?? (await this.id()),
      ...more,
    };
  }

  async examine(more: Variables = {}): Promise<Reply> {
    return (await this.host.run('examine', await this.parameters(more))).reply;
  }

  async compare(more: Variables = {}): Promise<Reply> {
    return (await this.host.run('compare', await this.parameters({ level: 'listing', ...more }))).reply;
  }

  /** Into a new bucket, overwriting nothing, when nothing else is said. */
  async restoring(more: Variables = {}): Promise<Variables> {
    this.#fence += 1;
    return this.parameters({
      overwrite: 'never',
      targetCreated: more.targetCreated ?? (await this.created()),
      fence: String(this.#fence),
      fenceSeed: 'yes',
      copySeconds: '300',
      executionTimeout: '400',
      ...more,
    });
  }

  async restore(more: Variables = {}): Promise<Reply> {
    return (await this.host.run('restore', await this.restoring(more))).reply;
  }
}

/** Of a tree what is selected: paths and what is below them. */
export const below = (
  tree: ReadonlyMap<string, TreeEntry>,
  ...paths: readonly string[]
): ReadonlyMap<string, TreeEntry> =>
  new Map([...tree].filter(([path]) => paths.some((it) => path === it || path.startsWith(`${it}/`))));

/** Files only: directories above what was restored come with it. */
export const files = (tree: ReadonlyMap<string, TreeEntry>): ReadonlyMap<string, TreeEntry> =>
  new Map([...tree].filter(([, { type }]) => type === 'file').sort(([one], [other]) => (one < other ? -1 : 1)));
