import { PairId } from '../../functions/core/domain/names.ts';
import { RestorePlanned } from '../../functions/core/domain/restore.ts';
import type { Ended, Moment, Work } from '../in-process-edge/execution.ts';
import type { Between } from '../in-process-edge/lab.ts';
import type { Change } from '../ozone-simulator/change.ts';
import { CHANGES, FIRST } from './crash-matrix-backups.ts';
import { intercept, Promises } from './crash-matrix-promises.ts';
import type { Strike } from './crash-matrix-strikes.ts';
import { HOUR_MS, type Onward, stop, Trial, type Troubles } from './crash-matrix-trial.ts';
import { isScratch } from './restore-promises.ts';

/** What a restore or a drill finds, and what it has to make of it. */
export interface RestoreScenario {
  readonly name: string;
  readonly mode: 'incremental-or-resync';
  readonly work: 'restore' | 'drill';
  /** Besides policy, bucket and point. */
  readonly request: object;
  /** `service/volume/bucket` of the target; null for a side bucket, whose name follows from the slot, and for a scratch bucket. */
  readonly target: string | null;
  /** What is there, and is not what the point has. */
  readonly there?: readonly Change[];
  /** A person confirms the plan; without, the restore ends with its plan when it needs one. */
  readonly isConfirmed?: boolean;
  /** People go on working in the target after the run that is struck. */
  readonly meanwhile?: readonly Change[];
  /** An earlier drill died and left its scratch bucket behind. */
  readonly hasLeftover?: boolean;
  /** Somebody changes what was restored to the scratch bucket: the drill has to fail. */
  readonly sabotage?: readonly Change[];
  readonly isWithoutEvents?: boolean;
}

const restore = (
  name: string,
  request: object,
  target: string | null,
  more: Partial<RestoreScenario> = {},
): RestoreScenario => ({ name, mode: 'incremental-or-resync', work: 'restore', request, target, ...more });

const drill = (name: string, more: Partial<RestoreScenario> = {}): RestoreScenario => ({
  name,
  mode: 'incremental-or-resync',
  work: 'drill',
  request: {},
  target: null,
  ...more,
});

const IN_PLACE = 'prod/sales/orders';
const OTHER = 'prod/sales/other';
const other = { cluster: 'prod', bucket: 'sales/other' };

/** Something equal, something else of the same and of another length, and something that the point has not. */
const THERE: readonly Change[] = [
  { op: 'put', path: 'stays/a', size: 10, seed: 1 },
  { op: 'put', path: 'stays/b', size: 20, seed: 22 },
  { op: 'put', path: 'grows/c', size: 33, seed: 23 },
  { op: 'put', path: 'mine/only', size: 9, seed: 24 },
];
const PATHS = ['stays', 'goes/deep/f', 'old-name'];

export const RESTORES: readonly RestoreScenario[] = [
  restore('a restore beside', {}, null),
  restore('a restore beside, no events', {}, null, { isWithoutEvents: true }),
  restore('a restore of paths beside', { scope: { paths: PATHS } }, null),
  restore('a restore in place that is only planned', { target: 'in-place', overwrite: 'always' }, IN_PLACE),
  restore(
    'a restore in place that deletes',
    { target: 'in-place', overwrite: 'if-different', deleteExtra: true },
    IN_PLACE,
    { isConfirmed: true },
  ),
  restore(
    'a restore in place of a directory, while people work',
    { target: 'in-place', overwrite: 'if-different', scope: { prefix: 'stays' } },
    IN_PLACE,
    {
      isConfirmed: true,
      there: [{ op: 'put', path: 'stays/b', size: 21, seed: 31 }],
      meanwhile: [
        { op: 'put', path: 'stays/b', size: 22, seed: 32 },
        { op: 'put', path: 'grows/meanwhile', size: 5, seed: 33 },
      ],
    },
  ),
  restore('a restore into another bucket, overwrite never', { target: other }, OTHER, { there: THERE }),
  restore(
    'a restore into another bucket, overwrite if-different',
    { target: other, overwrite: 'if-different' },
    OTHER,
    {
      there: THERE,
      isConfirmed: true,
    },
  ),
  restore('a restore into another bucket, overwrite always', { target: other, overwrite: 'always' }, OTHER, {
    there: THERE,
    isConfirmed: true,
  }),
  restore(
    'a restore of paths into another bucket',
    { target: other, overwrite: 'if-different', scope: { paths: PATHS } },
    OTHER,
    { there: THERE, isConfirmed: true },
  ),
  drill('a drill'),
  drill('a drill, no events', { isWithoutEvents: true }),
  drill('a drill of which a file is another', { sabotage: [{ op: 'put', path: 'stays/b', size: 20, seed: 77 }] }),
  drill('a drill after one that left its scratch', { hasLeftover: true }),
];

const DRILLS = PairId.parse('prod/sales/orders#drill-nightly');

/** Somebody who changes what a drill restores as soon as it is there. */
class Saboteur {
  isAtWork = false;
  readonly #changes: readonly Change[];
  #change: ((url: string, changes: readonly Change[]) => void) | undefined;

  constructor(changes: readonly Change[]) {
    this.#changes = changes;
  }

  watch({ lab, strikes }: Trial): void {
    this.#change = (url, changes) => strikes.quietly(() => lab.ozone.change(url, changes));
  }

  readonly between: Between = (name, port) =>
    name === 'ozone' ? intercept(port, (method, args, go) => this.#after(method, args, go())) : port;

  #after(method: string, [program, argv]: readonly unknown[], done: unknown): unknown {
    if (!this.isAtWork || method !== 'run' || program !== 'hadoop' || !Array.isArray(argv)) return done;
    const to = String(argv.at(-1));
    if (argv[0] === 'distcp' && isScratch(to)) this.#change?.(to, this.#changes);
    return done;
  }
}

/** Restores and drills, from a verified point to a target that is what the point is. */
export class RestoreTrial extends Trial<Promises> {
  readonly #scenario: RestoreScenario;
  #point = '';
  /** The confirmation that a person has, once a plan was made. */
  #words: { readonly plan: string; readonly confirmation: string } | undefined;
  /** What the next execution is given besides the request. */
  #given: object = {};
  #target = '';
  #isWrittenMeanwhile = false;
  readonly #saboteur: Saboteur;

  constructor(scenario: RestoreScenario, strike: Strike | undefined) {
    const saboteur = new Saboteur(scenario.sabotage ?? []);
    super(
      {
        work: scenario.work,
        isWithoutEvents: scenario.isWithoutEvents ?? false,
        promises: new Promises({ mode: scenario.mode, hasStrangers: false, mayFallBack: false, keeps: null }),
        lab: { mode: scenario.mode },
        troubles: RESTORE_TROUBLES,
        world: saboteur.between,
      },
      strike,
    );
    saboteur.watch(this);
    this.#saboteur = saboteur;
    this.#scenario = scenario;
  }

  protected override async prepare(): Promise<void> {
    const { target, there, hasLeftover, sabotage } = this.#scenario;
    this.lab.source.change(FIRST);
    await this.run('next slot', 'backup');
    this.#point = (await this.lab.points())[0]?.name ?? '';
    this.lab.advance(HOUR_MS);
    this.lab.source.change(CHANGES);
    if (target === OTHER) this.lab.ozone.run('ozone', ['sh', 'bucket', 'create', `o3://${OTHER}`]);
    if (target && there) this.lab.ozone.change(`ofs://${target}`, there);
    if (hasLeftover) await this.#dieAfterTheCopy();
    this.lab.advance(HOUR_MS);
    this.#saboteur.isAtWork = sabotage !== undefined;
    this.promises.restores.remember(target);
    this.told.length = 0;
  }

  /** A drill that is stopped when its scratch bucket is full. */
  async #dieAfterTheCopy(): Promise<void> {
    this.slot = new Date(this.lab.now).toISOString();
    const execution = this.begin('drill');
    for (let next = await execution.next(); !next.done; next = await execution.next()) {
      const moment = next.value;
      if (moment.kind === 'entered' && moment.state === 'compare') break;
      const [command] = this.lab.runCommand.pending();
      if (moment.kind !== 'token' || !command) continue;
      await this.deliver(command);
      await this.event(command);
    }
    await execution.return({ status: 'FAILED', error: 'States.Aborted', cause: '', runId: null });
    this.ended('drill', { status: 'FAILED', error: 'States.Aborted', cause: '', runId: null });
  }

  protected override begin(work: Work): AsyncGenerator<Moment, Ended> {
    if (work !== 'restore' && work !== 'drill') return super.begin(work);
    const { request } = this.#scenario;
    const target = this.#scenario.target ?? `prod/sales/orders-restore-${compact(this.slot)}`;
    if (work === 'restore') this.#target = target;
    const asked = work === 'restore' ? { ...request, ...this.#given } : {};
    return this.lab.startWith({ slot: this.slot, point: this.#point, ...asked }, this.functions, work);
  }

  protected override ended(work: Work, ended: Ended): void {
    if (work === 'backup') this.promises.restores.backedUp();
    this.promises.restores.ended(work, ended, ended.status === 'FAILED' && ended.error === 'States.Aborted');
  }

  /** The other one has a plan and words of his own. */
  override async nextSlotMeanwhile(work?: Work): Promise<void> {
    const words = this.#words;
    await super.nextSlotMeanwhile(work);
    this.#words = words;
  }

  /** Plans and confirms; what was confirmed is tried again as it is, and planned anew when that is refused. */
  protected override async attempt(onward: Onward): Promise<Ended> {
    const { isConfirmed, meanwhile, target } = this.#scenario;
    if (meanwhile && target && this.strikes.struckRuns.length > 0 && !this.#isWrittenMeanwhile) {
      this.#isWrittenMeanwhile = true;
      this.promises.restores.wrote(target, meanwhile);
      this.promises.restores.remember(target);
    }
    if (!isConfirmed) return this.run(onward);
    const isSame = onward === 'same slot';
    if (isSame && this.#words) {
      this.#given = this.#words;
      const ended = await this.run('same slot');
      const isRefused = ended.status === 'FAILED' && ['NotConfirmed', 'ChangedMeanwhile'].includes(ended.error);
      if (!isRefused) return ended;
      this.lab.advance(1000);
    }
    this.#given = {};
    const planned = await this.run(isSame && !this.#words ? 'same slot' : 'next slot');
    this.#words = undefined;
    const plan = planned.status === 'SUCCEEDED' ? RestorePlanned.safeParse(planned.output).data : undefined;
    if (!plan || plan.confirmation === null) return planned;
    this.#words = { plan: plan.plan, confirmation: plan.confirmation };
    this.#given = this.#words;
    this.lab.advance(1000);
    return this.run('next slot');
  }

  protected override async isOver(ended: Ended): Promise<boolean> {
    const { sabotage, work } = this.#scenario;
    if (work === 'drill' && sabotage && this.#saboteur.isAtWork) {
      await this.#expectNotDrilled();
      return ended.status === 'FAILED' && ended.error === 'RestoreDiffers' && this.#scratches().length === 0;
    }
    if (ended.status === 'FAILED') return false;
    if (work === 'drill') await this.#expectDrilled();
    else this.#expectRestored();
    return true;
  }

  #say(holds: boolean, what: string): void {
    if (!holds) this.promises.broken.push(what);
  }

  #scratches(): readonly string[] {
    return this.promises.restores.buckets().filter(isScratch);
  }

  async #expectDrilled(): Promise<void> {
    const point = (await this.lab.points()).find(({ name }) => name === this.#point);
    this.#say(!!point?.drilled, 'the drill succeeded, and its point does not say so');
    this.#say(this.#scratches().length === 0, `the drill succeeded, and left ${this.#scratches()}`);
    const { lastDrill, scratch } = await this.lab.ledger.loadPair(DRILLS);
    this.#say(lastDrill?.point === this.#point && scratch === null, 'the drills do not remember the last one');
  }

  async #expectNotDrilled(): Promise<void> {
    const point = (await this.lab.points()).find(({ name }) => name === this.#point);
    this.#say(!point?.drilled, 'a drill whose content differs was passed');
  }

  /** Worked out from the trees alone. */
  #expectRestored(): void {
    const { isConfirmed, request, target } = this.#scenario;
    const isPlanOnly = target === IN_PLACE && !isConfirmed;
    const now = this.lab.ozone.tree(`ofs://${this.#target}`);
    const point = this.lab.tree('source', this.#point);
    const paths = 'scope' in request ? pathsOf(request.scope) : undefined;
    const isAsked = (path: string) => !paths || paths.some((it) => path === it || path.startsWith(`${it}/`));
    const isNever = !('overwrite' in request);
    for (const [path, entry] of point) {
      if (entry.type !== 'file' || !isAsked(path)) continue;
      const there = now.get(path);
      const isKept = isNever && this.#target === OTHER && THERE.some((it) => it.path === path);
      if (isPlanOnly) continue;
      this.#say(
        isKept ? there !== undefined : JSON.stringify(there) === JSON.stringify(entry),
        `the restore succeeded, and ${path} is ${JSON.stringify(there)}`,
      );
    }
    if ('deleteExtra' in request)
      this.#say(
        JSON.stringify([...now]) === JSON.stringify([...point]),
        'the restore succeeded, and the target is not what the point is',
      );
    if (isPlanOnly)
      this.#say(!now.has('goes/deep/f') && now.has('grows/new'), 'a restore that is only planned changed something');
    if (this.#target === OTHER) this.#say(now.has('mine/only'), 'what was only at the target is gone');
  }

  protected override async oneMore(): Promise<void> {
    this.strikes.rest();
    this.#saboteur.isAtWork = false;
    await this.untilNextSlot();
    await this.#mark();
    const drilled = await this.run('next slot', 'drill');
    this.#say(drilled.status === 'SUCCEEDED', 'the drill after all that did not succeed');
    this.#say(this.#scratches().length === 0, `the drill after all that left ${this.#scratches()}`);
    await this.promises.restores.settled();
    this.promises.restores.forget();
    this.lab.advance(HOUR_MS);
    this.promises.restores.wrote(IN_PLACE, [{ op: 'put', path: 'afterwards', size: 3, seed: 3 }]);
    const before = this.promises.copies.length;
    const backedUp = await this.run('next slot', 'backup');
    this.#say(backedUp.status === 'SUCCEEDED', 'the backup after all that did not succeed');
    const [copy, ...more] = this.promises.copies.slice(before);
    this.#say(
      copy !== undefined && more.length === 0 && !copy.isFull,
      'the backup after all that was not done by one increment',
    );
    const [source, replica] = [this.lab.tree('source'), this.lab.tree('replica')].map((tree) =>
      JSON.stringify([...tree]),
    );
    this.#say(source === replica, 'the backup after all that is not what the source is');
  }

  /** What is restored is not called half written any more. */
  async #mark(): Promise<void> {
    const { work, isConfirmed, target } = this.#scenario;
    if (work === 'drill' || (target === IN_PLACE && !isConfirmed)) return;
    const { dirtySince } = await this.lab.ledger.loadPair(PairId.parse(`${this.#target}#restore`));
    this.#say(dirtySince === null, 'the restore succeeded, and its target is still called half written');
  }
}

const pathsOf = (scope: unknown): readonly string[] | undefined => {
  if (typeof scope !== 'object' || scope === null) return undefined;
  if ('prefix' in scope) return [String(scope.prefix)];
  return 'paths' in scope && Array.isArray(scope.paths) ? scope.paths.map(String) : undefined;
};

/** `20300101t010008z` */
const compact = (slot: string): string =>
  slot
    .replace(/\.\d+Z$/, 'z')
    .replace(/[-:]/g, '')
    .toLowerCase();

/** What can happen to the execution of a restore or a drill besides. */
export const RESTORE_TROUBLES: Troubles = {
  'its lease expires, and a backup takes over': async (trial) => {
    trial.lab.advance(HOUR_MS);
    await trial.nextSlotMeanwhile('backup');
  },
  'a person stops it, and a backup comes before it goes on': async (trial, name) => {
    stop(trial, name);
    await trial.nextSlotMeanwhile('backup');
  },
};
