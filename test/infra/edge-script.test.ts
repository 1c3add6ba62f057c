import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { edgeParameters } from '../../cdk/constructs/edge-document.ts';
import { SCRIPTS, type ScriptName, scriptLines } from '../../cdk/constructs/edge-script.ts';
import { EdgeParameters } from '../../functions/core/domain/operation.ts';
import { project } from './template.ts';

const script = readFileSync(project('functions/edge-host/ozone-dr.sh'), 'utf8');

/** Text of each function of the script by its name. */
const functions = new Map(
  [...script.matchAll(/^([a-z_0-9]+)\(\) [{(](.*[})]$|\n[\s\S]*?^[})]$)/gm)].map(([, name = '', body = '']) => [
    name,
    body,
  ]),
);

/** Names in a command's place, of a trap, and of what may free a lock: as far as they are functions. */
const calledBy = (text: string): readonly string[] =>
  [
    ...text.matchAll(/(?<=(?:^|[;&|(){!]|\b(?:then|do|else|elif|if|while|until)\s)\s*)\b([a-z_0-9]+)(?=[\s;)]|$)/gm),
    ...text.matchAll(/(?:trap|lock_bucket "\$directory") ([a-z_0-9]+)/g),
  ].flatMap(([, name = '']) => (functions.has(name) ? [name] : []));

const definedIn = (lines: readonly string[]): readonly string[] =>
  lines.flatMap((line) => /^([a-z_0-9]+)\(\) [{(]/.exec(line)?.[1] ?? []);

/** What is called where the document holds it, and only there. */
const calledIfDefined = (text: string): readonly string[] =>
  [...text.matchAll(/if_defined ([a-z_0-9]+)/g)].map(([, name = '']) => name);

/** What the script starts by a name made of the verb, where there is such a function. */
const startedBy = (verb: string): readonly string[] => {
  const name = verb.replaceAll('-', '_');
  return [name, ...['check', 'end', 'go_on', 'busy'].map((it) => `${it}_${name}`)].filter((it) => functions.has(it));
};

const verbsOf = (radius: ScriptName): readonly string[] =>
  EdgeParameters.shape.verb.options.filter((verb) => new RegExp(edgeParameters(radius).verb?.pattern ?? '').test(verb));

/** The shell's own, and those that the caller or the document sets. */
const GIVEN =
  'AWS_SSM_REGION_NAME BASH_REMATCH BASH_VERSION EUID IFS LC_ALL OZONE_DR_DOCUMENT OZONE_DR_HOST_CONFIG PATH PIPESTATUS REPLY SECONDS'.split(
    ' ',
  );

describe.each(SCRIPTS)('the script of the %s document', (radius) => {
  const lines = scriptLines(script, radius);
  const defined = definedIn(lines);

  it('has every function that its verbs call, directly or not, once each, and no other', () => {
    const reached = new Set(['main', ...verbsOf(radius).flatMap(startedBy)]);
    for (const name of reached) {
      const text = functions.get(name) ?? '';
      for (const called of calledBy(text)) reached.add(called);
      for (const called of calledIfDefined(text)) if (defined.includes(called)) reached.add(called);
    }
    expect([...defined].sort()).toEqual([...reached].sort());
  });

  it('has every global variable that it reads', () => {
    const text = lines.join('\n');
    const read = [...text.matchAll(/\$\{?[!#]?([A-Z][A-Z_0-9]*)\b/g)].map(([, name = '']) => name);
    const set = [
      ...text.matchAll(/\b([A-Z][A-Z_0-9]*)\+?=/g),
      ...[...text.matchAll(/\bread (?!<).*/g)].flatMap(([words]) => [...words.matchAll(/\b([A-Z][A-Z_0-9]*)\b/g)]),
    ];
    const processes = [...text.matchAll(/\bcoproc ([A-Z]+)/g)].map(([, name]) => `${name}_PID`);
    const known = new Set([...GIVEN, ...processes, ...set.map(([, name]) => name)]);
    expect(read.filter((name) => !known.has(name))).toEqual([]);
    expect(read.length).toBeGreaterThan(50);
  });
});

it('every function of the script is in some document', () => {
  const held = new Set(SCRIPTS.flatMap((radius) => definedIn(scriptLines(script, radius))));
  expect([...functions.keys()].filter((name) => !held.has(name))).toEqual([]);
  expect(functions.size).toBeGreaterThan(80);
});

describe('the sections of a script', () => {
  const text = (...lines: readonly string[]): string => ['#!/bin/bash', ...lines, ''].join('\n');

  it('are in the documents that their headings name, and in all when they name none', () => {
    const two = text('a', '# ---------- one [observe]', '  b', '# ---------- two, three', 'c', '# more', '', 'd');
    expect(scriptLines(two, 'observe')).toEqual(['#!/bin/bash', 'a', 'b', 'c', 'd']);
    expect(scriptLines(two, 'destroy')).toEqual(['#!/bin/bash', 'a', 'c', 'd']);
  });

  it.each(['# ---------- one [obsreve]', '# ---------- one [observe', '# ----- one', '# ----------'])(
    'cannot have the heading %j',
    (heading) => {
      expect(() => scriptLines(text(heading, 'a'), 'observe')).toThrow(heading);
    },
  );
});
