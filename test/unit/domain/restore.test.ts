import { describe, expect, it } from 'vitest';
import { DrillRequest, RestoreRequest } from '../../../functions/core/domain/restore.ts';
import { parseEvent } from '../../../functions/core/use-cases/parse-event.ts';

const asked = {
  policy: 'nightly',
  bucket: 'sales/orders',
  point: 'odr-nightly-20261120t020000z-1',
  by: 'ann',
  reason: 'lost a file',
};
const plan = 'e'.repeat(64);

describe('a request of a restore', () => {
  it('overwrites nothing, goes to a side bucket and compares everything, unless it says otherwise', () => {
    expect(RestoreRequest.parse(asked)).toMatchObject({
      scope: 'bucket',
      target: 'side',
      overwrite: 'never',
      deleteExtra: false,
      verification: 'full',
    });
  });

  it.each<readonly [string, object]>([
    ['the newest point at a time, in any zone', { point: undefined, asOf: '2026-11-20T03:00:00+01:00' }],
    ['a bucket elsewhere', { target: { cluster: 'dr', bucket: 'sales/rescued' } }],
    ['what is extra in a bucket', { target: 'in-place', overwrite: 'always', deleteExtra: true }],
    [
      'what is extra below a prefix',
      { target: 'in-place', overwrite: 'if-different', deleteExtra: true, scope: { prefix: 'a' } },
    ],
    ['a plan with its confirmation', { plan, confirmation: 'overwrite sales/orders eeeeeeeeeeee' }],
    ['that it only wants a plan', { planOnly: true }],
    ['who started it', { AWS_STEP_FUNCTIONS_STARTED_BY_EXECUTION_ID: 'arn' }],
  ])('takes %s', (_sentence, change) => {
    expect(RestoreRequest.safeParse({ ...asked, ...change }).error).toBeUndefined();
  });

  it('reads a time as the instant that it is', () => {
    const { asOf } = RestoreRequest.parse({ ...asked, point: undefined, asOf: '2026-11-20T03:00:00.500+01:00' });
    expect(asOf).toBe(Date.UTC(2026, 10, 20, 2, 0, 0, 500));
  });

  it.each<readonly [string, object, RegExp]>([
    ['neither a point nor a time', { point: undefined }, /name one point, or give asOf/],
    ['a point and a time', { asOf: '2026-11-20T02:00:00Z' }, /one of the two/],
    ['a time that is none', { point: undefined, asOf: 'yesterday' }, /write an instant: 2026-11-20T02:00:00Z/],
    ['a time without a zone', { point: undefined, asOf: '2026-11-20T02:00:00' }, /write an instant/],
    ['a point that is an option', { point: '-rf' }, /write the name of a snapshot/],
    ['a point above the snapshots', { point: '../orders' }, /write the name of a snapshot/],
    ['a bucket that is none', { bucket: 'sales' }, /write volume\/bucket/],
    ['a scope that is none', { scope: 'all' }, /write "bucket", {"prefix": "…"}/],
    ['two scopes', { scope: { prefix: 'a', glob: 'b' } }, /write "bucket", {"prefix": "…"}/],
    ['only a plan, and a plan to do', { planOnly: true, plan, confirmation: 'restore' }, /would plan anew/],
    ['no paths', { scope: { paths: [] } }, /name at least one path/],
    [
      'a path that goes up, and which',
      { scope: { paths: ['a', '../b'] } },
      /write a path relative to the bucket[\s\S]*paths\[1\]/,
    ],
    ['a target that is none', { target: 'elsewhere' }, /write "side", "in-place" or {"cluster"/],
    ['half a target', { target: { cluster: 'dr' } }, /write "side", "in-place" or {"cluster"/],
    ['another overwriting', { overwrite: 'yes' }, /one of "never"\|"if-different"\|"always"/],
    ['another comparison', { verification: 'changed' }, /one of "listing"\|"full"/],
    ['what is extra in a new bucket', { deleteExtra: true, overwrite: 'always' }, /leave it out/],
    ['deleting without overwriting', { deleteExtra: true, target: 'in-place' }, /set overwrite/],
    [
      'deleting besides single paths',
      { deleteExtra: true, target: 'in-place', overwrite: 'always', scope: { paths: ['a'] } },
      /only of the whole bucket or of a prefix/,
    ],
    [
      'deleting besides a glob',
      { deleteExtra: true, target: 'in-place', overwrite: 'always', scope: { glob: 'a*' } },
      /only of the whole bucket or of a prefix/,
    ],
    ['nobody', { by: ' ' }, /say who/],
    ['no one at all', { by: undefined }, /say who/],
    ['no reason', { reason: '' }, /say why/],
    ['no reason at all', { reason: undefined }, /say why/],
    ['a plan without words', { plan }, /give both/],
    ['words without a plan', { confirmation: 'yes' }, /give both/],
    ['a plan that is none', { plan: 'x', confirmation: 'y' }, /write the 64 hex digits/],
    ['a slot that is none', { slot: 'today' }, /write an instant in UTC/],
    ['what it does not know', { force: true }, /"force"/],
  ])('refuses %s, and says what would do', (_sentence, change, message) => {
    const parse = () => parseEvent(RestoreRequest, { ...asked, ...change });
    expect(parse).toThrow(expect.objectContaining({ name: 'EventInvalid', message: expect.stringMatching(message) }));
  });
});

describe('a request of a drill', () => {
  const drill = { policy: 'nightly', bucket: 'sales/orders' };

  it('takes two fields, and what names the slot or the point', () => {
    expect(DrillRequest.safeParse(drill).success).toBe(true);
    expect(DrillRequest.safeParse({ ...drill, slot: '2026-11-20T02:00:00Z', point: asked.point }).success).toBe(true);
  });

  it.each([{ target: 'in-place' }, { overwrite: 'always' }, { scope: 'bucket' }, { plan }])(
    'never takes %j',
    (change) => {
      expect(DrillRequest.safeParse({ ...drill, ...change }).success).toBe(false);
    },
  );
});
