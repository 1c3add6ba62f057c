import jsonata from 'jsonata';
import { isObject } from '../json.ts';
import type { State } from './definition.ts';
import { expressionIn } from './expressions.ts';

/** What every expression may call or read: JSONata 2.0's functions, those of Step Functions, and `$states`. */
const known = new Set(
  [
    'states sum count max min average string substring substringBefore substringAfter lowercase uppercase length trim',
    'pad match contains replace split join formatNumber formatBase formatInteger parseInteger number floor ceil round',
    'abs sqrt power boolean not map zip filter single reduce sift keys lookup append exists spread merge reverse each',
    'error assert type sort shuffle distinct base64encode base64decode encodeUrlComponent encodeUrl decodeUrlComponent',
    'decodeUrl eval toMillis fromMillis clone now millis random partition range hash uuid parse',
  ].flatMap((names) => names.split(' ')),
);

/** Every member of `value` that is an expression, with its path. */
export function* expressionsIn(
  value: unknown,
  path = '',
): Generator<{ readonly path: string; readonly source: string }> {
  if (typeof value === 'string') {
    const source = expressionIn(value);
    if (source !== undefined) yield { path, source };
  } else if (Array.isArray(value)) {
    for (const [index, member] of value.entries()) yield* expressionsIn(member, `${path}/${index}`);
  } else if (isObject(value)) {
    for (const [name, member] of Object.entries(value)) yield* expressionsIn(member, `${path}/${name}`);
  }
}

/** The fields of a state that are its own, without the graphs inside. */
export const ownFields = (state: State): Readonly<Record<string, unknown>> =>
  Object.fromEntries(Object.entries(state).filter(([field]) => field !== 'ItemProcessor' && field !== 'Branches'));

/** Variables that a state assigns, by itself, by a Catch or by a Choice rule. */
export const variablesOf = (state: State): readonly string[] => [
  ...('Assign' in state ? Object.keys(state.Assign ?? {}) : []),
  ...('Catch' in state ? (state.Catch ?? []).flatMap((catcher) => Object.keys(catcher.Assign ?? {})) : []),
  ...(state.Type === 'Choice' ? state.Choices.flatMap((rule) => Object.keys(rule.Assign ?? {})) : []),
];

/** Variables that an expression reads from outside: neither bound in it nor a known function. A syntax error has none. */
export function freeVariables(source: string): readonly string[] {
  const read = new Set<string>();
  const bound = new Set<string>(['', '$']);
  const walk = (node: unknown): void => {
    if (Array.isArray(node)) {
      for (const member of node) walk(member);
      return;
    }
    if (!isObject(node)) return;
    if (node.type === 'variable') read.add(String(node.value));
    if (node.type === 'bind' && isObject(node.lhs)) bound.add(String(node.lhs.value));
    if (node.type === 'lambda' && Array.isArray(node.arguments)) {
      for (const parameter of node.arguments) if (isObject(parameter)) bound.add(String(parameter.value));
    }
    for (const name of [node.focus, node.index]) if (typeof name === 'string') bound.add(name);
    for (const member of Object.values(node)) walk(member);
  };
  try {
    walk(jsonata(source).ast());
  } catch {
    return [];
  }
  return [...read].filter((name) => !bound.has(name) && !known.has(name));
}

/**
 * Names that an expression takes from an input document: there is none in Step Functions, so that they yield nothing.
 * Names behind a step (`$states.input.a`, `$list[b = 1]`) have a context and are right.
 */
export function barePaths(source: string): readonly string[] {
  const found: string[] = [];
  const walk = (node: unknown): void => {
    if (Array.isArray(node)) for (const member of node) walk(member);
    if (!isObject(node)) return;
    if (node.type === 'path' && Array.isArray(node.steps)) {
      const [first] = node.steps;
      if (isObject(first) && first.type === 'name') found.push(String(first.value));
      else walk(first);
      return;
    }
    for (const [name, member] of Object.entries(node)) {
      // Predicates and groups have the value in front of them as their context.
      if (!['predicate', 'stages', 'group', 'procedure'].includes(name)) walk(member);
    }
  };
  try {
    walk(jsonata(source).ast());
  } catch {
    return [];
  }
  return found;
}
