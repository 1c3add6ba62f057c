import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { App, Stack } from 'aws-cdk-lib';
import { describe, expect, it } from 'vitest';
import { type Aside, EdgeDocument, edgeParameters } from '../../cdk/constructs/edge-document.ts';
import { PolicyName, snapshotName } from '../../functions/core/domain/names.ts';
import { BlastRadius, EdgeParameters } from '../../functions/core/domain/operation.ts';
import { epochMs } from '../../functions/core/domain/units.ts';
import { inFolder, ofType, project, type Template } from './template.ts';

const radii = BlastRadius.options;

interface Content {
  readonly schemaVersion: string;
  readonly parameters: Readonly<Record<string, Readonly<Record<string, string>>>>;
  readonly mainSteps: readonly {
    readonly action: string;
    readonly name: string;
    readonly precondition: unknown;
    readonly inputs: { readonly timeoutSeconds: string; readonly runCommand: readonly string[] };
  }[];
}

const documentOf = (radius: BlastRadius, script: string, aside?: Aside) => {
  const app = new App({ analyticsReporting: false });
  const stack = new Stack(app, 'Test');
  new EdgeDocument(stack, 'Edge', { radius, ...(aside ? { aside } : {}), prefix: 'ozone-dr', script });
  const template: Template = app.synth().getStackByName('Test').template;
  const [[, resource]] = ofType(template, 'AWS::SSM::Document') as [[string, Template['Resources'][string]]];
  return { resource, content: resource.Properties.Content as Content };
};

/** A name of a recovery point as long as Ozone allows: 63 characters. */
const longestPoint = (n: number): string =>
  snapshotName(PolicyName.parse('p'.repeat(32)), epochMs(Date.UTC(2026, 0, 1)), 123_456_700 + n);

/** The most copies of a part that counts of a pattern ask for, counts within counts multiplied. */
const copiesIn = (pattern: string): number => {
  const flat = pattern.replace(/\\./g, 'x').replace(/\[[^\]]*\]/g, 'x');
  const most = (text: string): number =>
    Math.max(1, ...[...text.matchAll(/([0-9]+)\}/g)].map(([, count]) => Number(count)));
  const group = /\(([^()]*)\)(\{[0-9,]+\})?/.exec(flat);
  if (!group) return most(flat);
  const copies = most(group[1] ?? '') * most(group[2] ?? '');
  return copiesIn(flat.replace(group[0], `x{${copies}}`));
};

/** The document of a script that consists of `text`. */
const ofText = (text: string) =>
  inFolder((folder) => {
    const script = join(folder, 'script.sh');
    writeFileSync(script, text);
    return documentOf('observe', script);
  });

describe.each(radii)('the document of the doctor for %s', (radius) => {
  const { resource, content } = documentOf(radius, project('functions/edge-host/ozone-dr.sh'), 'doctor');

  it('is of the same blast radius by its name, so that the same role sends it', () => {
    expect(resource.Properties.Name).toMatch(new RegExp(`^ozone-dr-${radius}-doctor-[0-9a-f]{12}$`));
  });

  it('runs one verb, for the identity of that radius', () => {
    expect(content.parameters.verb?.allowedPattern).toBe('^doctor$');
    expect(content.mainSteps[0]?.inputs.runCommand[1]).toBe(`OZONE_DR_DOCUMENT=doctor-${radius}`);
  });

  it('leaves room below the 64 KB of a document', () => {
    expect(Buffer.byteLength(JSON.stringify(content))).toBeLessThan(62 * 1024);
  });
});

describe.each([
  ['observe', 'look', '^(versions|changes|divergence|buckets)$'],
  ['protect', 'batch', '^(snapshot|seal-unchanged)$'],
  ['protect', 'yarn', '^replicate$'],
] as const)('the document beside that of %s, %s', (radius, aside, verbs) => {
  const { resource, content } = documentOf(radius, project('functions/edge-host/ozone-dr.sh'), aside);

  it('is of the same blast radius by its name, so that the same role sends it', () => {
    expect(resource.Properties.Name).toMatch(new RegExp(`^ozone-dr-${radius}-${aside}-[0-9a-f]{12}$`));
    expect(content.mainSteps[0]?.inputs.runCommand[1]).toBe(`OZONE_DR_DOCUMENT=${aside}-${radius}`);
  });

  it('has its verbs alone', () => {
    expect(content.parameters.verb?.allowedPattern).toBe(verbs);
  });

  it('is a script that bash can read', () => {
    const input = content.mainSteps[0]?.inputs.runCommand.slice(1).join('\n') ?? '';
    expect(spawnSync('/bin/bash', ['-n'], { input, encoding: 'utf8' })).toMatchObject({ status: 0, stderr: '' });
  });

  it('leaves room below the 64 KB of a document', () => {
    expect(Buffer.byteLength(JSON.stringify(content))).toBeLessThan(62 * 1024);
  });
});

describe.each(radii)('the %s document', (radius) => {
  const { resource, content } = documentOf(radius, project('functions/edge-host/ozone-dr.sh'));

  it('is a Command document of schema 2.2 that runs one script on Linux', () => {
    expect(resource.Properties).toMatchObject({ DocumentType: 'Command', DocumentFormat: 'JSON' });
    expect(content.schemaVersion).toBe('2.2');
    expect(content.mainSteps).toMatchObject([
      {
        action: 'aws:runShellScript',
        name: 'run',
        precondition: { StringEquals: ['platformType', 'Linux'] },
        inputs: { timeoutSeconds: '{{ commandTimeout }}' },
      },
    ]);
  });

  it('says which document it is before the script begins', () => {
    expect(content.mainSteps[0]?.inputs.runCommand.slice(0, 2)).toEqual(['#!/bin/bash', `OZONE_DR_DOCUMENT=${radius}`]);
  });

  it('leaves out the comments of the script, which stays one that bash can read', () => {
    const text = content.mainSteps[0]?.inputs.runCommand.slice(1).join('\n') ?? '';
    expect(text).not.toMatch(/^\s*#/m);
    expect(spawnSync('/bin/bash', ['-n'], { input: text, encoding: 'utf8' })).toMatchObject({ status: 0, stderr: '' });
  });

  it('never puts a value into the text of the script', () => {
    expect(content.mainSteps[0]?.inputs.runCommand.join('\n')).not.toContain('{{');
  });

  it('hands every value over as an environment variable, but for the time limit of the agent', () => {
    const inText = Object.entries(content.parameters).filter(([, it]) => it.interpolationType !== 'ENV_VAR');
    expect(inText.map(([name, it]) => [name, it.allowedPattern])).toEqual([['commandTimeout', '^[0-9]{1,6}$']]);
  });

  it('has exactly the parameters that an operation has, all of them text with an anchored pattern', () => {
    const known = [...new Set([...Object.keys(EdgeParameters.shape), 'commandTimeout'])];
    expect(Object.keys(content.parameters).sort()).toEqual(known.sort());
    for (const { type, allowedPattern = '' } of Object.values(content.parameters)) {
      expect(type).toBe('String');
      expect(allowedPattern).toMatch(/^\^.*\$$/);
      // What Java's and Go's regular expressions do not both know: look-around, back references, possessive repeats.
      expect(allowedPattern).not.toMatch(/\(\?|\\[1-9]|[*+?}]\+/);
      expect(copiesIn(allowedPattern)).toBeLessThan(1000); // what Go allows
    }
  });

  it('has no default that its own pattern refuses', () => {
    for (const { default: fallback, allowedPattern = '' } of Object.values(content.parameters))
      if (fallback !== undefined) expect(fallback).toMatch(new RegExp(allowedPattern));
  });

  it('leaves room below the 64 KB of a document', () => {
    expect(Buffer.byteLength(JSON.stringify(content))).toBeLessThan(62 * 1024);
  });

  it('stays in the account when it is replaced or removed, for the runs that still need it', () => {
    expect(resource).toMatchObject({ DeletionPolicy: 'Retain', UpdateReplacePolicy: 'Retain' });
    expect(resource.Properties.Name).toMatch(new RegExp(`^ozone-dr-${radius}-[0-9a-f]{12}$`));
  });

  const hostile = [
    'a\nb',
    '\n',
    'prod/vol/bkt\n-x',
    '$(reboot)',
    '`reboot`',
    ';reboot',
    'a b',
    '-rf',
    '--help',
    "'",
    '"',
    'prod/vol/bkt;id',
    'prod/../../etc',
    'PROD/VOL/BKT',
    '*',
    '%s',
    '\u0000',
    'bücket',
    '{{ssm:secret}}',
    'x'.repeat(10_000),
    '9'.repeat(10_000),
  ];
  it.each(hostile.map((value) => [value.slice(0, 24), value]))('refuses %j for every parameter', (_shown, value) => {
    const accepted = Object.entries(content.parameters)
      .filter(([, { allowedPattern = '' }]) => new RegExp(allowedPattern).test(value))
      .map(([name]) => name);
    // Base64 of other bytes, by chance: the script says whether these are a path.
    expect(accepted).toEqual(value === 'PROD/VOL/BKT' ? ['path64'] : []);
  });

  it('accepts what an operation really sends', () => {
    const real: Readonly<Record<string, string>> = {
      operation: `op-${'0123456789ab'.repeat(2)}-007`,
      verb: { observe: 'survey', protect: 'create-bucket', destroy: 'tidy', restore: 'restore' }[radius],
      source: 'om.lab.example:9862/sales/orders_2026',
      replica: 'ozone-paris/sales/orders',
      target: 'odr-nightly-20261120t020000z-1',
      base: 'odr-nightly-20261119t020000z-1',
      targetId: '01234567-89ab-cdef-0123-456789abcdef',
      queue: 'root.backup_2',
      adopts: `op-${'0123456789ab'.repeat(2)}-006`,
      baseSourceId: '01234567-89ab-cdef-0123-456789abcdef',
      baseReplicaId: '01234567-89ab-cdef-0123-456789abcdef',
      sealId: '01234567-89ab-cdef-0123-456789abcdef',
      replicaCreated: '2026-11-20T02:00:00.123Z',
      mode: 'incremental',
      empty: 'yes',
      fence: '42',
      fenceSeed: 'no',
      copySeconds: '169200',
      maps: '1000',
      bandwidth: '100000',
      level: 'rolling',
      part: '3',
      parts: '14',
      brake: '1000000',
      supersedes: `op-${'0123456789ab'.repeat(2)}-006`,
      detached: 'yes',
      probed: `op-${'0123456789ab'.repeat(2)}-005`,
      remove: [
        'temp01234567-89ab-cdef-0123-456789abcdefs20261120-182443.021=01234567-89ab-cdef-0123-456789abcdef',
        'odr-tmp-dirty.1=01234567-89ab-cdef-0123-456789abcdef',
        ...Array.from({ length: 98 }, (_, n) => `${longestPoint(n)}=01234567-89ab-cdef-0123-456789abcdef`),
      ].join(),
      layout: 'FILE_SYSTEM_OPTIMIZED',
      replication: 'EC/rs-3-2-1024k',
      quotaBytes: '1000000000000',
      quotaNamespace: '0',
      encryptionKey: 'orders.key-2',
      narrow: 'odr-tmp-narrow.1=01234567-89ab-cdef-0123-456789abcdef',
      selection: '0123456789abcdef'.repeat(4),
      selectionUrl: `https://records.s3.eu-west-1.amazonaws.com/selections/${'0123456789abcdef'.repeat(4)}?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIA%2F20261120%2Feu-west-1%2Fs3%2Faws4_request&X-Amz-Date=20261120T020000Z&X-Amz-Expires=900&X-Amz-Security-Token=${'IQoJb3JpZ2luX2VjE%2F%2B'.repeat(60)}&X-Amz-Signature=${'ab'.repeat(32)}&X-Amz-SignedHeaders=host&x-id=GetObject`,
      since: 'odr-nightly-20261120t020000z-1',
      sinceId: '01234567-89ab-cdef-0123-456789abcdef',
      overwrite: 'if-different',
      deleteExtra: 'yes',
      exact: 'yes',
      targetCreated: '2026-11-20T02:00:00.123Z',
      points: Array.from(
        { length: 100 },
        (_, n) => `odr-nightly-20261120t020000z-${n + 1}=01234567-89ab-cdef-0123-456789abcdef`,
      ).join(),
      policy: 'nightly',
      hookBefore: 'freeze-orders:600:yes',
      hookAfter: 'thaw:5:no',
      path64: 'MjAyNi/DvG5pIGNvZGUvKj8='.padStart(1368, 'MjAy'),
      token: '200000000000000000003',
      limit: '100',
      buckets: 'sales/orders_2026,sales/orders',
      globs: 'sales/*,*/orders-?',
      acls: 'user:svc-a/host@EX.TEST:rwcldxy,group:staff:a[DEFAULT],world::rl,anonymous::n,client_ip:10.0.0.1:r',
      batch: Array.from({ length: 25 }, (_, n) =>
        [
          `op-${'0123456789ab'.repeat(2)}-${String(n).padStart(3, '0')}|sales/orders_2026`,
          n === 0 ? '|' : `${longestPoint(n)}|01234567-89ab-cdef-0123-456789abcdef`,
          n === 0
            ? '||'
            : `${longestPoint(n)}|01234567-89ab-cdef-0123-456789abcdef|01234567-89ab-cdef-0123-456789abcdef`,
          n === 0 ? '||' : '2026-11-20T02:00:00.123Z|42|no',
        ].join('|'),
      ).join(';'),
      executionTimeout: '172800',
      commandTimeout: '172800',
    };
    for (const [name, { pattern }] of Object.entries(edgeParameters(radius)))
      expect([name, real[name]]).toEqual([name, expect.stringMatching(new RegExp(pattern))]);
  });
});

it('each verb is in one document, but for those that a restore needs too', () => {
  const allows = (radius: BlastRadius, verb: string) =>
    new RegExp(edgeParameters(radius).verb?.pattern ?? '').test(verb);
  const where = EdgeParameters.shape.verb.options.map((verb) => [verb, radii.filter((radius) => allows(radius, verb))]);
  expect(Object.fromEntries(where)).toEqual({
    // In documents of its own.
    doctor: [],
    buckets: [],
    versions: [],
    changes: [],
    divergence: [],
    'seal-unchanged': [],
    survey: ['observe'],
    examine: ['observe'],
    compare: ['observe'],
    diff: ['observe'],
    verify: ['observe'],
    probe: ['observe'],
    snapshot: ['protect', 'restore'],
    replicate: ['protect'],
    'create-bucket': ['protect', 'restore'],
    tidy: ['destroy'],
    delete: ['destroy'],
    restore: ['restore'],
    'remove-scratch': ['restore'],
    restrict: ['restore'],
  });
});

it('a command of an older function version, which knows less parameters, still runs', () => {
  const added = 'level part parts brake supersedes detached probed remove layout replication quotaBytes quotaNamespace';
  const names = [
    ...added.split(' '),
    'encryptionKey',
    'narrow',
    'selection',
    'selectionUrl',
    'overwrite',
    'deleteExtra',
    'exact',
    'targetCreated',
    'points',
    'path64',
    'token',
    'limit',
    'buckets',
    'since',
    'sinceId',
    'acls',
    'policy',
    'hookBefore',
    'hookAfter',
    'batch',
    'queue',
    'adopts',
  ];
  const defaults = names.map((name) => edgeParameters('protect')[name]?.fallback);
  expect(defaults).toEqual([
    '',
    '0',
    '0',
    '',
    '',
    'no',
    '',
    '',
    '',
    '',
    '0',
    '0',
    '',
    '',
    '',
    '',
    '',
    'no',
    'no',
    '',
    '',
    '',
    '',
    '0',
    '',
    '',
    '',
    '',
    '',
    '',
    '',
    '',
    '',
    '',
  ]);
});

it('counts copies of a pattern as Go does', () => {
  const patterns = ['a', 'a{3}', '[a{9}]{2,4}', '(a|b{5}){1,6}c{7}', '((a{2}){3}\\(x){4}', '(a{40})*'];
  expect(patterns.map(copiesIn)).toEqual([1, 3, 4, 30, 24, 40]);
});

describe('a script that cannot be a document', () => {
  it('may not contain two opening braces, which Systems Manager would read as a parameter', () => {
    expect(() => ofText('#!/bin/bash\necho {{source}}\n')).toThrow('must not contain {{');
  });
  it('must begin with the line that makes bash run it', () => {
    expect(() => ofText('echo hello\n')).toThrow('#!/bin/bash');
  });
  it('must leave the document below 64 KB', () => {
    expect(() => ofText(`#!/bin/bash\n${'echo\n'.repeat(12_000)}`)).toThrow(/shorten it below 65536/);
  });
  it('gets another name with every other content', () => {
    const name = (text: string) => ofText(text).resource.Properties.Name;
    expect(name('#!/bin/bash\necho 1\n')).toBe(name('#!/bin/bash\necho 1\n'));
    expect(name('#!/bin/bash\necho 1\n')).not.toBe(name('#!/bin/bash\necho 2\n'));
  });
});
