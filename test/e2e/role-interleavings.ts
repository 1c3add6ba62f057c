import fc from 'fast-check';
import { expect } from 'vitest';
import { RestorePlanned } from '../../functions/core/domain/restore.ts';
import { type Ended, type Functions, type Moment, type Work, wrapped } from '../in-process-edge/execution.ts';
import { type BackupResult, type Between, Lab, type Side } from '../in-process-edge/lab.ts';
import { type Command, eventOf } from '../in-process-edge/run-command.ts';
import type { Change } from '../ozone-simulator/change.ts';
import { crashPoints } from '../ozone-simulator/faults/points.ts';
import { intercept } from './crash-matrix-promises.ts';
import { retentionOf } from './deletion-promises.ts';
import { RolePromises } from './role-promises.ts';

/** What is started: by a schedule, or by a person who wants the roles moved. */
const STARTS = {
  backup: { work: 'backup', request: {} },
  back: { work: 'backup', request: { back: true } },
  prune: { work: 'prune', request: {} },
  unplanned: { work: 'failover', request: { kind: 'unplanned' } },
  planned: { work: 'failover', request: { kind: 'planned' } },
  prepare: { work: 'failback', request: { kind: 'prepare' } },
  switch: { work: 'failback', request: { kind: 'switch' } },
} as const satisfies Record<string, { readonly work: Work; readonly request: object }>;
type Start = keyof typeof STARTS;

/** One thing that happens. Numbers choose among what there is at that moment, modulo how much there is. */
export type RoleAction =
  /** `again`: the same slot as last time. A person confirms the last plan, if there is one. */
  | { readonly kind: 'start'; readonly what: Start; readonly again: boolean }
  /** The same for what comes next, the roles being where they are. */
  | { readonly kind: 'move-on'; readonly isPlanned: boolean; readonly again: boolean }
  /** An execution goes on until others may act. */
  | { readonly kind: 'go'; readonly which: number }
  /** The first execution plays on for so many moments, with its commands done and told. */
  | { readonly kind: 'work'; readonly moments: number }
  | { readonly kind: 'deliver'; readonly which: number }
  /** Any command, ended or cancelled or not, arrives at its host once more. */
  | { readonly kind: 'deliver-again'; readonly which: number }
  | { readonly kind: 'event'; readonly which: number }
  | { readonly kind: 'sweep' }
  | { readonly kind: 'stop'; readonly which: number }
  | { readonly kind: 'redrive'; readonly which: number }
  /** A cluster does not answer. */
  | { readonly kind: 'away'; readonly side: Side }
  /** Nothing reaches the hosts of a side, and nothing comes from them. */
  | { readonly kind: 'cut-off'; readonly side: Side }
  | { readonly kind: 'healthy' }
  | { readonly kind: 'program-dies'; readonly point: number; readonly after: boolean; readonly nth: number }
  | { readonly kind: 'function-dies'; readonly effect: number; readonly after: boolean }
  /** `lost`: by somebody who does not know that the roles moved, if they did. */
  | { readonly kind: 'write'; readonly lost: boolean; readonly what: number; readonly seed: number }
  | { readonly kind: 'jump'; readonly seconds: number };

const which = fc.nat(7);
const side = fc.constantFrom<Side>('source', 'replica');

const action: fc.Arbitrary<RoleAction> = fc.oneof(
  {
    weight: 60,
    arbitrary: fc.record({ kind: fc.constant('work' as const), moments: fc.integer({ min: 1, max: 20 }) }),
  },
  { weight: 8, arbitrary: fc.record({ kind: fc.constant('go' as const), which }) },
  {
    weight: 30,
    arbitrary: fc.record({
      kind: fc.constant('move-on' as const),
      isPlanned: fc.boolean(),
      again: fc.constantFrom(false, false, true),
    }),
  },
  {
    weight: 30,
    arbitrary: fc.record({
      kind: fc.constant('start' as const),
      what: fc.constantFrom<Start>(
        ...(['backup', 'backup', 'back', 'prune', 'unplanned', 'unplanned', 'planned'] as const),
        ...(['prepare', 'prepare', 'prepare', 'switch', 'switch', 'switch'] as const),
      ),
      again: fc.boolean(),
    }),
  },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('deliver' as const), which }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('deliver-again' as const), which: fc.nat(40) }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('event' as const), which: fc.nat(40) }) },
  { weight: 4, arbitrary: fc.constant<RoleAction>({ kind: 'sweep' }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('stop' as const), which }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('redrive' as const), which }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('away' as const), side }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('cut-off' as const), side }) },
  { weight: 8, arbitrary: fc.constant<RoleAction>({ kind: 'healthy' }) },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('program-dies' as const),
      point: fc.nat(crashPoints.length - 1),
      after: fc.boolean(),
      nth: fc.integer({ min: 1, max: 3 }),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constant('function-dies' as const), effect: fc.nat(15), after: fc.boolean() }),
  },
  {
    weight: 20,
    arbitrary: fc.record({
      kind: fc.constant('write' as const),
      lost: fc.constantFrom(false, false, true),
      what: fc.nat(3),
      seed: fc.nat(1000),
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant('jump' as const),
      seconds: fc.constantFrom(61, 700, 1900, 4000, 86_400),
    }),
  },
);

/** How far the roles have gone round before. */
const BEGINNINGS = ['at home', 'failed over', 'prepared', 'back'] as const;

export interface RoleStory {
  readonly begin: (typeof BEGINNINGS)[number];
  readonly actions: readonly RoleAction[];
}

export const roleStories: fc.Arbitrary<RoleStory> = fc.record({
  begin: fc.constantFrom(...BEGINNINGS),
  actions: fc.array(action, { minLength: 20, maxLength: 70, size: 'max' }),
});

/** What a function that was killed looks like to the state machine: nothing that it would try again by itself. */
class FunctionDied extends Error {
  override readonly name = 'Sandbox.Timedout';
}

interface Live {
  readonly name: string;
  readonly what: Start;
  readonly request: object;
  readonly play: AsyncGenerator<Moment, Ended>;
  moment: Moment;
}

const MOST = 3;

/** A story of roles as it happens, with the promises checked after everything that happens. */
export class RoleTelling {
  readonly lab: Lab;
  readonly ends = new Map<string, number>();
  readonly #promises = new RolePromises();
  readonly #live: Live[] = [];
  readonly #slots = new Map<Start, string>();
  /** By what was planned: the request, and the words that confirm its plan. */
  readonly #words = new Map<Start, object>();
  #cutOff: Side | undefined;
  #fatal: { readonly after: boolean; left: number } | undefined;
  /** The function that is at work. */
  #call: { died: FunctionDied | undefined } | undefined;

  constructor() {
    const between: Between = (name, port) => {
      const promised = this.#promises.between(name, port);
      return name === 'ozone' || name === 'host' ? promised : intercept(promised, (_, __, go) => this.#effect(go));
    };
    this.lab = new Lab({ between, retention: retentionOf({ source: 1, replica: 2, graceHours: 1 }) });
    this.#promises.watch(this.lab);
    this.lab.source.change([
      { op: 'put', path: 'd0/f0', size: 10, seed: 1 },
      { op: 'put', path: 'd1/f1', size: 20, seed: 2 },
    ]);
  }

  /** A function that was killed has no further effect. */
  async #effect(go: () => unknown): Promise<unknown> {
    const call = this.#call;
    if (!call) return go();
    this.#mayDie(call, false);
    const result = await go();
    this.#mayDie(call, true);
    return result;
  }

  #mayDie(call: { died: FunctionDied | undefined }, after: boolean): void {
    if (call.died) throw call.died;
    if (this.#fatal?.after !== after) return;
    this.#fatal.left -= 1;
    if (this.#fatal.left >= 0) return;
    this.#fatal = undefined;
    call.died = new FunctionDied('it was killed');
    throw call.died;
  }

  #mortal<R>(work: (event: unknown) => Promise<R>): (event: unknown) => Promise<R> {
    return async (event) => {
      const call: { died: FunctionDied | undefined } = { died: undefined };
      this.#call = call;
      try {
        const result = await work(event);
        if (call.died) throw call.died;
        return result;
      } catch (error) {
        throw call.died ?? error;
      } finally {
        this.#call = undefined;
      }
    };
  }

  #functions(): Functions {
    return wrapped(this.lab.functions, (work) => this.#mortal(work));
  }

  #count(what: string): void {
    this.ends.set(what, (this.ends.get(what) ?? 0) + 1);
  }

  async tell({ begin, actions }: RoleStory): Promise<void> {
    const { lab } = this;
    await lab.expand();
    // The first rules of a policy count from the third day on.
    lab.advance(3 * 24 * 3_600_000);
    for (let n = 1; n <= 2; n += 1) {
      lab.source.change([{ op: 'put', path: `before/f${n}`, size: n, seed: n }]);
      await lab.backUp(this.#now());
      lab.advance(4_000_000);
    }
    const gone = BEGINNINGS.indexOf(begin);
    for (const what of (['unplanned', 'prepare', 'switch'] as const).slice(0, gone)) {
      await this.#reach(what);
      if (what !== 'switch') lab.replica.change([{ op: 'put', path: `since/${what}`, size: 5, seed: gone }]);
    }
    for (const it of actions) {
      await this.#happen(it);
      await this.#expire();
      await this.#check(false);
    }
    await this.#converge();
  }

  #now(): string {
    return new Date(this.lab.now).toISOString();
  }

  async #check(whole: boolean): Promise<void> {
    await this.#promises.check({ whole });
    expect(this.#promises.broken).toEqual([]);
  }

  async #happen(it: RoleAction): Promise<void> {
    const { lab } = this;
    const { ozone, runCommand } = lab;
    const live = (n: number): Live | undefined => this.#live[n % Math.max(1, this.#live.length)];
    switch (it.kind) {
      case 'start':
        return this.#start(it);
      case 'move-on':
        return this.#start({ kind: 'start', what: this.#next(it.isPlanned), again: it.again });
      case 'go':
        return this.#go(live(it.which));
      case 'work':
        for (let n = 0; n < it.moments && this.#live[0]; n += 1) await this.#work(this.#live[0]);
        return;
      case 'deliver': {
        const pending = this.#reachable(runCommand.pending());
        const command = pending[it.which % Math.max(1, pending.length)];
        if (command) lab.deliver(command);
        return;
      }
      case 'deliver-again': {
        const commands = this.#reachable(runCommand.commands);
        const command = commands[commands.length - 1 - (it.which % Math.max(1, commands.length))];
        if (command && !(await this.#isExpired(command))) runCommand.deliverAgain(command);
        return;
      }
      case 'event': {
        const { commands } = runCommand;
        const command = commands[commands.length - 1 - (it.which % Math.max(1, commands.length))];
        if (command) await this.#unheard(this.#mortal(lab.settle)(eventOf(command)));
        return;
      }
      case 'sweep':
        lab.advance(60_000);
        return this.#unheard(this.#mortal(lab.sweep)(undefined));
      case 'stop': {
        const one = live(it.which);
        if (!one) return;
        await one.play.return(STOPPED);
        this.#live.splice(this.#live.indexOf(one), 1);
        return this.#count('stopped');
      }
      case 'redrive': {
        const one = live(it.which);
        if (!one) return;
        lab.executions.stop(one.name);
        lab.executions.redrive(one.name);
        return this.#count('redriven');
      }
      case 'away':
        return ozone.setFaults([{ id: 'away', effect: { kind: 'unreachable', service: SERVICES[it.side] } }]);
      case 'cut-off':
        this.#cutOff = it.side;
        return;
      case 'healthy':
        this.#cutOff = undefined;
        return ozone.setFaults([]);
      case 'program-dies': {
        const point = `${it.after ? 'after' : 'before'}:${crashPoints[it.point] ?? 'key-put'}` as const;
        return ozone.setFaults([{ id: 'dies', times: 1, effect: { kind: 'crash', point, nth: it.nth } }]);
      }
      case 'function-dies':
        this.#fatal = { after: it.after, left: it.effect };
        return;
      case 'write':
        return this.#write(it);
      case 'jump':
        return lab.advance(it.seconds * 1000);
    }
  }

  /** Nobody notices when an event or a sweep is lost: the next sweep finds what it left. */
  async #unheard(work: Promise<unknown>): Promise<void> {
    try {
      await work;
    } catch (error) {
      if (!(error instanceof FunctionDied)) throw error;
    }
  }

  #reachable(commands: readonly Command[]): readonly Command[] {
    if (this.#cutOff === undefined) return commands;
    const isOfReplica = this.#cutOff === 'replica';
    return commands.filter(({ host }) => host.startsWith('mi-') !== isOfReplica);
  }

  /** Of deletions and of what may replace what people wrote the product relies on the time-outs of Run Command. */
  async #isExpired({ parameters: { operation, verb } }: Command): Promise<boolean> {
    const isRelied = verb === 'delete' || verb === 'create-bucket' || verb === 'restore';
    const known = isRelied ? await this.lab.operations.load(operation) : undefined;
    return known !== undefined && known.deadline <= this.lab.now;
  }

  async #expire(): Promise<void> {
    for (const command of this.lab.runCommand.pending())
      if (await this.#isExpired(command)) command.state = { kind: 'ended', status: 'DeliveryTimedOut', output: '' };
  }

  #next(isPlanned: boolean): Start {
    const { role } = this.#promises;
    if (role?.state === 'moving') return role.primary === 'replica' ? 'unplanned' : 'switch';
    if (role === null || role.primary === 'source') return isPlanned ? 'planned' : 'unplanned';
    return role.prepared === null ? 'prepare' : 'switch';
  }

  #start({ what, again }: Extract<RoleAction, { kind: 'start' }>): void {
    if (this.#live.length >= MOST) return;
    const { work, request } = STARTS[what];
    const last = this.#slots.get(what);
    const slot = again && last !== undefined ? last : this.#now();
    this.#slots.set(what, slot);
    const asked = { ...request, ...this.#words.get(what) };
    if (!again) this.#words.delete(what);
    const play = this.lab.startWith({ ...asked, slot }, this.#functions(), work);
    this.#live.push({ name: this.lab.newestExecution, what, request, play, moment: { kind: 'entered', state: '' } });
  }

  /** One more moment of an execution; a wait passes. */
  async #go(live: Live | undefined): Promise<void> {
    if (!live) return;
    if (live.moment.kind === 'wait') this.lab.advance(live.moment.seconds * 1000);
    const next = await live.play.next();
    if (!next.done) {
      live.moment = next.value;
      return;
    }
    this.#live.splice(this.#live.indexOf(live), 1);
    const ended = next.value;
    const plan = ended.status === 'SUCCEEDED' ? RestorePlanned.safeParse(ended.output).data : undefined;
    if (plan) this.#words.set(live.what, { plan: plan.plan, confirmation: plan.confirmation });
    this.#count(ended.status === 'FAILED' ? ended.error : `${live.what} ${kindOf(ended.output)}`);
  }

  async #work(live: Live): Promise<void> {
    if (live.moment.kind === 'token') {
      const [command] = this.#reachable(this.lab.runCommand.pending());
      if (command) {
        this.lab.deliver(command);
        await this.#unheard(this.#mortal(this.lab.settle)(eventOf(command)));
      }
    }
    await this.#go(live);
  }

  /**
   * People write to the primary that they know. While the roles move they write to neither side but the old one, and once it
   * is prepared for its way back, to the new one alone: as every notice of a failover says.
   */
  #write({ lost, what, seed }: Extract<RoleAction, { kind: 'write' }>): void {
    const { role } = this.#promises;
    const now: Side = role?.primary ?? 'source';
    const old: Side = now === 'source' ? 'replica' : 'source';
    const isOldOpen = now === 'replica' && role !== null && role.prepared === null && !this.#isBringingBack();
    const at = role?.state === 'moving' || lost ? (isOldOpen ? old : undefined) : now;
    if (at === undefined || (role?.state === 'settled' && lost && !isOldOpen)) return;
    const file = `d${seed % 3}/f${(seed >> 2) % 4}`;
    const changes: readonly Change[] = [
      { op: 'put', path: file, size: 1 + (seed % 50), seed },
      { op: 'put', path: `n${seed % 5}/f${seed % 7}`, size: 1 + (seed % 50), seed },
      { op: 'rm', path: file },
      { op: 'mv', path: `d${seed % 3}`, to: `d${(seed >> 3) % 5}` },
    ];
    const change = changes[what];
    try {
      if (change) this.lab[at].change([change]);
      this.#count(at === now ? 'written' : 'written to the old primary');
    } catch (error) {
      // There is nothing to delete or to move.
      if (!(error instanceof Error)) throw error;
    }
  }

  /** A preparation has proved that nobody writes to the old primary any more, or is about to. */
  #isBringingBack(): boolean {
    const { commands } = this.lab.runCommand;
    return (
      this.#live.some(({ what }) => what === 'prepare') &&
      commands.slice(-3).some(({ parameters: { verb } }) => verb === 'compare')
    );
  }

  /** All troubles are over: the roles go back, or where they were going, and one backup is done. */
  async #converge(): Promise<void> {
    const { lab } = this;
    lab.ozone.setFaults([]);
    this.#cutOff = undefined;
    this.#fatal = undefined;
    for (const { play } of this.#live.splice(0)) await play.return(STOPPED);
    lab.advance(5000);
    const { role } = this.#promises;
    if (role?.state === 'moving' && role.primary === 'replica') await this.#reach('unplanned');
    if (role?.state === 'moving' && role.primary === 'source') await this.#reach('switch');
    if (this.#promises.role?.primary === 'replica') {
      await this.#reach('prepare');
      await this.#reach('switch');
      expect(lab.tree('source')).toEqual(lab.tree('replica'));
    }
    await this.#reach('backup');
    expect(lab.tree('replica')).toEqual(lab.tree('source'));
    await this.#check(true);
    this.#count('converged');
  }

  async #reach(what: Start): Promise<void> {
    const { work, request } = STARTS[what];
    const told: string[] = [];
    for (let tries = 1; tries <= 2; tries += 1) {
      this.lab.advance(5000);
      const { steps, ...ended }: BackupResult =
        work === 'failover' || work === 'failback'
          ? await this.lab.confirmed(work, request)
          : await this.lab.backUp(this.#now());
      await this.#check(false);
      told.push(`${JSON.stringify(ended)} after ${steps.map(({ decision }) => decision.kind).join(', ')}`);
      if (ended.status === 'SUCCEEDED' && GOALS[what].includes(kindOf(ended.output)))
        return this.#count(`${what} in ${tries}`);
    }
    expect.fail(`${what} did not converge:\n${told.join('\n')}`);
  }
}

const SERVICES = { source: 'prod', replica: 'dr' } as const satisfies Record<Side, string>;

const GOALS: Readonly<Record<Start, readonly string[]>> = {
  backup: ['verified'],
  back: ['verified'],
  prune: ['pruned'],
  unplanned: ['failed-over'],
  planned: ['failed-over'],
  prepare: ['failback-prepared'],
  switch: ['failed-over'],
};

const kindOf = (output: object): string => {
  if ('error' in output) return String(output.error);
  return 'kind' in output ? String(output.kind) : '';
};

const STOPPED: Ended = { status: 'FAILED', error: 'States.Aborted', cause: '', runId: null };
