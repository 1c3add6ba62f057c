import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { ConflictKind } from '../../../functions/core/domain/backup-step.ts';
import { ERROR_FAMILIES, ERROR_NAMES } from '../../../functions/core/errors.ts';
import { conflict } from '../../../functions/core/planner/steps.ts';

const page = (path: string): string =>
  readFileSync(fileURLToPath(new URL(`../../../${path}`, import.meta.url)), 'utf8');

/** The cells of the table below a heading row that begins with these words. */
const tableOf = (text: string, heading: string): readonly (readonly string[])[] => {
  const lines = text.split('\n');
  const first = lines.findIndex((line) => line.startsWith(`| ${heading} |`));
  if (first < 0) throw new Error(`there is no table with the heading ${heading}`);
  const rows = lines.slice(first + 2);
  return rows
    .slice(
      0,
      rows.findIndex((line) => !line.startsWith('|')),
    )
    .map((line) =>
      line
        .split('|')
        .slice(1, -1)
        .map((cell) => cell.trim()),
    );
};

describe('the README', () => {
  const rows = tableOf(page('README.md'), 'conflict');

  it('has a row for every conflict that there is, and for no other', () => {
    expect(rows.map(([kind]) => kind).toSorted()).toEqual(ConflictKind.options.map((it) => `\`${it}\``).toSorted());
  });

  it.each(ConflictKind.options)('says of %s the error that a run ends with, what was found, and a remedy', (kind) => {
    const step = conflict(kind, 'evidence', 'remedy');
    const [, error, found = '', remedy = ''] = rows.find(([name]) => name === `\`${kind}\``) ?? [];
    expect(error).toBe(`\`${step.kind === 'fail' ? step.error : step.kind}\``);
    expect(found.length).toBeGreaterThan(20);
    expect(remedy.length).toBeGreaterThan(10);
  });
});

describe('the runbook of a failed backup', () => {
  /** Ends of other workflows, bugs, and what is answered without failing. */
  const elsewhere: readonly string[] = [
    ...ERROR_FAMILIES.config,
    ...ERROR_FAMILIES.conflict,
    'EventInvalid',
    'ItemInvalid',
    'BucketsFailed',
    'NotConfirmed',
    'PruneRefused',
    'ChangedMeanwhile',
  ];

  it('tells of every error that a backup ends with whom to turn to, and of no other', () => {
    const told = tableOf(page('docs/runbooks/backup-failed.md'), 'error').flatMap(([names = '']) =>
      [...names.matchAll(/`([A-Za-z]+)`/g)].map(([, name]) => name),
    );
    expect(told.toSorted()).toEqual(ERROR_NAMES.filter((name) => !elsewhere.includes(name)).toSorted());
  });
});
