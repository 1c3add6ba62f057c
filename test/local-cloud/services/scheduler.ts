import { randomUUID } from 'node:crypto';
import { NotEmulated } from '../errors.ts';
import { isObject, type Json, parseJson } from '../json.ts';
import { accountId, arnOf, iso, region, type World } from '../world.ts';
import { type Expression, parseExpression } from './cron.ts';

/** A schedule of the template. */
export interface ScheduleDefinition {
  readonly name: string;
  readonly group: string;
  readonly expression: string;
  readonly timeZone: string;
  readonly enabled: boolean;
  readonly targetArn: string;
  /** Name of the role that the target is called under. */
  readonly role: string;
  /** Text with context attributes in it, or none. */
  readonly input: string | undefined;
  readonly deadLetterArn: string | undefined;
  readonly retries: number;
}

export interface Schedule extends ScheduleDefinition {
  readonly nextAt: number | undefined;
}

/** Calls a target under a role; a refusal of the target is thrown (a handler that fails is no refusal). */
export type CallTarget = (targetArn: string, role: string, input: Json) => Promise<void>;
export type SendDeadLetter = (queueArn: string, body: Json) => void;

interface Entry {
  readonly definition: ScheduleDefinition;
  readonly expression: Expression;
  readonly created: number;
  nextAt: number | undefined;
}

/**
 * EventBridge Scheduler. In virtual time all schedules fire; in real time only those with a rate do, and the rest on
 * request (`fire`).
 */
export class Scheduler {
  readonly #world: World;
  readonly #call: CallTarget;
  readonly #deadLetter: SendDeadLetter;
  readonly #entries = new Map<string, Entry>();

  constructor(world: World, call: CallTarget, deadLetter: SendDeadLetter) {
    this.#world = world;
    this.#call = call;
    this.#deadLetter = deadLetter;
  }

  create(definition: ScheduleDefinition): void {
    const known = [
      '<aws.scheduler.scheduled-time>',
      '<aws.scheduler.schedule-arn>',
      '<aws.scheduler.execution-id>',
      '<aws.scheduler.attempt-number>',
    ];
    for (const attribute of definition.input?.match(/<aws\.[^>]*>/g) ?? []) {
      if (!known.includes(attribute)) throw new NotEmulated(`schedule ${definition.name}: ${attribute}`);
    }
    const expression = parseExpression(definition.expression, definition.timeZone);
    const entry: Entry = { definition, expression, created: this.#world.clock.now(), nextAt: undefined };
    this.#entries.set(definition.name, entry);
    if (definition.enabled && (expression.kind === 'rate' || this.#world.clock.kind === 'virtual')) this.#arm(entry);
  }

  schedules(): readonly Schedule[] {
    return [...this.#entries.values()].map(({ definition, expression, created, nextAt }) => ({
      ...definition,
      nextAt: nextAt ?? expression.next(this.#world.clock.now(), created),
    }));
  }

  /** Lets a schedule fire as if it were due at `at`. */
  async fire(name: string, at: number): Promise<void> {
    const entry = this.#entries.get(name);
    if (!entry) throw new Error(`there is no schedule ${name}`);
    await this.#deliver(entry, at);
  }

  #arm(entry: Entry): void {
    const { clock } = this.#world;
    const nextAt = entry.expression.next(clock.now(), entry.created);
    entry.nextAt = nextAt;
    if (nextAt === undefined) return;
    clock.at(nextAt, () => {
      this.#arm(entry);
      const release = clock.hold();
      void this.#deliver(entry, nextAt).finally(release);
    });
  }

  async #deliver(entry: Entry, at: number): Promise<void> {
    const { definition } = entry;
    this.#world.counters.add('scheduler.invocations');
    this.#world.tell('schedule', { schedule: definition.name, at: iso(at) });
    for (let attempt = 1; ; attempt++) {
      const input = this.#input(definition, at, attempt);
      try {
        await this.#call(definition.targetArn, definition.role, input);
        return;
      } catch (error) {
        const message = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
        this.#world.tell('schedule-refused', { schedule: definition.name, attempt, message });
        if (attempt <= Math.min(definition.retries, 2) && !message.startsWith('AccessDenied')) continue;
        if (definition.deadLetterArn !== undefined) this.#deadLetter(definition.deadLetterArn, input);
        return;
      }
    }
  }

  /** What a target gets when the schedule gives no input (AWS, "Templated targets"). */
  #defaultInput(definition: ScheduleDefinition, at: number): Json {
    return {
      version: '0',
      id: randomUUID(),
      'detail-type': 'Scheduled Event',
      source: 'aws.scheduler',
      account: accountId,
      time: iso(at).replace(/\.\d+Z$/, 'Z'),
      region,
      resources: [arnOf('scheduler', `schedule/${definition.group}/${definition.name}`)],
      detail: '{}',
    };
  }

  #input(definition: ScheduleDefinition, at: number, attempt: number): Json {
    if (definition.input === undefined) return this.#defaultInput(definition, at);
    const values: Readonly<Record<string, string>> = {
      'scheduled-time': iso(at).replace(/\.\d+Z$/, 'Z'),
      'schedule-arn': arnOf('scheduler', `schedule/${definition.group}/${definition.name}`),
      'execution-id': randomUUID(),
      'attempt-number': String(attempt),
    };
    const filled = definition.input.replace(/<aws\.scheduler\.([a-z-]+)>/g, (all, name: string) => values[name] ?? all);
    const value = parseJson(filled);
    return value === undefined || !(isObject(value) || Array.isArray(value)) ? filled : value;
  }
}
