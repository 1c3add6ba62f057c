import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { CATALOGUE } from '../../../functions/core/domain/doctor.ts';

const page = readFileSync(new URL('../../../docs/doctor.md', import.meta.url), 'utf8');

/** Rows of the table of findings: code, severity, what, remedy. */
const rows = [...page.matchAll(/^\| `([a-z-]+)` \| (error|warning|note|ok) \| (.+?) \| (.*?) \|$/gm)].map(
  ([, code, severity, what, remedy]) => [code, { severity, what, remedy }],
);

it('the page of the doctor has every finding as the code has it, once, and no other', () => {
  expect(rows.length).toBe(Object.keys(CATALOGUE).length);
  expect(Object.fromEntries(rows)).toEqual(CATALOGUE);
});
