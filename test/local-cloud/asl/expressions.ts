import { createHash, randomUUID } from 'node:crypto';
import jsonata from 'jsonata';
import { asJson, isObject, type Json } from '../json.ts';
import { StateError } from './errors.ts';

/** The source between `{%` and `%}`, or undefined for text that is no expression. */
export const expressionIn = (text: string): string | undefined =>
  text.startsWith('{%') && text.endsWith('%}') && text.length >= 4 ? text.slice(2, -2) : undefined;

/** What an expression sees: `states` (input, context, and result or errorOutput) and the variables of its scope. */
export interface Bindings {
  readonly states: Readonly<Record<string, unknown>>;
  readonly variables: Readonly<Record<string, Json>>;
}

type Compiled = ReturnType<typeof jsonata>;
const compiled = new Map<string, Compiled>();

/**
 * AWS stops an expression after a second, or when its stack overflows (`States.QueryEvaluationError`); here steps and
 * depth are counted, so that the answer does not depend on the machine. JSONata calls these hooks around each step.
 */
const mostSteps = 1_000_000;
const mostDepth = 2000;
/** No expression can name this variable. */
const budgetName = ' budget';
interface Budget {
  depth: number;
  steps: number;
}
interface Environment {
  readonly lookup: (name: string) => Budget | undefined;
  readonly isParallelCall: boolean;
}

function spend(environment: Environment, depth: number): void {
  const budget = environment.lookup(budgetName);
  if (!budget) return;
  budget.steps += 1;
  // What runs side by side is not deeper.
  if (!environment.isParallelCall) budget.depth += depth;
  if (budget.steps > mostSteps) refuse('The evaluation took too long.');
  if (budget.depth > mostDepth) refuse('Stack overflow.');
}

function compile(source: string): Compiled {
  const known = compiled.get(source);
  if (known) return known;
  const expression = jsonata(source);
  // The names of the hooks are symbols, which the type of `assign` does not know.
  const hook = (name: string, depth: number) =>
    Reflect.apply(expression.assign, expression, [
      Symbol.for(name),
      (_node: unknown, _input: unknown, environment: Environment) => spend(environment, depth),
    ]);
  hook('jsonata.__evaluate_entry', 1);
  hook('jsonata.__evaluate_exit', -1);
  compiled.set(source, expression);
  return expression;
}

const failure = (location: string, cause: string) => new StateError('States.QueryEvaluationError', cause, location);

/**
 * Evaluates every expression in a JSON template and returns the filled template.
 * An expression that yields nothing, or something that is no JSON, is `States.QueryEvaluationError`
 * (AWS, "Transforming data with JSONata": undefined results are errors).
 */
export async function evaluate(template: unknown, location: string, bindings: Bindings, now: number): Promise<Json> {
  if (typeof template === 'string') {
    const source = expressionIn(template);
    return source === undefined ? template : evaluateExpression(source, location, bindings, now);
  }
  if (Array.isArray(template)) {
    const members: Json[] = [];
    for (const [index, member] of template.entries())
      members.push(await evaluate(member, `${location}[${index}]`, bindings, now));
    return members;
  }
  if (isObject(template)) {
    const members: Record<string, Json> = {};
    for (const [name, member] of Object.entries(template)) {
      members[name] = await evaluate(member, `${location}/${name}`, bindings, now);
    }
    return members;
  }
  return asJson(template);
}

async function evaluateExpression(source: string, location: string, bindings: Bindings, now: number): Promise<Json> {
  let value: unknown;
  try {
    value = await compile(source).evaluate(undefined, {
      ...awsFunctions(now),
      ...bindings.variables,
      states: bindings.states,
      [budgetName]: { depth: 0, steps: 0 },
    });
  } catch (error) {
    const message = isObject(error) && typeof error.message === 'string' ? error.message : String(error);
    throw failure(
      location,
      `The JSONata expression '${source.trim()}' specified for the field '${location}' threw an error during evaluation. ${message}`,
    );
  }
  if (value === undefined) {
    throw failure(
      location,
      `The JSONata expression '${source.trim()}' specified for the field '${location}' returned nothing (undefined).`,
    );
  }
  if (!isPlain(value)) {
    throw failure(
      location,
      `The JSONata expression '${source.trim()}' specified for the field '${location}' returned an unsupported result type.`,
    );
  }
  return asJson(value);
}

function isPlain(value: unknown): boolean {
  if (typeof value === 'number') return Number.isFinite(value);
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return true;
  if (Array.isArray(value)) return value.every(isPlain);
  if (!isObject(value)) return false;
  if ('_jsonata_function' in value || '_jsonata_lambda' in value) return false;
  return Object.values(value).every((member) => member === undefined || isPlain(member));
}

/** JSONata expects its own refusals in this shape; the message becomes the cause of the QueryEvaluationError. */
const refuse = (message: string): never => {
  throw Object.assign(new Error(message), { code: 'AWS' });
};

/** The functions that Step Functions adds to JSONata, and the two that must follow the emulator's clock. */
function awsFunctions(now: number): Readonly<Record<string, unknown>> {
  return {
    partition: (list: unknown, size: unknown) => {
      if (!Array.isArray(list) || typeof size !== 'number' || size < 1)
        return refuse('$partition needs an array and a size of at least 1');
      const parts: unknown[][] = [];
      for (let from = 0; from < list.length; from += Math.floor(size))
        parts.push(list.slice(from, from + Math.floor(size)));
      return parts;
    },
    range: (first: unknown, last: unknown, step: unknown) => {
      if (typeof first !== 'number' || typeof last !== 'number' || typeof step !== 'number' || step === 0) {
        return refuse('$range needs three numbers, and a step that is not 0');
      }
      const length = Math.floor((last - first) / step) + 1;
      if (length > 1000) return refuse('$range: at most 1000 elements');
      return Array.from({ length: Math.max(0, length) }, (_none, index) => first + index * step);
    },
    hash: (data: unknown, algorithm: unknown) => {
      const names: Record<string, string> = {
        MD5: 'md5',
        'SHA-1': 'sha1',
        'SHA-256': 'sha256',
        'SHA-384': 'sha384',
        'SHA-512': 'sha512',
      };
      const name = typeof algorithm === 'string' ? names[algorithm] : undefined;
      if (typeof data !== 'string' || name === undefined)
        return refuse('$hash needs a string and one of MD5, SHA-1, SHA-256, SHA-384, SHA-512');
      return createHash(name).update(data).digest('hex');
    },
    random: (seed?: unknown) => (typeof seed === 'number' ? seeded(seed) : Math.random()),
    uuid: () => randomUUID(),
    parse: (text: unknown) => {
      if (typeof text !== 'string') return refuse('$parse needs a string');
      try {
        return JSON.parse(text);
      } catch {
        return refuse('$parse: not JSON');
      }
    },
    eval: () => refuse('$eval is not supported'),
    millis: () => now,
    now: (picture?: string, timezone?: string) =>
      compile('$fromMillis($at, $picture, $timezone)').evaluate(undefined, { at: now, picture, timezone }),
  };
}

/** One step of a 32-bit generator (mulberry32): the same seed gives the same number. AWS's own sequence is not published. */
function seeded(seed: number): number {
  let t = (Math.floor(seed) + 0x6d2b79f5) | 0;
  t = Math.imul(t ^ (t >>> 15), t | 1);
  t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
  return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
}
