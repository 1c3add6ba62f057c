import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { grants } from '../../../functions/cli/grants.ts';

const samples = fileURLToPath(new URL('../../../cdk/config/samples/', import.meta.url));
const file = `${samples}two-clusters.yaml`;

const run = async (...args: readonly string[]) => {
  const said = { out: '', err: '' };
  const exit = await grants(args, {
    out: (text) => {
      said.out += text;
    },
    err: (text) => {
      said.err += text;
    },
  });
  return { exit, ...said };
};

it('prints the commands of each cluster, how to see that they hold, and what Ozone does not separate', async () => {
  const { exit, out, err } = await run(file, '--source', 'app-owner');
  expect([exit, err]).toEqual([0, '']);
  expect(out).toMatch(/\nOn berlin \(ozone-berlin\), .*\n {2}ozone sh volume addacl -a '/);
  expect(out).toContain('\n  ozone sh bucket update --user app-owner o3://ozone-berlin/sales/orders\n');
  expect(out).toContain('\n  ozone sh bucket update --user odr-replica o3://ozone-paris/sales/orders\n');
  expect(out).toMatch(
    /as app-owner: ozone sh snapshot delete o3:\/\/ozone-berlin\/sales\/orders \S+\n {4}FILE_NOT_FOUND: /,
  );
  expect(out).toContain('What Ozone does not separate\n');
  expect(out).toContain('ozone.readonly.administrators');
});

it('prints the same for programs', async () => {
  const { exit, out } = await run(file, '--json');
  const said = JSON.parse(out);
  expect(exit).toBe(0);
  expect(said.identities).toEqual({
    observe: 'odr-observe',
    source: 'odr-source',
    replica: 'odr-replica',
    restore: 'odr-restore',
  });
  expect(said.clusters.map(({ cluster }: { cluster: string }) => cluster)).toEqual(['berlin', 'paris']);
  expect(said.clusters[0].commands[0]).toMatch(/^ozone sh volume addacl /);
});

it('says which globs no bucket was named for, and ends with 1 until one is', async () => {
  const glob = `${samples}every-field.yaml`;
  const without = await run(glob);
  expect(without.exit).toBe(1);
  expect(without.out).toMatch(/name those that match with --bucket\n( {2}\S+: \S+\n)+/);
  const named = [...without.out.matchAll(/^ {2}[a-z0-9-]+: (\S*[*?]\S*)$/gm)].flatMap(([, it = '']) => [
    '--bucket',
    it.replaceAll('*', 'abc').replaceAll('?', 'a'),
  ]);
  expect(named.length).toBeGreaterThan(0);
  expect((await run(glob, ...named)).exit).toBe(0);
});

it('says what is wrong with a policy file, and ends with 1', async () => {
  const { exit, out, err } = await run('nowhere.yaml');
  expect([exit, out]).toEqual([1, '']);
  expect(err).toContain('nowhere.yaml');
});

it.each([
  [[]],
  [[file, file]],
  [[file, '--observe', 'a:b']],
  [[file, '--source', "x' y"]],
  [[file, '--bucket', 'bkt']],
  [['--unknown']],
])('shows its usage for %j and ends with 2', async (args) => {
  const { exit, err } = await run(...args);
  expect(exit).toBe(2);
  expect(err).toContain('npm run grants');
});
