import { describe, expect, it } from 'vitest';
import { FailbackRequest, FailoverRequest } from '../../../functions/core/domain/roles.ts';

const asked = { policy: 'nightly', bucket: 'sales/orders', by: 'ann', reason: 'a flood' };
const plan = 'e'.repeat(64);
const confirmed = { plan, confirmation: 'fail over sales/orders to dr eeeeeeeeeeee' };
const point = 'odr-nightly-20261120t020000z-1';

type Row = readonly [sentence: string, change: object];
type Refused = readonly [sentence: string, change: object, message: RegExp];

/** What both requests refuse. */
const refusedByBoth: readonly Refused[] = [
  ['nobody who asks', { by: '' }, /by/],
  ['no reason', { reason: undefined }, /reason/],
  ['a bucket that is none', { bucket: 'sales' }, /write volume\/bucket/],
  ['a plan without its words', { plan }, /give both/],
  ['words without their plan', { confirmation: 'yes' }, /give both/],
  ['only a plan, and a plan to do', { planOnly: true, ...confirmed }, /would plan anew/],
  ['a plan that is none', { plan: 'e', confirmation: 'yes' }, /plan/],
  ['a field that nobody knows', { force: true }, /force/],
];

describe('a request of a failover', () => {
  const failover = { ...asked, kind: 'unplanned' };

  it('compares everything and is done, unless it says otherwise', () => {
    expect(FailoverRequest.parse(failover)).toEqual({ ...failover, verification: 'full', planOnly: false });
  });

  it.each<Row>([
    ['on purpose', { kind: 'planned' }],
    ['to another point than the newest', { point }],
    ['with a plan and its words', confirmed],
    ['on purpose, with a plan and its words', { kind: 'planned', ...confirmed }],
    ['that only wants a plan, under a slot', { planOnly: true, slot: '2026-11-20T02:00:00Z' }],
    ['that an execution started', { AWS_STEP_FUNCTIONS_STARTED_BY_EXECUTION_ID: 'arn' }],
  ])('is taken %s', (_sentence, change) => {
    expect(FailoverRequest.safeParse({ ...failover, ...change }).error).toBeUndefined();
  });

  it.each<Refused>([
    ...refusedByBoth,
    ['no kind', { kind: undefined }, /kind/],
    ['a point on purpose, where nothing is to be lost', { kind: 'planned', point }, /what is there now: leave it out/],
    ['a point above the snapshots', { point: '../orders' }, /write the name of a snapshot/],
  ])('refuses %s', (_sentence, change, message) => {
    expect(FailoverRequest.safeParse({ ...failover, ...change }).error?.message).toMatch(message);
  });
});

describe('a request of a failback', () => {
  const failback = { ...asked, kind: 'prepare' };

  it('compares everything and is done, unless it says otherwise', () => {
    expect(FailbackRequest.parse(failback)).toEqual({ ...failback, verification: 'full', planOnly: false });
  });

  it.each<Row>([
    ['of the switch', { kind: 'switch' }],
    ['with a plan and its words', confirmed],
    ['that only wants a plan, under a slot', { planOnly: true, slot: '2026-11-20T02:00:00Z' }],
  ])('is taken %s', (_sentence, change) => {
    expect(FailbackRequest.safeParse({ ...failback, ...change }).error).toBeUndefined();
  });

  it.each<Refused>([
    ...refusedByBoth,
    ['a kind of failovers', { kind: 'unplanned' }, /kind/],
    ['a point: it goes back to what is there now', { point }, /point/],
  ])('refuses %s', (_sentence, change, message) => {
    expect(FailbackRequest.safeParse({ ...failback, ...change }).error?.message).toMatch(message);
  });
});
