import { describe, expect, it } from 'vitest';
import { type Case, check } from '../../local-cloud/asl/cases.ts';
import { checkDefinition, InvalidDefinition } from '../../local-cloud/asl/check.ts';
import { distributedMaps } from './distributed-maps.ts';
import { errors } from './errors.ts';
import { expressions } from './expressions.ts';
import { refusals } from './refusals.ts';
import { states } from './states.ts';
import { tasks } from './tasks.ts';

const tables: Readonly<Record<string, Readonly<Record<string, Case>>>> = {
  'JSONata in states': expressions,
  'states and their order': states,
  'errors, retries and limits': errors,
  'tasks, tokens and time-outs': tasks,
  'distributed Maps': distributedMaps,
};

describe.each(Object.entries(tables))('%s', (_title, cases) => {
  it.each(Object.entries(cases).map(([sentence, one]) => [sentence, one.page, one] as const))(
    '%s (%s)',
    async (_sentence, _page, one) => {
      await check(one);
    },
  );
});

describe('CreateStateMachine refuses', () => {
  it.each(Object.entries(refusals).map(([sentence, one]) => [sentence, one[0], one] as const))(
    '%s (%s)',
    (_sentence, _page, [, definition, finding]) => {
      expect(findings(definition).join('\n')).toMatch(finding);
    },
  );
});

it('every definition that runs passes the check, and there are at least 120 cases, each with its page', () => {
  const cases = Object.values(tables).flatMap((table) => Object.values(table));
  for (const one of cases) expect(findings(one.definition)).toEqual([]);
  const pages = [...cases.map((one) => one.page), ...Object.values(refusals).map(([page]) => page)];
  expect(pages.filter((page) => !/^(AWS|ASL specification|JSONata 2\.0): ./.test(page))).toEqual([]);
  expect(pages.length).toBeGreaterThanOrEqual(120);
});

function findings(definition: unknown): readonly string[] {
  try {
    checkDefinition(JSON.stringify(definition), { mocked: true });
    return [];
  } catch (error) {
    if (error instanceof InvalidDefinition) return error.findings;
    throw error;
  }
}
