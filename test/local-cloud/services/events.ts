import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import { NotEmulated } from '../errors.ts';
import { isObject, type Json, type JsonObject } from '../json.ts';
import { accountId, iso, region, type World } from '../world.ts';

/**
 * A pattern of EventBridge as far as it is emulated: exact values, `prefix`, `suffix`, `anything-but` (values or a
 * prefix), `exists`, `equals-ignore-case`, nested objects. Another operator is refused when the rule is created.
 */
const scalar = z.union([z.string(), z.number(), z.boolean(), z.null()]);
const matcher = z.union([
  scalar,
  z.strictObject({ prefix: z.string() }),
  z.strictObject({ suffix: z.string() }),
  z.strictObject({ 'equals-ignore-case': z.string() }),
  z.strictObject({ exists: z.boolean() }),
  z.strictObject({ 'anything-but': z.union([scalar, z.array(scalar), z.strictObject({ prefix: z.string() })]) }),
]);
type Matcher = z.infer<typeof matcher>;
type Pattern = { readonly [name: string]: readonly Matcher[] | Pattern };
const pattern: z.ZodType<Pattern> = z.lazy(() => z.record(z.string(), z.union([z.array(matcher).min(1), pattern])));

/** A target gets the event or, for schedules and rules with `Input`, a constant. */
export interface Target {
  readonly arn: string;
  readonly deliver: (event: Json) => void;
  readonly input: Json | undefined;
}

interface Rule {
  readonly name: string;
  readonly pattern: Pattern;
  readonly targets: readonly Target[];
}

/** An event as rules and functions see it. */
export interface BusEvent extends JsonObject {
  readonly id: string;
  readonly source: string;
  readonly 'detail-type': string;
  readonly detail: JsonObject;
}

/** What is to be done with an event: the faults of "best effort" delivery (lost, doubled, late) are made here. */
export type Delivery = (event: BusEvent, deliver: () => void) => void;

/** The default event bus. */
export class EventBus {
  readonly #world: World;
  readonly #rules: Rule[] = [];
  readonly #latency: number;
  /** Events so far, for tests. */
  readonly seen: BusEvent[] = [];
  delivery: Delivery = (_event, deliver) => deliver();

  constructor(world: World, latency: number) {
    this.#world = world;
    this.#latency = latency;
  }

  createRule(name: string, eventPattern: unknown, targets: readonly Target[]): void {
    const parsed = pattern.safeParse(eventPattern);
    if (!parsed.success)
      throw new NotEmulated(
        `rule ${name}: ${parsed.error.issues.map((issue) => `${issue.path.join('/')} ${issue.message}`).join('; ')}`,
      );
    this.#rules.push({ name, pattern: parsed.data, targets });
  }

  emit(source: string, detailType: string, resources: readonly string[], detail: JsonObject): void {
    const event: BusEvent = {
      version: '0',
      id: randomUUID(),
      'detail-type': detailType,
      source,
      account: accountId,
      time: iso(this.#world.clock.now()).replace(/\.\d+Z$/, 'Z'),
      region,
      resources,
      detail,
    };
    this.seen.push(event);
    this.#world.counters.add('events');
    for (const rule of this.#rules.filter((one) => matchesPattern(one.pattern, event))) {
      for (const target of rule.targets) {
        this.delivery(event, () => {
          this.#world.clock.at(this.#world.clock.now() + this.#latency, () => target.deliver(target.input ?? event));
        });
      }
    }
  }
}

export function matchesPattern(wanted: Pattern, event: Readonly<Record<string, unknown>>): boolean {
  return Object.entries(wanted).every(([name, rule]) => {
    const actual = event[name];
    if (isMatcherList(rule)) {
      const values = Array.isArray(actual) ? actual : [actual];
      return rule.some((one) => values.some((value) => matchesOne(one, value)));
    }
    return matchesPattern(rule, isObject(actual) ? actual : {});
  });
}

const isMatcherList = (rule: readonly Matcher[] | Pattern): rule is readonly Matcher[] => Array.isArray(rule);

function matchesOne(rule: Matcher, value: unknown): boolean {
  if (typeof rule !== 'object' || rule === null) return rule === value;
  if ('prefix' in rule) return typeof value === 'string' && value.startsWith(rule.prefix);
  if ('suffix' in rule) return typeof value === 'string' && value.endsWith(rule.suffix);
  if ('equals-ignore-case' in rule)
    return typeof value === 'string' && value.toLowerCase() === rule['equals-ignore-case'].toLowerCase();
  if ('exists' in rule) return (value !== undefined) === rule.exists;
  if (value === undefined) return false;
  const not = rule['anything-but'];
  if (Array.isArray(not)) return !not.some((one) => one === value);
  if (typeof not === 'object' && not !== null) return typeof value === 'string' && !value.startsWith(not.prefix);
  return not !== value;
}
