import { DELIVERY } from '../../functions/core/domain/operation.ts';
import type { Ended, Functions, Moment, Work } from '../in-process-edge/execution.ts';
import { type Between, Lab, type LabOptions } from '../in-process-edge/lab.ts';
import { type Command, eventOf } from '../in-process-edge/run-command.ts';
import { type Strike, Strikes, type Times } from './crash-matrix-strikes.ts';
import { isScratch } from './restore-promises.ts';

/** What comes after the struck run. */
export const ONWARDS = ['next slot', 'same slot'] as const;
export type Onward = (typeof ONWARDS)[number];

export interface Verdict {
  /** How often it really struck: a place may not be reached a second time. */
  readonly struck: number;
  /** Runs after the last one that was struck, until there was a verified point. */
  readonly furtherRuns: number;
  readonly wrong: readonly string[];
  /** How the runs went, for a person. */
  readonly told: readonly string[];
}

const MAX_MOMENTS = 4000;
/** The hubs. */
const DECIDES: ReadonlySet<string> = new Set(['Decide', 'DecideBatch']);
const SWEEP_MS = 60_000;
export const HOUR_MS = 3_600_000;
const DELIVERY_MS = DELIVERY * 1000;

/** What can happen to an execution, by its name. */
export type Troubles = Readonly<Record<string, (trial: Trial, execution: string) => Promise<void>>>;

/** What must hold at every moment, and what of it did not. */
export interface Watched {
  readonly broken: string[];
  readonly between: Between;
  watch(lab: Lab): void;
  check(how: { readonly whole: boolean }): Promise<void>;
}

export interface Staging<P extends Watched> {
  /** What the runs are that are struck, and those after them. */
  readonly work: Work;
  readonly isWithoutEvents: boolean;
  readonly promises: P;
  readonly lab: LabOptions;
  /** Besides those of every execution. */
  readonly troubles: Troubles;
  /** What stands below the promises and the strikes: part of the world. */
  readonly world?: Between;
}

/** The steps of another workflow than backup bear its name, so that they are places of their own; a batch has states of its own. */
export const prefixOf = (work: Work): string => (work === 'backup' || work === 'backup-batch' ? '' : `${work}: `);

/** What a host is at work on. */
const verbOf = ({ parameters: { verb, batch } }: Command): string => (batch === '' ? verb : `batch of ${verb}`);

/** One scenario, with at most one strike, from the first run to where it has to end. */
export abstract class Trial<P extends Watched = Watched> {
  readonly strikes: Strikes;
  readonly promises: P;
  readonly lab: Lab;
  readonly told: string[] = [];
  protected readonly functions: Functions;
  protected slot = '';
  /** When the last run began. */
  protected begunAt = 0;
  readonly #staging: Staging<P>;
  /** Commands of which Run Command will never say anything. */
  readonly #silent = new Set<string>();
  readonly #later: { readonly when: 'next command' | 'next run'; readonly what: () => Promise<void> | void }[] = [];
  /** The state that led to the decision that is being made. */
  #state = '';
  #brokenSweeps = 0;

  constructor(staging: Staging<P>, strike: Strike | undefined) {
    this.#staging = staging;
    const overtake = async (): Promise<void> => {
      const [command] = this.#pending();
      if (!command) return;
      await this.deliver(command);
      await this.event(command);
    };
    this.strikes = new Strikes(strike, overtake, prefixOf(staging.work));
    this.promises = staging.promises;
    const world: Between = staging.world ?? ((_, port) => port);
    this.lab = new Lab({
      ...staging.lab,
      between: (name, port) => this.strikes.between(name, this.promises.between(name, world(name, port))),
      watch: this.strikes.watch,
    });
    this.promises.watch(this.lab);
    const { openRun, decide, decidePrune, openRestore, decideRestore, condemn, start, recordOutcome, recordFailure } =
      this.lab.functions;
    const { openBatch, decideBatch, recordBatch } = this.lab.functions;
    const mortal =
      <R>(step: () => string, work: (event: unknown) => Promise<R>) =>
      (event: unknown): Promise<R> =>
        this.strikes.invoke(step(), () => work(event));
    this.functions = {
      openRun: mortal(() => 'OpenRun', openRun),
      decide: mortal(() => `Decide after ${this.#state}`, decide),
      decidePrune: mortal(() => `Decide after ${this.#state}`, decidePrune),
      openBatch: mortal(() => 'OpenBatch', openBatch),
      decideBatch: mortal(() => `DecideBatch after ${this.#state}`, decideBatch),
      recordBatch: mortal(() => 'RecordBatch', recordBatch),
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

  /** All that came before the run that is struck. */
  protected abstract prepare(): Promise<void>;
  /** Whether what was asked for is there now; broken promises are told. */
  protected abstract isOver(ended: Ended): Promise<boolean>;
  /** After all that, an ordinary run is done in the ordinary way. */
  protected abstract oneMore(): Promise<void>;

  /** What a person or a schedule starts, once: from one to a few executions. */
  protected attempt(onward: Onward): Promise<Ended> {
    return this.run(onward);
  }

  protected begin(work: Work): AsyncGenerator<Moment, Ended> {
    return this.lab.start(this.slot, undefined, this.functions, work);
  }

  /** Plays one execution to its end. */
  async run(onward: Onward, work = this.#staging.work): Promise<Ended> {
    if (onward === 'next slot' || this.slot === '') this.slot = new Date(this.lab.now).toISOString();
    await this.#doLater('next run');
    this.begunAt = this.lab.now;
    const execution = this.begin(work);
    const name = this.lab.newestExecution;
    const states: string[] = [];
    for (let moments = 0; moments < MAX_MOMENTS; moments += 1) {
      const { done, value } = await execution.next();
      if (done) {
        this.ended(work, value);
        await this.promises.check({ whole: true });
        const why = value.status === 'SUCCEEDED' ? JSON.stringify(value.output) : `${value.error}: ${value.cause}`;
        this.told.push(`${states.join(', ')}: ${value.status} ${why}`);
        return value;
      }
      if (value.kind === 'entered' && states.at(-1) !== value.state && !DECIDES.has(value.state))
        states.push(value.state);
      this.#enter(value);
      const trouble = this.strikes.trouble({ layer: 'execution', step: this.#where(value), effect: 'a moment' });
      if (trouble !== undefined) {
        await (EXECUTION_TROUBLES[trouble] ?? this.#staging.troubles[trouble])?.(this, name);
        if (!(await this.lab.executions.isRunning(name))) {
          this.told.push(`${states.join(', ')}: stopped`);
          await execution.return(STOPPED);
          this.ended(work, STOPPED);
          await this.promises.check({ whole: true });
          return STOPPED;
        }
      }
      await this.#meanwhile(value);
    }
    throw new Error(`an execution did not end: ${states.join(', ')}`);
  }

  /** An execution is over, or somebody stopped it. */
  protected ended(_work: Work, _ended: Ended): void {}

  #enter(moment: Moment): void {
    if (moment.kind === 'entered' && !DECIDES.has(moment.state)) this.#state = moment.state;
    if (moment.kind === 'wait') this.#state = 'wait';
  }

  #where(moment: Moment): string {
    if (moment.kind === 'token') return `waiting for ${this.#state}`;
    return moment.kind === 'entered' && DECIDES.has(moment.state)
      ? `${moment.state} after ${this.#state}`
      : this.#state;
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
    const trouble = this.strikes.trouble({ layer: 'delivery', step: verbOf(command), effect: 'a command' });
    if (trouble !== undefined) return DELIVERY_TROUBLES[trouble]?.(this, command);
    await this.deliver(command);
    if (!this.#staging.isWithoutEvents) await this.event(command);
  }

  later(when: 'next command' | 'next run', what: () => Promise<void> | void): void {
    this.#later.push({ when, what });
  }

  /** The sweeper's function fails for some time. */
  breakSweeper(sweeps: number): void {
    this.#brokenSweeps = sweeps;
  }

  /** Another execution, of the next slot, from begin to end; or what a person starts again. */
  async nextSlotMeanwhile(work?: Work): Promise<void> {
    const [slot, state] = [this.slot, this.#state];
    await (work ? this.run('next slot', work) : this.attempt('next slot'));
    this.slot = slot;
    this.#state = state;
  }

  /** Run Command keeps to its own time-outs: what it has not delivered by then never arrives. */
  async deliver(command: Command): Promise<void> {
    if (await this.#isUndelivered(command)) return giveUp(command, 'DeliveryTimedOut');
    const hit = this.strikes.work(verbOf(command), () => this.lab.deliver(command));
    if (hit === 'resumed') this.lab.deliver(command);
    if (hit !== 'gone') return;
    command.state = { kind: 'running' };
    this.silence(command);
  }

  async deliverLate(command: Command): Promise<void> {
    if (!(await this.#isUndelivered(command))) this.lab.deliver(command);
  }

  /** The same for a command that is over. */
  async deliverAgainLate(command: Command): Promise<void> {
    if (!(await this.#isUndelivered(command))) this.lab.runCommand.deliverAgain(command);
  }

  /**
   * Of what makes a scratch bucket, and of what may replace what people wrote, the product relies on the time-outs of Run
   * Command; all else arrives here as late as it likes.
   */
  async #isUndelivered({ parameters: { operation, verb, replica } }: Command): Promise<boolean> {
    const isScratchMade = verb === 'create-bucket' && isScratch(replica);
    const isRestore = verb === 'restore' && !isScratch(replica);
    if (!isScratchMade && !isRestore) return false;
    const known = await this.lab.operations.load(operation);
    if (!known) return false;
    return this.lab.now >= (isRestore ? known.createdAt + DELIVERY_MS : known.deadline);
  }

  /** Nobody says anything of a command any more. */
  silence(command: Command): void {
    this.#silent.add(command.id);
  }

  /** An event or a sweep that dies wakes nobody; the next sweep will. */
  async event(command: Command): Promise<void> {
    await this.#unheard(() =>
      this.strikes.invoke(`event of ${verbOf(command)}`, () => this.lab.settle(eventOf(command))),
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
  async untilNextSlot(): Promise<void> {
    for (const command of this.#pending()) await this.deliver(command);
    for (let sweeps = 0; sweeps < 3; sweeps += 1) await this.sweep();
    this.lab.advance(HOUR_MS);
  }

  /** Runs until it is over after the last strike, or two runs more did not lead to one. */
  async judge({ times, onward }: { readonly times: Times; readonly onward: Onward }): Promise<Verdict> {
    await this.prepare();
    let run = 0;
    let [isOver, isDone] = [false, false];
    do {
      run += 1;
      // Of another workflow than backup a slot that is done does nothing more: what came after it is for the next slot.
      const next = run === 1 || isDone ? 'next slot' : onward;
      if (run > 1 && next === 'next slot') await this.untilNextSlot();
      this.strikes.nextRun();
      const ended = await this.attempt(next);
      isDone = !['backup', 'backup-batch'].includes(this.#staging.work) && ended.status === 'SUCCEEDED';
      isOver = await this.isOver(ended);
    } while ((!isOver && run < this.#lastStruck() + 2) || (run === 1 && times !== 'once'));
    const furtherRuns = run - this.#lastStruck();
    if (isOver) await this.oneMore();
    else this.promises.broken.push('two further runs did not converge');
    return { struck: this.strikes.struckRuns.length, furtherRuns, wrong: this.promises.broken, told: this.told };
  }

  #lastStruck(): number {
    return this.strikes.struckRuns.at(-1) ?? 1;
  }
}

const STOPPED: Ended = { status: 'FAILED', error: 'States.Aborted', cause: '', runId: null };

const giveUp = (command: Command, status: string): void => {
  command.state = { kind: 'ended', status, output: '' };
};

/** What can happen to one command between Run Command, its host and those who wait for it. */
export const DELIVERY_TROUBLES: Readonly<Record<string, (trial: Trial, command: Command) => Promise<void>>> = {
  'its event is lost': (trial, command) => trial.deliver(command),
  'its event comes twice': async (trial, command) => {
    await trial.deliver(command);
    await trial.event(command);
    await trial.event(command);
  },
  'its event comes early': async (trial, command) => {
    await trial.event(command);
    await trial.deliver(command);
    await trial.event(command);
  },
  'its event comes after that of the next command': async (trial, command) => {
    await trial.deliver(command);
    trial.later('next command', () => trial.event(command));
  },
  'its event comes in the next run': async (trial, command) => {
    await trial.deliver(command);
    trial.later('next run', () => trial.event(command));
  },
  'it is delivered twice': async (trial, command) => {
    await trial.deliver(command);
    trial.lab.runCommand.deliverAgain(command);
    await trial.event(command);
  },
  'it is delivered again with the next command': async (trial, command) => {
    await trial.deliver(command);
    await trial.event(command);
    trial.later('next command', () => trial.lab.runCommand.deliverAgain(command));
  },
  'it is delivered again in the next run': async (trial, command) => {
    await trial.deliver(command);
    await trial.event(command);
    trial.later('next run', () => trial.deliverAgainLate(command));
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
    trial.later('next run', () => trial.deliverAgainLate(command));
  },
  'it ran, then DeliveryTimedOut': async (trial, command) => {
    await trial.deliver(command);
    giveUp(command, 'DeliveryTimedOut');
    await trial.event(command);
  },
  'it ran, its output is lost': async (trial, command) => {
    await trial.deliver(command);
    giveUp(command, 'Success');
    await trial.event(command);
  },
  'it ran, its output is cut': async (trial, command) => {
    await trial.deliver(command);
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
    await trial.deliver(command);
    await trial.event(command);
  },
  'the agent is away for good, and runs it in the next run': async (trial, command) => {
    trial.silence(command);
    trial.later('next run', () => trial.deliverAgainLate(command));
  },
  'its event is lost, and the sweeper fails for 15 minutes': async (trial, command) => {
    await trial.deliver(command);
    trial.breakSweeper(15);
  },
  'its event is lost, and the sweeper fails for 2 hours': async (trial, command) => {
    await trial.deliver(command);
    trial.breakSweeper(120);
  },
};

/** A person stops an execution. @returns the commands that were under way */
export const stop = (trial: Trial, name: string): readonly Command[] => {
  trial.lab.executions.stop(name);
  return trial.lab.runCommand.pending();
};

/** What can happen to an execution, wherever it is. */
export const EXECUTION_TROUBLES: Troubles = {
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
      trial.later('next command', async () => {
        for (const command of commands) await trial.deliverAgainLate(command);
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
    for (const command of commands) await trial.deliverLate(command);
  },
};

const DEATHS: ReadonlySet<string> = new Set(['Sandbox.Timedout', 'Lambda.ServiceException', 'ServiceUnavailable']);
