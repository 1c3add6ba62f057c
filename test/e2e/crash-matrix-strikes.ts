import { DrError } from '../../functions/core/errors.ts';
import { HostDied } from '../in-process-edge/host.ts';
import type { Between } from '../in-process-edge/lab.ts';
import type { Watch } from '../ozone-simulator/universe.ts';
import { intercept } from './crash-matrix-promises.ts';

export type Layer = 'store' | 'aws' | 'program' | 'inside a program' | 'delivery' | 'execution';

/** One place at which something can go wrong: an effect of a step, and which one of its kind in a run. */
export interface Place {
  readonly layer: Layer;
  /** What was going on: a state of the state machine, or the command that was at work. */
  readonly step: string;
  readonly effect: string;
}

export type Side = 'before' | 'after';

/** How what goes wrong looks to the others. */
export type Manner =
  /** The function is killed, and its Task fails with an error that its Retry does not name. */
  | 'killed'
  /** The function is killed, and its Task is tried again. */
  | 'retried'
  /** The call fails, and the function lives. */
  | 'refused'
  /** The host is switched off and comes back; its agent reports the command as ended without output. */
  | 'rebooted'
  /** The host comes back, and its agent runs the command once more. */
  | 'resumed'
  /** The host stays away, and nobody says anything of its command. */
  | 'gone'
  /** Only the program is killed. */
  | 'program'
  /** Run Command says that it does not know the host. */
  | 'unknown host'
  /** The command is over, and its event has arrived, before its sender goes on. */
  | 'overtaken';

/** The n-th time at a place, and how often: again as soon as the place is reached again, or again in the next run. */
export interface Strike {
  readonly place: Place;
  readonly nth: number;
  readonly side: Side;
  readonly manner: string;
  readonly times: Times;
}
export type Times = 'once' | 'again at once' | 'again in the next run';

export const keyOf = ({ layer, step, effect }: Place): string => `${layer} | ${step} | ${effect}`;

/** What a function that was killed looks like to the state machine. */
class FunctionDied extends Error {
  override readonly name: string;
  constructor(name: string) {
    super('the function was killed');
    this.name = name;
  }
}

interface Invocation {
  readonly step: string;
  died: Error | undefined;
}

const LAYERS: Readonly<Record<string, Layer>> = {
  ledger: 'store',
  operations: 'store',
  records: 'store',
  plans: 'store',
};

/** Counts the effects of a run as they happen, and strikes at one of them. */
export class Strikes {
  /** How often each place was reached in the first run. */
  readonly reached = new Map<string, { readonly place: Place; readonly count: number }>();
  readonly #strike: Strike | undefined;
  readonly #counts = new Map<string, number>();
  readonly #overtake: () => Promise<void>;
  readonly #work: string;
  #run = 0;
  readonly #struckRuns: number[] = [];
  #invocation: Invocation | undefined;
  #step = '';
  /** The manner of a strike that hit the host at work. */
  #hit: string | undefined;

  /**
   * @param overtake lets the host finish the command that was sent just now
   * @param work put before the name of each step, so that the same step of another workflow is another place
   */
  constructor(strike: Strike | undefined, overtake: () => Promise<void>, work = '') {
    this.#strike = strike;
    this.#overtake = overtake;
    this.#work = work;
  }

  nextRun(): void {
    this.#run += 1;
    this.#counts.clear();
  }

  /** Nothing strikes any more. */
  rest(): void {
    this.#run = Number.POSITIVE_INFINITY;
  }

  get struckRuns(): readonly number[] {
    return this.#struckRuns;
  }

  /** @returns whether it strikes here and now */
  hits({ layer, step, effect }: Place, side: Side = 'before'): boolean {
    if (this.#run === 0) return false;
    const place = { layer, step: `${this.#work}${step}`, effect };
    const key = keyOf(place);
    const count = (this.#counts.get(`${key} ${side}`) ?? 0) + 1;
    this.#counts.set(`${key} ${side}`, count);
    if (this.#run === 1 && side === 'before') this.reached.set(key, { place, count });
    const strike = this.#strike;
    if (strike === undefined || side !== strike.side || key !== keyOf(strike.place)) return false;
    if (!this.#isDue(strike, count)) return false;
    this.#struckRuns.push(this.#run);
    return true;
  }

  #isDue({ nth, times }: Strike, count: number): boolean {
    switch (this.#struckRuns.length) {
      case 0:
        return this.#run === 1 && count === nth;
      case 1:
        if (times === 'again at once') return this.#run <= 2;
        return times === 'again in the next run' && this.#run === 2 && count === nth;
      default:
        return false;
    }
  }

  /** @returns the manner in which it strikes here and now, if it does */
  trouble(place: Place): string | undefined {
    return this.hits(place) ? this.#strike?.manner : undefined;
  }

  /** Runs a function of the product. Killed, it has no further effect, whatever it catches. */
  async invoke<R>(step: string, work: () => Promise<R>): Promise<R> {
    const outer = this.#invocation;
    const invocation: Invocation = { step, died: undefined };
    this.#invocation = invocation;
    try {
      const result = await work();
      if (invocation.died) throw invocation.died;
      return result;
    } catch (error) {
      throw invocation.died ?? error;
    } finally {
      this.#invocation = outer;
    }
  }

  /** Lets a host work. @returns the manner in which it was hit, if it was */
  work(step: string, deliver: () => void): string | undefined {
    const outer = this.#step;
    this.#step = step;
    this.#hit = undefined;
    try {
      deliver();
      return this.#hit;
    } finally {
      this.#step = outer;
    }
  }

  /** What somebody else does meanwhile is no effect of ours. */
  quietly(work: () => void): void {
    const step = this.#step;
    this.#step = '';
    try {
      work();
    } finally {
      this.#step = step;
    }
  }

  readonly between: Between = (name, port) => {
    if (name === 'host') return port;
    if (name === 'ozone')
      return intercept(port, (method, [program], go) => (method === 'run' ? this.#program(String(program), go) : go()));
    return intercept(port, (method, _, go) => this.#effect(LAYERS[name] ?? 'aws', `${name}.${method}`, go));
  };

  async #effect(layer: Layer, effect: string, go: () => unknown): Promise<unknown> {
    const invocation = this.#invocation;
    if (!invocation) return go();
    const place = { layer, step: invocation.step, effect };
    if (invocation.died) throw invocation.died;
    if (this.hits(place, 'before')) throw this.#kill(invocation);
    const result = await go();
    if (invocation.died) throw invocation.died;
    if (!this.hits(place, 'after')) return result;
    if (this.#strike?.manner !== 'overtaken') throw this.#kill(invocation);
    await this.#overtake();
    return result;
  }

  #kill(invocation: Invocation): Error {
    const manner = this.#strike?.manner;
    if (manner === 'unknown host') return new DrError('EdgeUnreachable', 'InvalidInstanceId');
    if (manner === 'refused') return new FunctionDied('ServiceUnavailable');
    invocation.died = new FunctionDied(manner === 'retried' ? 'Lambda.ServiceException' : 'Sandbox.Timedout');
    return invocation.died;
  }

  #program(program: string, go: () => unknown): unknown {
    if (this.#step === '') return go();
    const place: Place = { layer: 'program', step: this.#step, effect: program };
    if (this.hits(place, 'before')) this.#hostDies();
    const result = go();
    if (this.#hit !== undefined && this.#hit !== 'program') throw new HostDied('the host was switched off');
    if (this.hits(place, 'after')) this.#hostDies();
    return result;
  }

  #hostDies(): never {
    this.#hit = this.#strike?.manner;
    throw new HostDied('the host was switched off');
  }

  /** An effect inside `ozone` or `hadoop`: the program dies there, alone or with its host. */
  readonly watch: Watch = (point) => {
    if (this.#step === '') return false;
    const [side, effect] = point.startsWith('before:')
      ? (['before', point.slice(7)] as const)
      : (['after', point.slice(6)] as const);
    if (!this.hits({ layer: 'inside a program', step: this.#step, effect }, side)) return false;
    this.#hit = this.#strike?.manner;
    return true;
  };
}
