import type { PolicyMode } from '../../functions/core/domain/policy.ts';
import { isDrError } from '../../functions/core/errors.ts';
import type { Ended } from '../in-process-edge/execution.ts';
import type { LabOptions } from '../in-process-edge/lab.ts';
import type { Change } from '../ozone-simulator/change.ts';
import type { FaultRule } from '../ozone-simulator/faults/rules.ts';
import { Promises } from './crash-matrix-promises.ts';
import type { Strike } from './crash-matrix-strikes.ts';
import { HOUR_MS, stop, Trial, type Troubles } from './crash-matrix-trial.ts';
import { type Keeps, retentionOf } from './deletion-promises.ts';

/** What came before a prune: backups of so many days, and a prune of the day before. */
interface Prune {
  readonly keeps: Keeps;
  readonly nights: number;
  /** The nights before the prune that condemned some points; without, nothing is condemned yet. */
  readonly condemnedAfter?: number;
  /** Somebody pins the oldest point once it is condemned. */
  readonly isPinned?: boolean;
}

/** What a bucket went through before the run that is struck, and what that run has to do. */
export interface BackupScenario {
  readonly name: string;
  readonly mode: PolicyMode;
  readonly lab?: LabOptions;
  /** A verified point is there before. */
  readonly hasBase: boolean;
  /** The struck run, and those after it, are prunes. */
  readonly prune?: Prune;
  /** Somebody writes into the replica before the struck run. */
  readonly stranger?: readonly Change[];
  readonly faults?: readonly FaultRule[];
  /** Events of commands never arrive: the sweeper does it all. */
  readonly isWithoutEvents?: boolean;
  /** The policy leaves the end to a person: the runs end with this error. */
  readonly refusal?: string;
}

export const FIRST: readonly Change[] = [
  { op: 'put', path: 'stays/a', size: 10, seed: 1 },
  { op: 'put', path: 'stays/b', size: 20, seed: 2 },
  { op: 'put', path: 'grows/c', size: 30, seed: 3 },
  { op: 'put', path: 'moves/d', size: 40, seed: 4 },
  { op: 'put', path: 'goes/e', size: 50, seed: 5 },
  { op: 'put', path: 'goes/deep/f', size: 60, seed: 6 },
  { op: 'put', path: 'old-name', size: 70, seed: 7 },
];

/** Creates, overwrites, deletes and renames, of files and of directories. */
export const CHANGES: readonly Change[] = [
  { op: 'put', path: 'grows/new', size: 11, seed: 11 },
  { op: 'put', path: 'grows/c', size: 31, seed: 12 },
  { op: 'mkdir', path: 'empty/inner' },
  { op: 'mv', path: 'moves', to: 'moved' },
  { op: 'put', path: 'moved/g', size: 13, seed: 13 },
  { op: 'mv', path: 'old-name', to: 'stays/new-name' },
  { op: 'rm', path: 'goes/deep/f' },
  { op: 'rmr', path: 'goes' },
];

const KEEPS: Keeps = { source: 1, replica: 3, graceHours: 24 };

const slowDiff: readonly FaultRule[] = [{ id: 'slow', effect: { kind: 'diff-slow', service: 'prod', ms: 25_000 } }];
const STRANGER: readonly Change[] = [{ op: 'put', path: 'intruder', size: 5, seed: 99 }];

export const BACKUPS: readonly BackupScenario[] = [
  { name: 'first copy', mode: 'incremental-or-resync', hasBase: false },
  { name: 'first copy', mode: 'incremental', hasBase: false },
  { name: 'increment', mode: 'incremental-or-resync', hasBase: true },
  { name: 'increment', mode: 'incremental', hasBase: true },
  { name: 'increment, no events', mode: 'incremental-or-resync', hasBase: true, isWithoutEvents: true },
  { name: 'increment, slow diff', mode: 'incremental', hasBase: true, faults: slowDiff },
  { name: 'resync after a foreign write', mode: 'incremental-or-resync', hasBase: true, stranger: STRANGER },
  {
    name: 'foreign write, increments only',
    mode: 'incremental',
    hasBase: true,
    stranger: STRANGER,
    refusal: 'ReplicaChanged',
  },
  {
    name: 'a diff that omits an entry',
    mode: 'incremental',
    hasBase: true,
    faults: [
      {
        id: 'omits',
        times: 1,
        match: { command: 'snapshot create .* --execute snapshot diff ' },
        effect: { kind: 'diff-omits', service: 'prod', entry: 3 },
      },
    ],
  },
  { name: 'compare everything', mode: 'resync', hasBase: true },
  { name: 'no replica', mode: 'incremental-or-resync', hasBase: false, lab: { hasReplica: false } },
  { name: 'a prune that condemns', mode: 'incremental', hasBase: true, prune: { keeps: KEEPS, nights: 4 } },
  {
    name: 'a prune that deletes on both sides, and condemns',
    mode: 'incremental-or-resync',
    hasBase: true,
    prune: { keeps: KEEPS, nights: 6, condemnedAfter: 5 },
  },
  {
    name: 'a prune that deletes, spares what was pinned, and condemns',
    mode: 'incremental',
    hasBase: true,
    prune: { keeps: KEEPS, nights: 6, condemnedAfter: 5, isPinned: true },
  },
  {
    name: 'a prune that deletes, no events',
    mode: 'incremental',
    hasBase: true,
    isWithoutEvents: true,
    prune: { keeps: KEEPS, nights: 5, condemnedAfter: 5 },
  },
  {
    name: 'a prune without a replica',
    mode: 'incremental-or-resync',
    hasBase: false,
    lab: { hasReplica: false },
    prune: { keeps: { ...KEEPS, replica: null }, nights: 4, condemnedAfter: 3 },
  },
];

const DAY_MS = 24 * HOUR_MS;

/** Backups or prunes, from the first run to a verified point. */
export class BackupTrial extends Trial<Promises> {
  readonly #scenario: BackupScenario;
  readonly #work: 'backup' | 'prune';

  constructor(scenario: BackupScenario, strike: Strike | undefined) {
    const keeps = scenario.prune?.keeps ?? null;
    const work = scenario.prune ? 'prune' : 'backup';
    super(
      {
        work,
        isWithoutEvents: scenario.isWithoutEvents ?? false,
        promises: new Promises({ mode: scenario.mode, hasStrangers: false, mayFallBack: false, keeps }),
        lab: { mode: scenario.mode, retention: keeps && retentionOf(keeps), ...scenario.lab },
        troubles: scenario.prune ? PRUNE_TROUBLES : {},
      },
      strike,
    );
    this.#scenario = scenario;
    this.#work = work;
  }

  protected override async prepare(): Promise<void> {
    const { hasBase, stranger, faults = [], prune } = this.#scenario;
    this.lab.source.change(FIRST);
    if (prune) await this.#nights(prune);
    else if (hasBase) {
      await this.run('next slot', 'backup');
      this.lab.advance(HOUR_MS);
      this.lab.source.change(CHANGES);
    }
    if (stranger) this.lab.replica.change(stranger);
    this.lab.ozone.setFaults(faults);
    this.told.length = 0;
  }

  async #nights({ nights, condemnedAfter, isPinned }: Prune): Promise<void> {
    await this.lab.expand();
    // The first rules of a policy count from the third day on.
    this.lab.advance(3 * DAY_MS);
    for (let night = 1; night <= nights; night += 1) {
      this.lab.source.change([{ op: 'put', path: `grows/night-${night}`, size: night, seed: night }]);
      await this.run('next slot', 'backup');
      this.lab.advance(HOUR_MS);
      if (night === condemnedAfter) await this.run('next slot', 'prune');
      if (night === condemnedAfter && isPinned) await pinOldest(this);
      this.lab.advance(DAY_MS);
    }
  }

  /** The slot has its verified point and the replica is what the source is; or a person is asked, as the policy wants. */
  protected override async isOver(ended: Ended, work = this.#work): Promise<boolean> {
    if (ended.status === 'FAILED') return ended.error === this.#scenario.refusal;
    if ('error' in ended.output && ended.output.error === 'RunAlreadyOpen') return false;
    if (work === 'prune') {
      const disagreements = await this.promises.deletions.disagreements(this.begunAt);
      this.told.push(...disagreements);
      return disagreements.length === 0;
    }
    const [newest] = await this.lab.points();
    const { hasReplica = true } = this.#scenario.lab ?? {};
    const isGood = newest?.state === (hasReplica ? 'verified' : 'taken');
    if (!isGood) this.promises.broken.push(`the run succeeded and its point is ${newest?.state}`);
    if (!isGood || !hasReplica) return true;
    const [source, snapshot, replica] = [
      this.lab.tree('source'),
      this.lab.tree('source', newest.name),
      this.lab.tree('replica'),
    ].map((tree) => JSON.stringify([...tree]));
    if (source !== snapshot || source !== replica)
      this.promises.broken.push('the run succeeded and the replica is not what the source is');
    return true;
  }

  protected override async oneMore(): Promise<void> {
    this.strikes.rest();
    this.promises.broken.push(...(await this.promises.deletions.disagreements(this.begunAt)));
    this.lab.source.change([{ op: 'put', path: 'afterwards', size: 3, seed: 3 }]);
    await this.untilNextSlot();
    const before = this.promises.copies.length;
    const ended = await this.run('next slot', 'backup');
    if (!(await this.isOver(ended, 'backup'))) this.promises.broken.push('the slot after convergence did not succeed');
    const [copy, ...more] = this.promises.copies.slice(before);
    if (ended.status === 'SUCCEEDED' && this.#scenario.lab?.hasReplica !== false)
      if (!copy || more.length > 0 || copy.isFull !== (this.#scenario.mode === 'resync'))
        this.promises.broken.push('the slot after convergence was not done by one ordinary copy');
  }
}

/** Somebody keeps the oldest point, if it is not being deleted already. */
const pinOldest = async ({ lab }: Trial): Promise<void> => {
  const { pair } = await lab.pair();
  const oldest = (await lab.ledger.livingPoints(pair)).at(-1);
  try {
    await lab.decide(`pin sales/orders ${oldest?.name}`);
  } catch (error) {
    if (!isDrError(error, 'NotConfirmed')) throw error;
  }
};

/** What can happen to the execution of a prune besides. */
export const PRUNE_TROUBLES: Troubles = {
  'its lease expires, and a backup takes over': async (trial) => {
    trial.lab.advance(HOUR_MS);
    await trial.nextSlotMeanwhile('backup');
  },
  'a person stops it, and redrives it after a backup': async (trial, name) => {
    stop(trial, name);
    trial.lab.advance(HOUR_MS);
    await trial.nextSlotMeanwhile('backup');
    trial.lab.executions.redrive(name);
  },
  'a person pins the oldest point': async (trial) => pinOldest(trial),
};
