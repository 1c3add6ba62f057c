import type { Clock } from './clock.ts';
import { AwsError } from './errors.ts';
import { like } from './services/policies.ts';
import type { World } from './world.ts';

/** How often a rule strikes; names are patterns with `*` and `?`. */
interface Often {
  /** Of those that match, in [0, 1]; 1 unless given. Drawn from the seed, the rule's place and the count of matches. */
  readonly probability?: number;
  /** Matches that pass before the rule begins. */
  readonly after?: number;
  /** Strikes at most so often. */
  readonly times?: number;
}

/** One API call, by its IAM action (`ssm:SendCommand`, `dynamodb:*`); `after-effect` does the work and then fails. */
export interface CallFault extends Often {
  readonly on: 'call';
  readonly action: string;
  readonly caller?: string;
  readonly fault: 'throttled' | 'before-effect' | 'after-effect' | 'slow';
  /** Name of the error that `before-effect` and `after-effect` answer; `InternalServerError` unless given. */
  readonly error?: string;
  /** `slow`: real milliseconds, in virtual time too, because there a call takes none. */
  readonly milliseconds?: number;
}

/** One event on its way to a target; `early` arrives `seconds` before the API of Run Command shows what it tells. */
export interface EventFault extends Often {
  readonly on: 'event';
  readonly detailType?: string;
  readonly fault: 'lost' | 'doubled' | 'late' | 'reordered' | 'early';
  readonly seconds?: number;
}

export interface ScheduleFault extends Often {
  readonly on: 'schedule';
  readonly schedule: string;
  readonly fault: 'twice' | 'lost';
}

/**
 * A call of a function. `time-out-after-effect` lets the handler end and reports a time-out, `answer-lost` lets it end and
 * reports that Lambda failed.
 */
export interface FunctionFault extends Often {
  readonly on: 'function';
  readonly function: string;
  readonly fault: 'time-out-after-effect' | 'answer-lost' | 'throttled';
}

/** A host is lost for a time, once; `crashed` kills what runs on it. */
export interface HostFault {
  readonly on: 'host';
  readonly host: string;
  readonly fault: 'disconnected' | 'crashed';
  /** Since the rule was given. */
  readonly afterSeconds: number;
  readonly seconds: number;
}

export type FaultRule = CallFault | EventFault | ScheduleFault | FunctionFault | HostFault;
export interface FaultPlan {
  readonly seed: number;
  readonly rules: readonly FaultRule[];
}

interface Armed {
  readonly rule: FaultRule;
  readonly index: number;
  matches: number;
  strikes: number;
}

/** A strike, as the log of faults has it. */
export interface Strike {
  readonly at: number;
  readonly on: FaultRule['on'];
  readonly what: string;
  readonly fault: FaultRule['fault'];
}

interface LostHost {
  disconnect(): void;
  crash(): void;
  connect(): void;
}

/** A seeded plan of faults. The same seed, rules and order of calls strike the same calls. */
export class Faults {
  readonly strikes: Strike[] = [];
  readonly #seed: number;
  readonly #clock: Clock;
  readonly #tell: World['tell'];
  readonly #host: (id: string) => LostHost;
  #armed: Armed[] = [];
  #given = 0;

  constructor(seed: number, world: Pick<World, 'clock' | 'tell'>, host: (id: string) => LostHost) {
    this.#seed = seed;
    this.#clock = world.clock;
    this.#tell = world.tell;
    this.#host = host;
  }

  add(...rules: readonly FaultRule[]): void {
    for (const rule of rules) {
      this.#armed.push({ rule, index: this.#given++, matches: 0, strikes: 0 });
      if (rule.on !== 'host') continue;
      const host = this.#host(rule.host);
      const from = this.#clock.now() + rule.afterSeconds * 1000;
      this.#clock.at(from, () => {
        this.#struck(rule, rule.host);
        if (rule.fault === 'crashed') host.crash();
        else host.disconnect();
      });
      this.#clock.at(from + rule.seconds * 1000, () => host.connect());
    }
  }

  /** No more strikes; a host that is away comes back when its rule said. */
  clear(): void {
    this.#armed = [];
  }

  /** Makes a call under the rules of its action. */
  async call<T>(action: string, caller: string, run: () => T | Promise<T>): Promise<T> {
    const rule = this.#next(
      'call',
      (one) => like(one.action, action) && like(one.caller ?? '*', caller),
      `${action} by ${caller}`,
    );
    if (!rule) return run();
    switch (rule.fault) {
      case 'throttled':
        throw throttling(action);
      case 'before-effect':
        throw failure(rule);
      case 'after-effect':
        await run();
        throw failure(rule);
      case 'slow':
        await new Promise((resolve) => setTimeout(resolve, rule.milliseconds ?? 1000));
        return run();
    }
  }

  event(detailType: string): EventFault | undefined {
    return this.#next('event', (one) => one.fault !== 'early' && like(one.detailType ?? '*', detailType), detailType);
  }

  /** Seconds that the event of a command's end is ahead of the API, or none. */
  early(detailType: string): number | undefined {
    const rule = this.#next(
      'event',
      (one) => one.fault === 'early' && like(one.detailType ?? '*', detailType),
      detailType,
    );
    return rule ? (rule.seconds ?? 5) : undefined;
  }

  schedule(name: string): ScheduleFault | undefined {
    return this.#next('schedule', (one) => like(one.schedule, name), name);
  }

  function(name: string): FunctionFault | undefined {
    return this.#next('function', (one) => like(one.function, name), name);
  }

  #next<On extends FaultRule['on']>(
    on: On,
    matches: (rule: Extract<FaultRule, { on: On }>) => boolean,
    what: string,
  ): Extract<FaultRule, { on: On }> | undefined {
    for (const armed of this.#armed) {
      const { rule } = armed;
      if (!isOn(rule, on) || rule.on === 'host' || !matches(rule)) continue;
      const { probability = 1, after = 0, times = Number.POSITIVE_INFINITY } = often(rule);
      const match = armed.matches++;
      if (match < after || armed.strikes >= times) continue;
      if (draw(this.#seed, armed.index, match) >= probability) continue;
      armed.strikes++;
      this.#struck(rule, what);
      return rule;
    }
    return undefined;
  }

  #struck(rule: FaultRule, what: string): void {
    const strike = { at: this.#clock.now(), on: rule.on, what, fault: rule.fault };
    this.strikes.push(strike);
    this.#tell('fault', strike);
  }
}

const often = (rule: FaultRule): Often => (rule.on === 'host' ? {} : rule);
const isOn = <On extends FaultRule['on']>(rule: FaultRule, on: On): rule is Extract<FaultRule, { on: On }> =>
  rule.on === on;

const failure = ({ error = 'InternalServerError' }: CallFault): AwsError =>
  new AwsError(error, 'a fault of the plan', { status: error === 'InternalServerError' ? 500 : 400 });

/** How services say that a caller is too fast. */
const throttling = (action: string): AwsError =>
  action.startsWith('s3:')
    ? new AwsError('SlowDown', 'Please reduce your request rate.', { status: 503 })
    : new AwsError('ThrottlingException', 'Rate exceeded', { status: 400 });

/** A number in [0, 1) for the n-th match of a rule (mulberry32 over a mix of the three). */
function draw(seed: number, rule: number, match: number): number {
  let state = (seed ^ Math.imul(rule + 1, 0x9e3779b1) ^ Math.imul(match + 1, 0x85ebca6b)) >>> 0;
  state = (state + 0x6d2b79f5) >>> 0;
  let mixed = Math.imul(state ^ (state >>> 15), state | 1);
  mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
  return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
}
