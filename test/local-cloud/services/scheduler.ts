import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import type { Cancel } from '../clock.ts';
import { AwsError, NotEmulated } from '../errors.ts';
import type { Faults } from '../faults.ts';
import { isObject, type Json, type JsonObject, parseJson } from '../json.ts';
import { accountId, arnOf, type Caller, iso, region, seconds, type World } from '../world.ts';
import { type Expression, parseExpression } from './cron.ts';
import type { Iam } from './iam.ts';
import { page, parseRequest } from './requests.ts';

const text = z.string();
/** A schedule as the template and the API have it; a member that is not here is refused. */
export const scheduleSchema = z.strictObject({
  Name: text.optional(),
  GroupName: text.optional(),
  Description: text.optional(),
  ScheduleExpression: text,
  ScheduleExpressionTimezone: text.optional(),
  State: z.enum(['ENABLED', 'DISABLED']).optional(),
  FlexibleTimeWindow: z.strictObject({ Mode: z.literal('OFF') }),
  ClientToken: text.optional(),
  Target: z.strictObject({
    Arn: text,
    RoleArn: text,
    Input: text.optional(),
    DeadLetterConfig: z.strictObject({ Arn: text }).optional(),
    RetryPolicy: z
      .strictObject({
        MaximumRetryAttempts: z.int().min(0).max(185).optional(),
        MaximumEventAgeInSeconds: z.int().min(60).max(86_400).optional(),
      })
      .optional(),
  }),
});
export type ScheduleProperties = z.infer<typeof scheduleSchema>;

const roleName = (arn: string): string => arn.split('/').at(-1) ?? arn;

/** What the emulator needs of a schedule's properties. */
export const scheduleOf = (name: string, schedule: ScheduleProperties): ScheduleDefinition => ({
  name,
  group: schedule.GroupName ?? 'default',
  expression: schedule.ScheduleExpression,
  timeZone: schedule.ScheduleExpressionTimezone ?? 'UTC',
  enabled: schedule.State !== 'DISABLED',
  targetArn: schedule.Target.Arn,
  role: roleName(schedule.Target.RoleArn),
  input: schedule.Target.Input,
  deadLetterArn: schedule.Target.DeadLetterConfig?.Arn,
  retries: schedule.Target.RetryPolicy?.MaximumRetryAttempts ?? 185,
  properties: schedule,
});

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
  readonly properties: ScheduleProperties;
}

export interface Schedule extends ScheduleDefinition {
  readonly nextAt: number | undefined;
}

/** Calls a target under a role; a refusal of the target is thrown (a handler that fails is no refusal). */
export type CallTarget = (targetArn: string, role: string, input: Json) => Promise<void>;
/** Puts what could not be delivered into a queue, under the schedule's role. */
export type SendDeadLetter = (queueArn: string, role: string, body: Json) => void;

const scheduler = 'scheduler.amazonaws.com';
const groupArn = (group: string): string => arnOf('scheduler', `schedule-group/${group}`);
const scheduleArn = ({ group, name }: { readonly group: string; readonly name: string }): string =>
  arnOf('scheduler', `schedule/${group}/${name}`);

interface Entry {
  readonly definition: ScheduleDefinition;
  readonly expression: Expression;
  readonly created: number;
  nextAt: number | undefined;
  cancel: Cancel;
}

/**
 * EventBridge Scheduler. In virtual time all schedules fire; in real time only those with a rate do, and the rest on
 * request (`fire`).
 */
export class Scheduler {
  readonly #world: World;
  readonly #call: CallTarget;
  readonly #deadLetter: SendDeadLetter;
  readonly #iam: Iam;
  readonly #faults: Faults;
  readonly #groups = new Set(['default']);
  /** By ARN. */
  readonly #entries = new Map<string, Entry>();

  constructor(
    world: World,
    options: {
      readonly iam: Iam;
      readonly faults: Faults;
      readonly call: CallTarget;
      readonly deadLetter: SendDeadLetter;
    },
  ) {
    this.#world = world;
    this.#iam = options.iam;
    this.#faults = options.faults;
    this.#call = options.call;
    this.#deadLetter = options.deadLetter;
  }

  createGroup(name: string): void {
    this.#groups.add(name);
  }

  /** @throws ValidationException when the role cannot be assumed, ResourceNotFoundException when the group is not there */
  create(definition: ScheduleDefinition): void {
    if (!this.#groups.has(definition.group))
      throw new AwsError('ResourceNotFoundException', `Schedule group ${definition.group} does not exist.`, {
        status: 404,
      });
    this.#assume(definition);
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
    const created = this.#world.clock.now();
    const entry: Entry = { definition, expression, created, nextAt: undefined, cancel: () => {} };
    this.#entries.get(scheduleArn(definition))?.cancel();
    this.#entries.set(scheduleArn(definition), entry);
    if (definition.enabled && (expression.kind === 'rate' || this.#world.clock.kind === 'virtual')) this.#arm(entry);
  }

  /** From now on what goes by the calendar fires on request only, as in real time. */
  stopCalendar(): void {
    for (const { expression, cancel } of this.#entries.values()) if (expression.kind !== 'rate') cancel();
  }

  schedules(): readonly Schedule[] {
    return [...this.#entries.values()].map(({ definition, expression, created, nextAt }) => ({
      ...definition,
      nextAt: nextAt ?? expression.next(this.#world.clock.now(), created),
    }));
  }

  /** Lets a schedule fire as if it were due at `at`. */
  async fire(name: string, at: number): Promise<void> {
    const entry = [...this.#entries.values()].find((one) => one.definition.name === name);
    if (!entry) throw new Error(`there is no schedule ${name}`);
    await this.#deliver(entry, at);
  }

  #assume({ role, group }: ScheduleDefinition): void {
    try {
      this.#iam.assume(role, scheduler, groupArn(group));
    } catch {
      throw new AwsError(
        'ValidationException',
        'The execution role you provide must allow AWS EventBridge Scheduler to assume the role.',
      );
    }
  }

  #arm(entry: Entry): void {
    const { clock } = this.#world;
    const nextAt = entry.expression.next(clock.now(), entry.created);
    entry.nextAt = nextAt;
    if (nextAt === undefined) return;
    entry.cancel = clock.at(nextAt, () => {
      this.#arm(entry);
      const fault = this.#faults.schedule(entry.definition.name)?.fault;
      const release = clock.hold();
      const deliver = () => this.#deliver(entry, nextAt);
      const deliveries = fault === 'lost' ? [] : fault === 'twice' ? [deliver(), deliver()] : [deliver()];
      void Promise.all(deliveries).finally(release);
    });
  }

  async #deliver(entry: Entry, at: number): Promise<void> {
    const { definition } = entry;
    this.#world.counters.add('scheduler.invocations');
    this.#world.tell('schedule', { schedule: definition.name, at: iso(at) });
    const measure = (name: string) =>
      this.#world.measure('AWS/Scheduler', name, { ScheduleGroup: definition.group }, 1);
    for (let attempt = 1; ; attempt++) {
      const input = this.#input(definition, at, attempt);
      measure('InvocationAttemptCount');
      try {
        this.#assume(definition);
        await this.#call(definition.targetArn, definition.role, input);
        return;
      } catch (error) {
        measure('TargetErrorCount');
        const message = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
        this.#world.tell('schedule-refused', { schedule: definition.name, attempt, message });
        if (attempt <= Math.min(definition.retries, 2) && !message.startsWith('AccessDenied')) continue;
        measure('InvocationDroppedCount');
        if (definition.deadLetterArn === undefined) return;
        try {
          this.#deadLetter(definition.deadLetterArn, definition.role, input);
          measure('InvocationsSentToDeadLetterCount');
        } catch (refused) {
          measure('InvocationsFailedToBeSentToDeadLetterCount');
          const reason = refused instanceof Error ? refused.message : String(refused);
          this.#world.tell('dead-letter-refused', { schedule: definition.name, message: reason });
        }
        return;
      }
    }
  }

  /**
   * The API, AWS's REST protocol: `POST`, `GET`, `PUT`, `DELETE /schedules/{Name}` and `GET /schedules`.
   * @param body members of the request's body; for `GET` and `DELETE` its query
   */
  handle(method: string, path: string, query: URLSearchParams, body: JsonObject, caller: Caller): JsonObject {
    const name = /^\/schedules\/([0-9a-zA-Z_.-]{1,64})$/.exec(path)?.[1];
    if (name === undefined) {
      if (method === 'GET' && path === '/schedules') return this.#list(query, caller);
      throw new AwsError('UnknownOperationException', `Scheduler ${method} ${path} is not emulated`);
    }
    const group = query.get('groupName') ?? (typeof body.GroupName === 'string' ? body.GroupName : 'default');
    const arn = scheduleArn({ group, name });
    const verbs: Readonly<Record<string, string>> = { POST: 'Create', PUT: 'Update', GET: 'Get', DELETE: 'Delete' };
    this.#world.authorize(caller, `scheduler:${verbs[method] ?? method}Schedule`, arn);
    const known = this.#entries.get(arn);
    if (method !== 'POST' && !known)
      throw new AwsError('ResourceNotFoundException', `Schedule ${name} does not exist.`, { status: 404 });
    switch (method) {
      case 'POST':
      case 'PUT': {
        if (method === 'POST' && known)
          throw new AwsError('ConflictException', `Schedule ${name} already exists.`, { status: 409 });
        const properties = parseRequest(scheduleSchema, body);
        const definition = scheduleOf(name, { ...properties, GroupName: group });
        this.#iam.passRole(caller, definition.role, scheduler);
        try {
          this.create(definition);
        } catch (error) {
          if (error instanceof NotEmulated) throw new AwsError('ValidationException', error.message);
          throw error;
        }
        return { ScheduleArn: arn };
      }
      case 'GET':
        return known ? described(known) : {};
      case 'DELETE':
        known?.cancel();
        this.#entries.delete(arn);
        return {};
      default:
        throw new AwsError('UnknownOperationException', `Scheduler ${method} is not emulated`);
    }
  }

  #list(query: URLSearchParams, caller: Caller): JsonObject {
    this.#world.authorize(caller, 'scheduler:ListSchedules', arnOf('scheduler', 'schedule/*/*'));
    const [group, prefix] = [query.get('ScheduleGroup'), query.get('NamePrefix') ?? ''];
    const all = [...this.#entries.values()].filter(
      ({ definition }) => (group === null || definition.group === group) && definition.name.startsWith(prefix),
    );
    const found = page(all, query.get('NextToken') ?? undefined, Number(query.get('MaxResults') ?? 100));
    return {
      Schedules: found.items.map((entry) => ({
        Arn: scheduleArn(entry.definition),
        Name: entry.definition.name,
        GroupName: entry.definition.group,
        State: entry.definition.enabled ? 'ENABLED' : 'DISABLED',
        Target: { Arn: entry.definition.targetArn },
        CreationDate: seconds(entry.created),
      })),
      ...(found.nextToken === undefined ? {} : { NextToken: found.nextToken }),
    };
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
      resources: [scheduleArn(definition)],
      detail: '{}',
    };
  }

  #input(definition: ScheduleDefinition, at: number, attempt: number): Json {
    if (definition.input === undefined) return this.#defaultInput(definition, at);
    const values: Readonly<Record<string, string>> = {
      'scheduled-time': iso(at).replace(/\.\d+Z$/, 'Z'),
      'schedule-arn': scheduleArn(definition),
      'execution-id': randomUUID(),
      'attempt-number': String(attempt),
    };
    const filled = definition.input.replace(/<aws\.scheduler\.([a-z-]+)>/g, (all, name: string) => values[name] ?? all);
    const value = parseJson(filled);
    return value === undefined || !(isObject(value) || Array.isArray(value)) ? filled : value;
  }
}

const described = ({ definition, created }: Entry): JsonObject => ({
  ...JSON.parse(JSON.stringify(definition.properties)),
  Arn: scheduleArn(definition),
  Name: definition.name,
  GroupName: definition.group,
  State: definition.enabled ? 'ENABLED' : 'DISABLED',
  ScheduleExpressionTimezone: definition.timeZone,
  CreationDate: seconds(created),
  LastModificationDate: seconds(created),
});
