import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { isDeepStrictEqual } from 'node:util';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { loadPolicies, parsePolicies, policyJsonSchema } from '../../../cdk/config/load-policies.ts';
import { Policy, PolicyFile, resolvePolicies } from '../../../functions/core/domain/policy.ts';
import { DrError } from '../../../functions/core/errors.ts';

const config = fileURLToPath(new URL('../../../cdk/config/', import.meta.url));

/** The YAML files of a folder; an empty folder would make a table of tests pass by having no rows. */
const samples = (folder: string): readonly string[] => {
  const names = readdirSync(folder).filter((name) => name.endsWith('.yaml'));
  if (names.length === 0) throw new Error(`no samples in ${folder}`);
  return names;
};

const refusal = (read: () => unknown): DrError => {
  try {
    read();
  } catch (error) {
    if (error instanceof DrError) return error;
    throw error;
  }
  throw new Error('was accepted');
};

describe('samples', () => {
  it.each(samples(`${config}samples`))('%s is accepted, resolves, and tells editors its schema', (name) => {
    const path = `${config}samples/${name}`;
    expect(resolvePolicies(loadPolicies(path)).length).toBeGreaterThan(0);
    expect(readFileSync(path, 'utf8').split('\n')[0]).toBe('# yaml-language-server: $schema=../policy.schema.json');
  });

  it('every-field.yaml has every field that there is, none at its default', () => {
    interface Schema {
      readonly properties?: Readonly<Record<string, Schema>>;
      readonly additionalProperties?: Schema | boolean;
      readonly items?: Schema;
      readonly default?: unknown;
    }
    const missing = (schema: Schema, value: unknown, at: string): readonly string[] => {
      if (value === undefined) return [at];
      if (schema.default !== undefined && isDeepStrictEqual(schema.default, value)) return [`${at} at its default`];
      const content = Object.entries(value ?? {});
      return [
        ...Object.entries(schema.properties ?? {})
          .filter(([name]) => name !== '$schema')
          .flatMap(([name, it]) => missing(it, (value as Readonly<Record<string, unknown>>)[name], `${at}.${name}`)),
        // What one entry does not have, another may.
        ...(typeof schema.additionalProperties === 'object'
          ? content
              .map(([, it]) => missing(schema.additionalProperties as Schema, it, `${at}.*`))
              .reduce((all, of) => all.filter((it) => of.some((other) => it.startsWith(other) || other.startsWith(it))))
          : []),
        ...(schema.items ? content.flatMap(([name, it]) => missing(schema.items as Schema, it, `${at}.${name}`)) : []),
      ];
    };
    const content = parse(readFileSync(`${config}samples/every-field.yaml`, 'utf8'));
    expect(missing(policyJsonSchema() as Schema, content, 'file')).toEqual([]);
  });

  it.each(samples(`${config}samples`))('%s: what a function reads of it is what was resolved', (name) => {
    const resolved = resolvePolicies(loadPolicies(`${config}samples/${name}`));
    expect(resolved.map((it) => Policy.parse(JSON.parse(JSON.stringify(it))))).toEqual(resolved);
  });

  it('a folder without samples is an error and not a pass', () => {
    expect(() => samples(`${config}../bin`)).toThrow('no samples');
  });
});

describe('invalid samples', () => {
  const folder = `${config}samples/invalid/`;

  it.each(samples(folder))('%s is refused with the line, the place and the remedy that its first line says', (name) => {
    const [expected] = readFileSync(folder + name, 'utf8').split('\n');
    const error = refusal(() => loadPolicies(folder + name));
    expect(`# ${error.name} ${error.message.replace(`${folder}${name}:`, '')}`).toBe(expected);
  });

  it.each(samples(folder))('%s names a remedy: what to write or name instead', (name) => {
    expect(refusal(() => loadPolicies(folder + name)).message).toMatch(/, .*\b(write|name|reserved)\b/);
  });
});

describe('reading a policy file', () => {
  const valid = readFileSync(`${config}samples/two-clusters.yaml`, 'utf8');

  it('every problem is reported at once, in the order of the file', () => {
    const wrong = valid
      .replace('[mi-0a1b2c3d4e5f60001]', '[edge1]')
      .replace('sales/orders', 'Orders')
      .replace('rpo: 26h', 'rpo: 26')
      .replace('maps: 4', 'mapz: 4');
    const lines = refusal(() => parsePolicies(wrong, 'policies.yaml')).message.split('\n');
    expect(lines.map((line) => line.replace(/^policies\.yaml:\d+:\d+: ([^:]+):.*$/, '$1'))).toEqual([
      'clusters.berlin.hosts.0',
      'policies.nightly.buckets.0',
      'policies.nightly.objectives.rpo',
      'policies.nightly.limits.mapz',
    ]);
    const numbers = lines.map((line) => Number(line.split(':')[1]));
    expect(numbers).toEqual([...numbers].sort((a, b) => a - b));
  });

  it('a wrong value is marked where it stands', () => {
    const wrong = valid.replace('zone: Europe/Berlin', 'zone: Europe/Berln');
    const line = wrong.split('\n').findIndex((text) => text.includes('Berln')) + 1;
    const column = (wrong.split('\n')[line - 1] ?? '').indexOf('Europe') + 1;
    expect(refusal(() => parsePolicies(wrong, 'p.yaml')).message).toMatch(new RegExp(`^p\\.yaml:${line}:${column}: `));
  });

  it('a file that does not exist is named', () => {
    expect(refusal(() => loadPolicies('no/such/file.yaml')).message).toBe(
      'no/such/file.yaml: cannot be read, name an existing file: -c policies=<path>',
    );
  });

  it('a long value is cut in the message', () => {
    const long = refusal(() => parsePolicies(valid.replace('sales/orders', 'x'.repeat(5000)), 'p.yaml')).message;
    expect(long.length).toBeLessThan(250);
  });

  it.each(['__proto__', 'constructor', 'toString'])('the name %s is not found on the mapping of clusters', (name) => {
    const text = valid.replace('source: berlin', `source: ${name}`);
    expect(refusal(() => parsePolicies(text, 'p.yaml')).name).toBe('PolicyInvalid');
  });

  it.each([
    '0 2 * * ? *',
    '0/15 8-18 ? * MON-FRI *',
    '5,35 0 L * ? *',
    '0 0 15W * ? 2026-2030',
    '0 12 ? JAN,jul 2#1 *',
    '0 12 ? * 6L *',
    '59 23 31 12 ? 2199',
  ])('the schedule %s is accepted', (cron) => {
    expect(() => parsePolicies(valid.replace('0 2 * * ? *', `'${cron}'`), 'p.yaml')).not.toThrow();
  });

  it.each([
    '60 2 * * ? *',
    '0 24 * * ? *',
    '0 2 0 * ? *',
    '0 2 * 13 ? *',
    '0 2 ? * 8 *',
    '0 2 ? * MOON *',
    '0 2 * * ? 1969',
    '0 2 * * * *',
    '0 2 ? * ? *',
    '0/0 2 * * ? *',
    '0  2 * * ? *',
    '0 2 * * ? * *',
    '@daily',
    'rate(1 day)',
    '0 2 * * ? *) at(',
  ])('the schedule %s is refused', (cron) => {
    expect(refusal(() => parsePolicies(valid.replace('0 2 * * ? *', `'${cron}'`), 'p.yaml')).message).toContain(
      '.cron:',
    );
  });
});

describe('policy.schema.json', () => {
  it('is what the schema says now: npx tsx cdk/config/emit-schema.ts', () => {
    expect(JSON.parse(readFileSync(`${config}policy.schema.json`, 'utf8'))).toEqual(
      JSON.parse(JSON.stringify(policyJsonSchema())),
    );
  });

  it('knows the same fields as the reader', () => {
    expect(Object.keys(policyJsonSchema().properties ?? {})).toEqual(Object.keys(PolicyFile.shape));
  });
});
