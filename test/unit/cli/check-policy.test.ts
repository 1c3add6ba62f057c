import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { checkPolicy } from '../../../functions/cli/check-policy.ts';

const samples = fileURLToPath(new URL('../../../cdk/config/samples/', import.meta.url));
const filesIn = (folder: string): readonly string[] => readdirSync(folder).filter((name) => name.endsWith('.yaml'));

const run = async (...args: readonly string[]) => {
  const said = { out: '', err: '' };
  const exit = await checkPolicy(args, {
    out: (text) => {
      said.out += text;
    },
    err: (text) => {
      said.err += text;
    },
  });
  return { exit, ...said };
};

it('says what a right file means: who copies where, when next, and how many snapshots that comes to', async () => {
  const { exit, out } = await run(`${samples}two-clusters.yaml`, '--now', '2026-11-21T12:00:00Z');
  expect(exit).toBe(0);
  expect(out).toMatch(/is right\.\n\npolicy nightly\n {2}from {7}\S+ \(\S+, hosts mi-0a1b2c3d4e5f60001\)/);
  expect(out).toMatch(/backs up {3}2026-11-2[12]T\d\d:\d\dZ, 2026-11-2\dT\d\d:\d\dZ, 2026-11-2\dT\d\d:\d\dZ\n/);
  expect(out).toMatch(/new a day, .* of 10000 that it may have\n/);
});

it.each(filesIn(samples))('takes the sample %s', async (name) => {
  expect(await run(`${samples}${name}`)).toMatchObject({ exit: 0, err: '' });
});

it.each(filesIn(`${samples}invalid/`))('refuses %s with its line and a remedy', async (name) => {
  const file = `${samples}invalid/${name}`;
  const { exit, out, err } = await run(file);
  expect([exit, out]).toEqual([1, '']);
  const where = /^# PolicyInvalid (\d+:\d+)/.exec(readFileSync(file, 'utf8'))?.[1] ?? '1:';
  expect(err).toContain(`${file}:${where}`);
  expect(err).toMatch(/\n\n\d+ mistakes?\n$/);
});

it('tells all mistakes of a file in one go', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'ozone-dr-policy-'));
  const file = join(folder, 'two.yaml');
  const text = readFileSync(`${samples}two-clusters.yaml`, 'utf8');
  writeFileSync(file, text.replaceAll('sales/orders', 'orders').replaceAll(/rpo: \S+/g, 'rpo: soon'));
  const { exit, err } = await run(file);
  rmSync(folder, { recursive: true });
  expect(exit).toBe(1);
  expect(err).toMatch(/two\.yaml:\d+:\d+: policies\.nightly\.buckets\.0: "orders" is not accepted, write/);
  expect(err).toMatch(/two\.yaml:\d+:\d+: policies\.nightly\.objectives\.rpo: "soon" is not accepted, write/);
});

it.each([[[]], [['one.yaml', 'two.yaml']], [['one.yaml', '--now', 'soon']], [['--unknown']]])(
  'shows its usage for %j and ends with 2',
  async (args) => {
    const { exit, err } = await run(...args);
    expect(exit).toBe(2);
    expect(err).toContain('npm run check:policy');
  },
);
