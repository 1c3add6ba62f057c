import type { PolicyMode } from '../../functions/core/domain/policy.ts';
import { isDrError } from '../../functions/core/errors.ts';
import type { Ended, Functions, Moment, Work } from '../in-process-edge/execution.ts';
import { Lab, type LabOptions } from '../in-process-edge/lab.ts';
import { type Command, eventOf } from '../in-process-edge/run-command.ts';
import type { Change } from '../ozone-simulator/change.ts';
import { type FaultRule, unit } from '../ozone-simulator/faults/rules.ts';
import { Promises } from './crash-matrix-promises.ts';
import { keyOf, type Manner, type Place, type Side, type Strike, Strikes, type Times } from './crash-matrix-strikes.ts';
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
export interface Scenario {
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

const FIRST: readonly Change[] = [
  { op: 'put', path: 'stays/a', size: 10, seed: 1 },
  { op: 'put', path: 'stays/b', size: 20, seed: 2 },
  { op: 'put', path: 'grows/c', size: 30, seed: 3 },
  { op: 'put', path: 'moves/d', size: 40, seed: 4 },
  { op: 'put', path: 'goes/e', size: 50, seed: 5 },
  { op: 'put', path: 'goes/deep/f', size: 60, seed: 6 },
  { op: 'put', path: 'old-name', size: 70, seed: 7 },
];

/** Creates, overwrites, deletes and renames, of files and of directories. */
const CHANGES: readonly Change[] = [
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

export const SCENARIOS: readonly Scenario[] = [
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

/** What comes after the struck run. */
export const ONWARDS = ['next slot', 'same slot'] as const;
export type Onward = (typeof ONWARDS)[number];

export interface Case {
  readonly scenario: Scenario;
  readonly strike: Strike;
  readonly onward: Onward;
}

export const nameOf = ({ scenario, strike, onward }: Case): string =>
  [
    scenario.name,
    scenario.mode,
    `${keyOf(strike.place)} #${strike.nth}`,
    strike.side,
    strike.manner,
    strike.times,
    onward,
  ].join(' | ');

export interface Verdict {
  /** How often it really struck: a place may not be reached a second time. */
  readonly struck: number;
  /** Runs after the last one that was struck, until there was a verified point. */
  readonly furtherRuns: number;
  readonly wrong: readonly string[];
  /** How the runs went, for a person. */
  readonly told: readonly string[];
}

/** Before the name of a step of a prune. */
const PRUNE = 'prune: ';
const MAX_MOMENTS = 4000;
const SWEEP_MS = 60_000;
const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

/** One scenario, with at most one strike, from the first run to a verified point. */
class Trial {
  readonly strikes: Strikes;
  readonly promises: Promises;
  readonly lab: Lab;
  readonly told: string[] = [];
  readonly #scenario: Scenario;
  readonly #functions: Functions;
  /** What the runs are that are struck, and those after them. */
  readonly #workflow: Work;
  /** Commands of which Run Command will never say anything. */
  readonly #silent = new Set<string>();
  readonly #later: { readonly when: 'next command' | 'next run'; readonly what: () => Promise<void> | void }[] = [];
  /** The state that led to the decision that is being made. */
  #state = '';
  #slot = '';
  /** When the last run began. */
  #begunAt = 0;
  #brokenSweeps = 0;

  constructor(scenario: Scenario, strike: Strike | undefined) {
    this.#scenario = scenario;
    const keeps = scenario.prune?.keeps ?? null;
    this.#workflow = scenario.prune ? 'prune' : 'backup';
    const overtake = async (): Promise<void> => {
      const [command] = this.#pending();
      if (!command) return;
      this.deliver(command);
      await this.event(command);
    };
    this.strikes = new Strikes(strike, overtake, scenario.prune && PRUNE);
    this.promises = new Promises({ mode: scenario.mode, hasStrangers: false, mayFallBack: false, keeps });
    this.lab = new Lab({
      mode: scenario.mode,
      retention: keeps && retentionOf(keeps),
      ...scenario.lab,
      between: (name, port) => this.strikes.between(name, this.promises.between(name, port)),
      watch: this.strikes.watch,
    });
    this.promises.watch(this.lab);
    const { openRun, decide, decidePrune, openRestore, decideRestore, condemn, start, recordOutcome, recordFailure } =
      this.lab.functions;
    const mortal =
      <R>(step: () => string, work: (event: unknown) => Promise<R>) =>
      (event: unknown): Promise<R> =>
        this.strikes.invoke(step(), () => work(event));
    this.#functions = {
      openRun: mortal(() => 'OpenRun', openRun),
      decide: mortal(() => `Decide after ${this.#state}`, decide),
      decidePrune: mortal(() => `Decide after ${this.#state}`, decidePrune),
      openRestore: mortal(() => 'OpenRun', openRestore),
      decideRestore: mortal(() => `Decide after ${this.#state}`, decideRestore),
      condemn: mortal(() => 'Condemn', condemn),
      start: {
        observe: mortal(() => `start ${this.#state}`, start.observe),
        protect: mortal(() => `start ${this.#state}`, start.protect),
        destroy: mortal(() => `start ${this.#state}`, start.destroy),
        restore: mortal(() => `start ${this.#state}`, start.restore),
      },
      recordOutcome: mortal(() => 'RecordOutcome', recordOutcome),
      recordFailure: mortal(() => 'RecordFailure', recordFailure),
    };
  }

  async #prepare(): Promise<void> {
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
      if (night === condemnedAfter && isPinned) await this.pinOldest();
      this.lab.advance(DAY_MS);
    }
  }

  /** Somebody keeps the oldest point, if it is not being deleted already. */
  async pinOldest(): Promise<void> {
    const { pair } = await this.lab.pair();
    const oldest = (await this.lab.ledger.livingPoints(pair)).at(-1);
    try {
      await this.lab.decide(`pin sales/orders ${oldest?.name}`);
    } catch (error) {
      if (!isDrError(error, 'NotConfirmed')) throw error;
    }
  }

  /** Plays one execution to its end. */
  async run(onward: Onward, work = this.#workflow): Promise<Ended> {
    if (onward === 'next slot' || this.#slot === '') this.#slot = new Date(this.lab.now).toISOString();
    await this.#doLater('next run');
    this.#begunAt = this.lab.now;
    const execution = this.lab.start(this.#slot, undefined, this.#functions, work);
    const name = this.lab.newestExecution;
    const states: string[] = [];
    for (let moments = 0; moments < MAX_MOMENTS; moments += 1) {
      const { done, value } = await execution.next();
      if (done) {
        await this.promises.check({ whole: true });
        const why = value.status === 'SUCCEEDED' ? JSON.stringify(value.output) : `${value.error}: ${value.cause}`;
        this.told.push(`${states.join(', ')}: ${value.status} ${why}`);
        return value;
      }
      if (value.kind === 'entered' && states.at(-1) !== value.state && value.state !== 'Decide')
        states.push(value.state);
      this.#enter(value);
      const trouble = this.strikes.trouble({ layer: 'execution', step: this.#where(value), effect: 'a moment' });
      if (trouble !== undefined) {
        await (EXECUTION_TROUBLES[trouble] ?? PRUNE_TROUBLES[trouble])?.(this, name);
        if (!(await this.lab.executions.isRunning(name))) {
          this.told.push(`${states.join(', ')}: stopped`);
          await execution.return(STOPPED);
          await this.promises.check({ whole: true });
          return STOPPED;
        }
      }
      await this.#meanwhile(value);
    }
    throw new Error(`an execution did not end: ${states.join(', ')}`);
  }

  #enter(moment: Moment): void {
    if (moment.kind === 'entered' && moment.state !== 'Decide') this.#state = moment.state;
    if (moment.kind === 'wait') this.#state = 'wait';
  }

  #where(moment: Moment): string {
    if (moment.kind === 'token') return `waiting for ${this.#state}`;
    return moment.kind === 'entered' && moment.state === 'Decide' ? `Decide after ${this.#state}` : this.#state;
  }

  async #meanwhile(moment: Moment): Promise<void> {
    switch (moment.kind) {
      case 'entered':
        return;
      case 'wait':
        return this.lab.advance(moment.seconds * 1000);
      case 'token': {
        const command = this.#pending()[0];
        return command ? this.#work(command) : this.sweep();
      }
    }
  }

  #pending(): readonly Command[] {
    return this.lab.runCommand.pending().filter((it) => !this.#silent.has(it.id));
  }

  async #work(command: Command): Promise<void> {
    await this.#doLater('next command');
    const { verb } = command.parameters;
    const trouble = this.strikes.trouble({ layer: 'delivery', step: verb, effect: 'a command' });
    if (trouble !== undefined) return DELIVERY_TROUBLES[trouble]?.(this, command);
    this.deliver(command);
    if (!this.#scenario.isWithoutEvents) await this.event(command);
  }

  later(when: 'next command' | 'next run', what: () => Promise<void> | void): void {
    this.#later.push({ when, what });
  }

  /** The sweeper's function fails for some time. */
  breakSweeper(sweeps: number): void {
    this.#brokenSweeps = sweeps;
  }

  /** Another execution, of the next slot, from begin to end. */
  async nextSlotMeanwhile(work = this.#workflow): Promise<void> {
    const [slot, state] = [this.#slot, this.#state];
    await this.run('next slot', work);
    this.#slot = slot;
    this.#state = state;
  }

  deliver(command: Command): void {
    const { verb } = command.parameters;
    const hit = this.strikes.work(verb, () => this.lab.deliver(command));
    if (hit === 'resumed') this.lab.deliver(command);
    if (hit !== 'gone') return;
    command.state = { kind: 'running' };
    this.silence(command);
  }

  /** Nobody says anything of a command any more. */
  silence(command: Command): void {
    this.#silent.add(command.id);
  }

  /** An event or a sweep that dies wakes nobody; the next sweep will. */
  async event(command: Command): Promise<void> {
    await this.#unheard(() =>
      this.strikes.invoke(`event of ${command.parameters.verb}`, () => this.lab.settle(eventOf(command))),
    );
  }

  async sweep(): Promise<void> {
    this.lab.advance(this.#silent.size > 0 ? 5 * SWEEP_MS : SWEEP_MS);
    this.#brokenSweeps -= 1;
    if (this.#brokenSweeps >= 0) return;
    await this.#unheard(() => this.strikes.invoke('sweep', () => this.lab.sweep()));
  }

  async #unheard(work: () => Promise<unknown>): Promise<void> {
    try {
      await work();
    } catch (error) {
      if (!(error instanceof Error) || !DEATHS.has(error.name)) throw error;
    }
  }

  async #doLater(when: 'next command' | 'next run'): Promise<void> {
    const due = this.#later.filter((it) => it.when === when);
    for (const it of due) {
      this.#later.splice(this.#later.indexOf(it), 1);
      await it.what();
    }
  }

  /** Time until the next slot: hosts finish what they were sent, and the sweeper looks after it. */
  async #untilNextSlot(): Promise<void> {
    for (const command of this.#pending()) this.deliver(command);
    for (let sweeps = 0; sweeps < 3; sweeps += 1) await this.sweep();
    this.lab.advance(HOUR_MS);
  }

  /** Runs until there is a verified point after the last strike, or two runs more did not lead to one. */
  async judge({ times, onward }: { readonly times: Times; readonly onward: Onward }): Promise<Verdict> {
    await this.#prepare();
    let run = 0;
    let [isOver, isDone] = [false, false];
    do {
      run += 1;
      // A prune of a slot that is done does nothing more: what came after it is for the next slot.
      const next = run === 1 || isDone ? 'next slot' : onward;
      if (run > 1 && next === 'next slot') await this.#untilNextSlot();
      this.strikes.nextRun();
      const ended = await this.run(next);
      isDone = this.#workflow === 'prune' && ended.status === 'SUCCEEDED';
      isOver = await this.#isOver(ended);
    } while ((!isOver && run < this.#lastStruck() + 2) || (run === 1 && times !== 'once'));
    const furtherRuns = run - this.#lastStruck();
    if (isOver) await this.#oneMore();
    else this.promises.broken.push('two further runs did not converge');
    return { struck: this.strikes.struckRuns.length, furtherRuns, wrong: this.promises.broken, told: this.told };
  }

  #lastStruck(): number {
    return this.strikes.struckRuns.at(-1) ?? 1;
  }

  /** The slot has its verified point and the replica is what the source is; or a person is asked, as the policy wants. */
  async #isOver(ended: Ended, work = this.#workflow): Promise<boolean> {
    if (ended.status === 'FAILED') return ended.error === this.#scenario.refusal;
    if ('error' in ended.output && ended.output.error === 'RunAlreadyOpen') return false;
    if (work === 'prune') {
      const disagreements = await this.promises.deletions.disagreements(this.#begunAt);
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

  /** After all that, an ordinary slot is done in the ordinary way. */
  async #oneMore(): Promise<void> {
    this.strikes.rest();
    this.promises.broken.push(...(await this.promises.deletions.disagreements(this.#begunAt)));
    this.lab.source.change([{ op: 'put', path: 'afterwards', size: 3, seed: 3 }]);
    await this.#untilNextSlot();
    const before = this.promises.copies.length;
    const ended = await this.run('next slot', 'backup');
    if (!(await this.#isOver(ended, 'backup'))) this.promises.broken.push('the slot after convergence did not succeed');
    const [copy, ...more] = this.promises.copies.slice(before);
    if (ended.status === 'SUCCEEDED' && this.#scenario.lab?.hasReplica !== false)
      if (!copy || more.length > 0 || copy.isFull !== (this.#scenario.mode === 'resync'))
        this.promises.broken.push('the slot after convergence was not done by one ordinary copy');
  }
}

const STOPPED: Ended = { status: 'FAILED', error: 'States.Aborted', cause: '', runId: null };

const giveUp = (command: Command, status: string): void => {
  command.state = { kind: 'ended', status, output: '' };
};

/** What can happen to one command between Run Command, its host and those who wait for it. */
const DELIVERY_TROUBLES: Readonly<Record<string, (trial: Trial, command: Command) => Promise<void>>> = {
  'its event is lost': async (trial, command) => trial.deliver(command),
  'its event comes twice': async (trial, command) => {
    trial.deliver(command);
    await trial.event(command);
    await trial.event(command);
  },
  'its event comes early': async (trial, command) => {
    await trial.event(command);
    trial.deliver(command);
    await trial.event(command);
  },
  'its event comes after that of the next command': async (trial, command) => {
    trial.deliver(command);
    trial.later('next command', () => trial.event(command));
  },
  'its event comes in the next run': async (trial, command) => {
    trial.deliver(command);
    trial.later('next run', () => trial.event(command));
  },
  'it is delivered twice': async (trial, command) => {
    trial.deliver(command);
    trial.lab.runCommand.deliverAgain(command);
    await trial.event(command);
  },
  'it is delivered again with the next command': async (trial, command) => {
    trial.deliver(command);
    await trial.event(command);
    trial.later('next command', () => trial.lab.runCommand.deliverAgain(command));
  },
  'it is delivered again in the next run': async (trial, command) => {
    trial.deliver(command);
    await trial.event(command);
    trial.later('next run', () => trial.lab.runCommand.deliverAgain(command));
  },
  'DeliveryTimedOut, it never ran': async (trial, command) => {
    giveUp(command, 'DeliveryTimedOut');
    await trial.event(command);
  },
  'DeliveryTimedOut, then it ran': async (trial, command) => {
    giveUp(command, 'DeliveryTimedOut');
    await trial.event(command);
    trial.lab.runCommand.deliverAgain(command);
  },
  'DeliveryTimedOut, it ran with the next command': async (trial, command) => {
    giveUp(command, 'DeliveryTimedOut');
    await trial.event(command);
    trial.later('next command', () => trial.lab.runCommand.deliverAgain(command));
  },
  'DeliveryTimedOut, it ran in the next run': async (trial, command) => {
    giveUp(command, 'DeliveryTimedOut');
    await trial.event(command);
    trial.later('next run', () => trial.lab.runCommand.deliverAgain(command));
  },
  'it ran, then DeliveryTimedOut': async (trial, command) => {
    trial.deliver(command);
    giveUp(command, 'DeliveryTimedOut');
    await trial.event(command);
  },
  'it ran, its output is lost': async (trial, command) => {
    trial.deliver(command);
    giveUp(command, 'Success');
    await trial.event(command);
  },
  'it ran, its output is cut': async (trial, command) => {
    trial.deliver(command);
    const { state } = command;
    if (state.kind === 'ended') command.state = { ...state, output: state.output.slice(0, -30) };
    await trial.event(command);
  },
  'somebody cancels it, it runs all the same': async (trial, command) => {
    giveUp(command, 'Cancelled');
    await trial.event(command);
    trial.lab.runCommand.deliverAgain(command);
  },
  'the agent is away for 20 minutes': async (trial, command) => {
    for (let sweeps = 0; sweeps < 20; sweeps += 1) await trial.sweep();
    trial.deliver(command);
    await trial.event(command);
  },
  'the agent is away for good, and runs it in the next run': async (trial, command) => {
    trial.silence(command);
    trial.later('next run', () => trial.lab.runCommand.deliverAgain(command));
  },
  'its event is lost, and the sweeper fails for 15 minutes': async (trial, command) => {
    trial.deliver(command);
    trial.breakSweeper(15);
  },
  'its event is lost, and the sweeper fails for 2 hours': async (trial, command) => {
    trial.deliver(command);
    trial.breakSweeper(120);
  },
};

const stop = (trial: Trial, name: string): readonly Command[] => {
  trial.lab.executions.stop(name);
  return trial.lab.runCommand.pending();
};

/** What can happen to an execution, wherever it is. */
const EXECUTION_TROUBLES: Readonly<Record<string, (trial: Trial, name: string) => Promise<void>>> = {
  'a person stops it': async (trial, name) => {
    stop(trial, name);
  },
  'a person stops it, the sweeper cancels its command': async (trial, name) => {
    stop(trial, name);
    await trial.sweep();
    await trial.sweep();
  },
  'a person stops it, its command is cancelled and runs all the same': async (trial, name) => {
    const commands = stop(trial, name);
    await trial.sweep();
    for (const command of commands) trial.lab.runCommand.deliverAgain(command);
  },
  'a person stops it, its command is cancelled and runs in the next run': async (trial, name) => {
    const commands = stop(trial, name);
    await trial.sweep();
    trial.later('next run', () =>
      trial.later('next command', () => {
        for (const command of commands) trial.lab.runCommand.deliverAgain(command);
      }),
    );
  },
  'a person stops it and redrives it at once': async (trial, name) => {
    stop(trial, name);
    trial.lab.executions.redrive(name);
  },
  'a person stops it and redrives it later': async (trial, name) => {
    stop(trial, name);
    await trial.sweep();
    await trial.sweep();
    trial.lab.executions.redrive(name);
  },
  'a person stops it and redrives it after the next slot': async (trial, name) => {
    stop(trial, name);
    trial.lab.advance(HOUR_MS);
    await trial.nextSlotMeanwhile();
    trial.lab.executions.redrive(name);
  },
  'its lease expires, and the next slot takes over': async (trial) => {
    trial.lab.advance(HOUR_MS);
    await trial.nextSlotMeanwhile();
  },
  'its lease expires, and its command runs after the next slot': async (trial) => {
    const commands = trial.lab.runCommand.pending();
    for (const command of commands) trial.silence(command);
    trial.lab.advance(HOUR_MS);
    await trial.nextSlotMeanwhile();
    for (const command of commands) trial.lab.deliver(command);
  },
};

/** What can happen to the execution of a prune besides. */
const PRUNE_TROUBLES: typeof EXECUTION_TROUBLES = {
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
  'a person pins the oldest point': async (trial) => trial.pinOldest(),
};

const DEATHS: ReadonlySet<string> = new Set(['Sandbox.Timedout', 'Lambda.ServiceException', 'ServiceUnavailable']);

/** Calls that change nothing: to die after one is to die before the next call. */
const READS: ReadonlySet<string> = new Set([
  'ledger.livingPoints',
  'ledger.loadPolicyState',
  'plans.load',
  'ledger.loadPair',
  'ledger.loadRun',
  'ledger.recentPoints',
  'operations.load',
  'operations.open',
  'edge.find',
  'edge.state',
  'callbacks.isRunning',
]);

const mannersAt = ({ layer, step: stepOfWork, effect }: Place, side: Side): readonly string[] => {
  const isPrune = stepOfWork.startsWith(PRUNE);
  const step = isPrune ? stepOfWork.slice(PRUNE.length) : stepOfWork;
  if (READS.has(effect) && side === 'after') return [];
  switch (layer) {
    case 'delivery':
      return side === 'before' ? Object.keys(DELIVERY_TROUBLES) : [];
    case 'execution':
      if (side === 'after') return [];
      return [...Object.keys(EXECUTION_TROUBLES), ...(isPrune ? Object.keys(PRUNE_TROUBLES) : [])];
    case 'program':
      return ['rebooted', 'resumed', 'gone'];
    case 'inside a program':
      return ['program', 'rebooted'];
    default:
      if (effect === 'edge.send')
        return ['killed', 'retried', side === 'before' ? 'unknown host' : 'overtaken'] satisfies Manner[];
      if (step === 'sweep') return ['killed', 'refused'];
      return step.startsWith('event of ') ? ['killed'] : ['killed', 'retried'];
  }
};

/** How often it strikes, and how people go on. */
const STORIES: readonly (readonly [Times, Onward])[] = [
  ['once', 'next slot'],
  ['once', 'same slot'],
  ['again at once', 'next slot'],
  ['again in the next run', 'same slot'],
  ['again in the next run', 'next slot'],
  ['again at once', 'same slot'],
];

const SIDES: readonly Side[] = ['before', 'after'];

/** Everything that can go wrong in a scenario, found by one run in which nothing does. @throws when that run is not good */
export const casesOf = async (scenario: Scenario): Promise<readonly Case[]> => {
  const healthy = new Trial(scenario, undefined);
  const { wrong, told } = await healthy.judge({ times: 'once', onward: 'next slot' });
  if (wrong.length > 0) throw new Error(`${scenario.name}, ${scenario.mode}: ${[...wrong, ...told].join('\n')}`);
  const cases: Case[] = [];
  for (const { place, count } of healthy.strikes.reached.values()) {
    if (scenario.isWithoutEvents && !place.step.endsWith('sweep')) continue;
    for (let nth = 1; nth <= count; nth += 1)
      for (const side of SIDES)
        for (const manner of mannersAt(place, side))
          for (const [times, onward] of STORIES)
            cases.push({ scenario, strike: { place, nth, side, manner, times }, onward });
  }
  return cases;
};

/** All cases of all scenarios, in their order. */
export const allCases = async (): Promise<readonly Case[]> => {
  const cases: Case[] = [];
  for (const scenario of SCENARIOS) cases.push(...(await casesOf(scenario)));
  return cases;
};

/** Where troubles are no effects of the product, each is a row of its own. */
export const isTrouble = ({ layer }: Place): boolean => layer === 'delivery' || layer === 'execution';

/**
 * Of each place, each time it is reached and each side one case that strikes once and one that strikes twice, by lot
 * among manners and ways to go on. A place that an earlier scenario has too is struck once or twice.
 */
export const choose = (cases: readonly Case[], seed: number): readonly Case[] => {
  const groups = new Map<string, Case[]>();
  for (const it of cases) {
    const { place, nth, side, manner } = it.strike;
    const key = `${keyOf(place)} #${nth} ${side}${isTrouble(place) ? manner : ''}`;
    const known = groups.get(key) ?? [];
    groups.set(key, known);
    known.push(it);
  }
  let drawn = 0;
  const oneOf = (from: readonly Case[]): readonly Case[] => {
    drawn += 1;
    const one = from[Math.floor(unit(seed * 1009 + drawn) * from.length)];
    return one ? [one] : [];
  };
  return [...groups.values()].flatMap((group) =>
    [...new Set(group.map(({ scenario }) => scenario))].flatMap((scenario, n) => {
      const own = group.filter((it) => it.scenario === scenario);
      const isOnce = ({ strike }: Case) => strike.times === 'once';
      return n > 0 ? oneOf(own) : [...oneOf(own.filter(isOnce)), ...oneOf(own.filter((it) => !isOnce(it)))];
    }),
  );
};

/** At most so many cases, drawn by lot, from each layer in turn. */
export const sample = (cases: readonly Case[], most: number, seed: number): readonly Case[] => {
  const layers = new Map<string, Case[]>();
  const drawn = cases.map((it, n) => ({ it, lot: unit(seed * 31 + n) })).toSorted((one, other) => one.lot - other.lot);
  for (const { it } of drawn) {
    const own = layers.get(it.strike.place.layer) ?? [];
    layers.set(it.strike.place.layer, own);
    own.push(it);
  }
  const longest = Math.max(0, ...[...layers.values()].map((own) => own.length));
  return Array.from({ length: longest }, (_, n) => [...layers.values()].flatMap((own) => own.slice(n, n + 1)))
    .flat()
    .slice(0, most);
};

export const judge = ({ scenario, strike, onward }: Case): Promise<Verdict> =>
  new Trial(scenario, strike).judge({ times: strike.times, onward });
