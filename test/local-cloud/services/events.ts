import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import { NotEmulated } from '../errors.ts';
import type { Faults } from '../faults.ts';
import { isObject, type Json, type JsonObject, parseJson } from '../json.ts';
import { accountId, arnOf, iso, region, type World } from '../world.ts';
import { type Actions, parseRequest } from './requests.ts';

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

const putRequest = z.strictObject({
  Entries: z
    .array(
      z.strictObject({
        Source: z.string().optional(),
        DetailType: z.string().optional(),
        Detail: z.string().optional(),
        Resources: z.array(z.string()).optional(),
        Time: z.number().optional(),
        EventBusName: z.enum(['default', arnOf('events', 'event-bus/default')]).optional(),
      }),
    )
    .min(1)
    .max(10),
});
/** An event that is held back to be reordered goes out at the latest after this. */
const longestHold = 60_000;

/** The default event bus. */
export class EventBus {
  readonly #world: World;
  readonly #rules: Rule[] = [];
  readonly #latency: number;
  /** Events so far, for tests. */
  readonly seen: BusEvent[] = [];
  readonly #faults: Faults;
  /** Events that wait until another one has overtaken them. */
  readonly #heldBack: (() => void)[] = [];

  constructor(world: World, faults: Faults, latency: number) {
    this.#world = world;
    this.#faults = faults;
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

  emit(source: string, detailType: string, resources: readonly string[], detail: JsonObject): BusEvent {
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
      this.#world.measure('AWS/Events', 'MatchedEvents', { RuleName: rule.name }, 1);
      for (const target of rule.targets) this.#send(target, event);
    }
    return event;
  }

  #send(target: Target, event: BusEvent): void {
    const { clock } = this.#world;
    const deliver = (seconds: number) => {
      clock.at(clock.now() + this.#latency + seconds * 1000, () => target.deliver(target.input ?? event));
    };
    const fault = this.#faults.event(event['detail-type']);
    switch (fault?.fault) {
      case 'lost':
        return;
      case 'late':
        deliver(fault.seconds ?? 60);
        return;
      case 'doubled':
        deliver(0);
        deliver(fault.seconds ?? 0);
        return;
      case 'reordered': {
        let gone = false;
        const release = () => {
          if (gone) return;
          gone = true;
          deliver(1);
        };
        this.#heldBack.push(release);
        clock.at(clock.now() + longestHold, release);
        return;
      }
      default:
        deliver(0);
        for (const release of this.#heldBack.splice(0)) release();
    }
  }

  /** The API action; a source of AWS's own is refused, entry by entry. */
  readonly actions: Actions = {
    PutEvents: (request, caller) => {
      const { Entries: entries } = parseRequest(putRequest, request);
      this.#world.authorize(caller, 'events:PutEvents', arnOf('events', 'event-bus/default'));
      const answers = entries.map((entry) => {
        const refused = (ErrorCode: string, ErrorMessage: string) => ({ ErrorCode, ErrorMessage });
        const { Source: source, DetailType: detailType, Detail: text } = entry;
        if (!source || !detailType || text === undefined)
          return refused('InvalidArgument', 'Parameter Source, DetailType and Detail are required.');
        if (source.startsWith('aws.'))
          return refused('NotAuthorizedForSourceException', 'Not authorized for the source.');
        const detail = parseJson(text);
        if (!isObject(detail)) return refused('MalformedDetail', 'Detail is malformed.');
        return { EventId: this.emit(source, detailType, entry.Resources ?? [], detail as JsonObject).id };
      });
      return { FailedEntryCount: answers.filter((one) => 'ErrorCode' in one).length, Entries: answers };
    },
  };
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
