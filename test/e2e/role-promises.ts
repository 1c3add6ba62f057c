import { isDeepStrictEqual } from 'node:util';
import * as z from 'zod';
import { PairState, RecoveryPoint } from '../../functions/core/domain/ledger.ts';
import { Role } from '../../functions/core/domain/roles.ts';
import type { Between, Lab, Side } from '../in-process-edge/lab.ts';
import { intercept } from './crash-matrix-promises.ts';

const SERVICES = { source: 'prod', replica: 'dr' } as const satisfies Record<Side, string>;
const SIDES = ['source', 'replica'] as const satisfies readonly Side[];
const BUCKET = 'sales/orders';
const urlOf = (side: Side): string => `ofs://${SERVICES[side]}/${BUCKET}`;

const Given = z.object({ operation: z.string(), verb: z.string(), source: z.string(), replica: z.string() });
const Delivery = z.tuple([z.string(), Given]);
const Started = z.tuple([z.enum(['ozone', 'hadoop']), z.array(z.string())]).rest(z.unknown());
const Exit = z.object({ exit: z.number() });

/** One distcp into either side of the bucket, or into a bucket of orphans. */
export interface RoleCopy {
  readonly operation: string;
  readonly into: Side | 'orphans';
  /** Of a failover, and not of a backup. */
  readonly isMover: boolean;
  readonly isFull: boolean;
}

/** Path and content of each file, as one text each. */
type Files = ReadonlyMap<string, string>;

/** A snapshot of a verified point, on the side it is on. */
interface Sealed {
  readonly side: Side;
  readonly name: string;
  readonly tree: string;
  /** When the primary of that time had taken it. */
  readonly created: number;
  /** By the ledger of each direction: whether a prune may delete it now. */
  readonly dooms: Map<string, boolean>;
  isGone: boolean;
}

/**
 * What must hold of the roles of a bucket, whatever fails: at most one writer, no verified point lost, nothing that people
 * wrote to an old primary overwritten before it is kept. Judged as it happens, by what the ledger was told last and by
 * what is on the clusters.
 */
export class RolePromises {
  readonly broken: string[] = [];
  readonly copies: RoleCopy[] = [];
  role: Role | null = null;
  readonly #sealed = new Map<string, Sealed>();
  readonly #pairs = new Map<string, PairState>();
  #lab: Lab | undefined;
  #given: z.infer<typeof Given> | undefined;
  /** The run that moves the roles has worked on the new primary: its host refuses what is older from then on. */
  #isFenced = false;
  #copying = 0;
  /** What copies of ours, half done or whole, put into the old primary: a copy that distcp gave up has moved files before. */
  readonly #brought = new Map<string, string>();

  watch(lab: Lab): void {
    this.#lab = lab;
  }

  readonly between: Between = (name, port) => {
    switch (name) {
      case 'ledger':
        return intercept(port, (method, args, go) => this.#seen(method, args, go()));
      case 'host':
        return intercept(port, (method, args, go) => (method === 'run' ? this.#deliver(args, go) : go()));
      case 'ozone':
        return intercept(port, (method, args, go) => (method === 'run' ? this.#start(args, go) : go()));
      default:
        return port;
    }
  };

  #say(holds: boolean, what: string): void {
    if (!holds && !this.broken.includes(what)) this.broken.push(what);
  }

  // ---------------------------------------------------------------- the ledger

  async #seen(method: string, args: readonly unknown[], answered: unknown): Promise<unknown> {
    const answer = await answered;
    if (method === 'moveRole' && answer === true) this.#moved(Role.parse(args[2]));
    if (method === 'putPoint') this.#note(String(args[0]), RecoveryPoint.parse(args[1]));
    if (method === 'changePoint' && answer !== undefined) this.#note(String(args[0]), RecoveryPoint.parse(answer));
    if (method === 'changePair' || method === 'raiseFence') {
      const state = PairState.parse(answer);
      this.#pairs.set(state.pair, state);
    }
    return answer;
  }

  #moved(next: Role): void {
    const before = this.role;
    this.role = next;
    const [epoch, primary] = [before?.epoch ?? 0, before?.primary ?? 'source'];
    const what = `the role became ${next.primary} ${next.state} ${next.epoch} after ${primary} ${before?.state} ${epoch}`;
    if (next.primary !== primary || before === null) {
      this.#isFenced = false;
      this.#say(next.epoch === epoch + 1 && next.state === 'moving', what);
      this.#say(before?.state !== 'moving', what);
      this.#say(next.primary === 'replica' || before?.prepared !== null, `${what}, unprepared`);
      const newest = this.#newest(next.primary);
      this.#say(next.point === newest, `${what}, with ${next.point} and not the newest verified point ${newest}`);
      return;
    }
    this.#say(next.epoch === epoch, what);
    this.#say(next.state === 'settled' || before.state === 'moving', `${what}: people may write there already`);
    if (before.state === 'moving' && before.opened === null)
      this.#say(next.point === before.point, `${what}, with ${next.point} instead of ${before.point}`);
    if (next.state === 'settled')
      this.#say(
        next.opened !== null && this.#tree(next.primary, next.opened.name) === this.#tree(next.primary, next.point),
        `${what}, and what it was opened with is not ${next.point}`,
      );
  }

  /** Of a side. */
  #newest(side: Side): string | undefined {
    const there = [...this.#sealed.values()].filter((it) => it.side === side && !it.isGone);
    return there.toSorted((one, next) => next.created - one.created)[0]?.name;
  }

  #note(pair: string, point: RecoveryPoint): void {
    if (point.state !== 'verified') return;
    const isBack = pair.startsWith('dr/');
    for (const at of SIDES) {
      const it = point[at];
      if (!it || (at === 'replica' && point.replica?.condemned)) continue;
      const side = isBack ? other(at) : at;
      const key = `${side} ${it.id}`;
      const known = this.#sealed.get(key);
      const sealed = known ?? {
        side,
        name: point.name,
        tree: this.#tree(side, point.name),
        created: point.source.created,
        dooms: new Map(),
        isGone: false,
      };
      this.#sealed.set(key, sealed);
      sealed.dooms.set(pair, point.removal[at]?.state === 'deleting');
    }
    if (point.replica && !this.#isGone(point))
      this.#say(
        this.#tree('source', point.name) === this.#tree('replica', point.name),
        `${point.name} is called verified and differs`,
      );
  }

  #isGone(point: RecoveryPoint): boolean {
    return SIDES.some((at) =>
      SIDES.some((side) => this.#sealed.get(`${side} ${point[at]?.id}`)?.isGone || point.removal[at] !== null),
    );
  }

  // ---------------------------------------------------------------- the hosts

  #deliver(args: readonly unknown[], go: () => unknown): unknown {
    const outer = this.#given;
    const [radius, given] = Delivery.parse(args);
    this.#given = given;
    try {
      const ran = go();
      const { role } = this;
      const isOfMover = radius === 'restore' && (given.verb === 'snapshot' || given.verb === 'restore');
      const bucket = given.verb === 'snapshot' ? given.source : given.replica;
      if (isOfMover && role?.state === 'moving' && bucket === `${SERVICES[role.primary]}/${BUCKET}`)
        this.#isFenced ||= Exit.parse(ran).exit === 0;
      return ran;
    } finally {
      this.#given = outer;
    }
  }

  #start(args: readonly unknown[], go: () => unknown): unknown {
    const [program, argv] = Started.parse(args);
    const given = this.#given;
    if (!given) return go();
    if (argv.some((word) => word.startsWith('snapshot delete '))) return this.#deleting(given, go);
    if (program !== 'hadoop' || argv[0] !== 'distcp') return go();
    return this.#copy(given, argv, go);
  }

  #deleting({ operation, verb }: z.infer<typeof Given>, go: () => unknown): unknown {
    const before = this.#active();
    try {
      return go();
    } finally {
      const after = this.#active();
      for (const key of before) {
        const sealed = this.#sealed.get(key);
        if (after.has(key) || !sealed) continue;
        const what = `${operation} deleted ${sealed.name} of the ${sealed.side} by ${verb}`;
        this.#say([...sealed.dooms.values()].includes(true), `${what}, which no ledger calls doomed`);
        this.#say(this.role?.state !== 'moving' || this.role.point !== sealed.name, `${what}, to which it is moved`);
        for (const { pair, base } of this.#pairs.values())
          this.#say(base?.name !== sealed.name || !this.#isInForce(pair), `${what}, which is the base of ${pair}`);
        sealed.isGone = true;
      }
    }
  }

  /** The direction in which copies go now. */
  #isInForce(pair: string): boolean {
    return pair.startsWith('dr/') === (this.role?.primary === 'replica');
  }

  #active(): ReadonlySet<string> {
    return new Set(SIDES.flatMap((side) => (this.#lab?.snapshots(side) ?? []).map(({ id }) => `${side} ${id}`)));
  }

  #copy({ operation, verb }: z.infer<typeof Given>, argv: readonly string[], go: () => unknown): unknown {
    const to = argv.at(-1) ?? '';
    const isMover = verb === 'restore';
    const side = SIDES.find((it) => to === urlOf(it) || to.startsWith(`${urlOf(it)}/`));
    const into = side ?? (to.includes('-orphans-') ? 'orphans' : undefined);
    if (!into) {
      this.#say(false, `${operation} copies to ${to}`);
      return go();
    }
    this.copies.push({ operation, into, isMover, isFull: !argv.includes('-diff') });
    if (!side) return go();
    this.#checkWriter(operation, side, isMover);
    const before = side === 'source' ? this.#files(urlOf('source')) : undefined;
    this.#copying += 1;
    try {
      return go();
    } finally {
      this.#copying -= 1;
      if (before) {
        const after = this.#files(urlOf('source'));
        this.#checkKept(operation, before, after);
        for (const [path, entry] of after) if (before.get(path) !== entry) this.#brought.set(path, entry);
      }
    }
  }

  /** What may write to a side now. A backup that was on its way when the roles moved is refused from the mover's first command on. */
  #checkWriter(operation: string, into: Side, isMover: boolean): void {
    const { role } = this;
    const is = `the role is ${role ? `${role.primary} ${role.state} ${role.epoch}` : 'as it always was'}`;
    this.#say(this.#copying === 0, `${operation} copies while another copy runs`);
    if (isMover) {
      this.#say(
        role?.state === 'moving' && role.primary === into,
        `${operation} of a failover copies into the ${into}, but ${is}`,
      );
      return;
    }
    const isPrimary = (role?.primary ?? 'source') === into;
    const isEarly = role?.state === 'moving' && !this.#isFenced;
    this.#say((!isPrimary && role?.state !== 'moving') || isEarly, `${operation} copies into the ${into}, but ${is}`);
    if (into === 'source' && role?.primary === 'replica')
      this.#say(role.prepared !== null, `${operation} copies into the old primary, which is not prepared`);
  }

  /** What a copy replaced or deleted on the old primary is kept apart, if it is nothing that was replicated. */
  #checkKept(operation: string, before: Files, after: Files): void {
    const lost = [...before].filter(([path, entry]) => after.get(path) !== entry && this.#brought.get(path) !== entry);
    if (lost.length === 0 || !this.#lab) return;
    const { ozone } = this.#lab;
    const apart = ozone
      .buckets('prod', 'sales')
      .filter((name) => name.startsWith('orders-orphans-'))
      .map((name) => `ofs://prod/sales/${name}`);
    const replicated = SIDES.flatMap((side) =>
      (this.#lab?.snapshots(side) ?? [])
        .filter(({ name }) => side === 'replica' || !/^(failback|failover)-/.test(name))
        .map(({ name }) => `${urlOf(side)}/.snapshot/${name}`),
    );
    const places = [...apart, ...replicated].map((url) => this.#files(url));
    for (const [path, entry] of lost)
      this.#say(
        places.some((files) => files.get(path) === entry),
        `${operation} replaced or deleted ${path} of the old primary, which is kept nowhere`,
      );
  }

  // ---------------------------------------------------------------- the clusters

  #files(url: string): Files {
    return new Map(
      [...(this.#lab?.ozone.tree(url) ?? [])].flatMap(([path, entry]) =>
        entry.type === 'file' ? [[path, JSON.stringify(entry)] as const] : [],
      ),
    );
  }

  #tree(side: Side, name: string): string {
    try {
      return JSON.stringify([...(this.#lab?.tree(side, name) ?? [])]);
    } catch (error) {
      return `${side} has no ${name}: ${error}`;
    }
  }

  /** Every snapshot of a verified point is what it was, or a prune has deleted it. @param whole compares their contents too */
  async check({ whole = false } = {}): Promise<void> {
    const active = this.#active();
    for (const [key, { side, name, tree, isGone }] of this.#sealed) {
      if (isGone) continue;
      this.#say(active.has(key), `${name} of the ${side} is lost`);
      if (whole) this.#say(this.#tree(side, name) === tree && tree.startsWith('['), `${name} of the ${side} changed`);
    }
    const known = await this.#lab?.pair();
    this.#say(isDeepStrictEqual(known?.role ?? null, this.role), 'the role is not what was written last');
  }
}

const other = (side: Side): Side => (side === 'source' ? 'replica' : 'source');
