import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { StateError } from '../local-cloud/asl/errors.ts';
import { type RunOptions, runDefinition } from '../local-cloud/asl/run-definition.ts';
import type { Json } from '../local-cloud/json.ts';

/** The ways of a machine that no run of the product goes often; functions answer in their order, the last answer repeats. */
const play = async (
  file: string,
  answers: Readonly<Record<string, readonly (Json | Error)[]>>,
  machines: RunOptions['machines'] = {},
) => {
  const asked: { readonly name: string; readonly payload: Json }[] = [];
  const functions = Object.fromEntries(
    Object.entries(answers).map(([name, list]) => [
      name,
      (payload: Json): Json => {
        const answer = list[Math.min(asked.filter((it) => it.name === name).length, list.length - 1)] ?? null;
        asked.push({ name, payload });
        if (answer instanceof Error) throw answer;
        return answer;
      },
    ]),
  );
  const text = readFileSync(new URL(`../../statemachine/${file}`, import.meta.url), 'utf8').replace(
    /\$\{([A-Za-z]+)(Function|Machine)\}/g,
    (_, name: string, kind: string) =>
      kind === 'Machine' ? `arn:aws:states:eu-central-1:123456789012:stateMachine:${name}` : name,
  );
  const input = { policy: 'nightly', bucket: 'sales/orders' };
  const result = await runDefinition(text, { input, functions, machines });
  const payloads = (name: string) => asked.flatMap((it) => (it.name === name ? [it.payload] : []));
  return { ...result, asked: asked.map(({ name }) => name), payloads };
};

const child = (state: object) => ({ QueryLanguage: 'JSONata', StartAt: 'A', States: { A: state } });
const succeeds = child({ Type: 'Succeed' });
const fails = child({ Type: 'Fail', Error: 'SourceUnreachable', Cause: 'prod does not answer' });

const opened = (kind: string, more: object = {}) => ({ kind, runId: 'run', lease: 0, step: 0, ...more }) as Json;
const drain = opened('drain', {
  name: 'drain-1',
  input: { policy: 'nightly', bucket: 'sales/orders', slot: '2026-11-20T12:00:00Z', back: false },
});
const skipped = opened('skipped', { error: 'SlotAlreadyDone' });

describe('a failover', () => {
  it('that finds the bucket busy asks again after so many seconds, until it is not', async () => {
    const busy = opened('busy', { seconds: 30 });
    const { status, seconds, asked } = await play('failover.asl.json', { OpenRestore: [busy, busy, skipped] });
    expect({ status, seconds, asked }).toEqual({
      status: 'SUCCEEDED',
      seconds: 60,
      asked: ['OpenRestore', 'OpenRestore', 'OpenRestore'],
    });
  });

  it.each([
    ['succeeded', { Backup: succeeds }],
    ['failed', { Backup: fails }],
    ['could not be started', {}],
  ] as const)('whose last backup %s opens again, and says that it was drained', async (_how, machines) => {
    const { status, error, payloads, asked } = await play(
      'failover.asl.json',
      {
        OpenRestore: [drain, new StateError('ChangedMeanwhile', 'no verified point')],
        RecordFailure: [{ error: 'ChangedMeanwhile', cause: 'no verified point' }],
      },
      machines,
    );
    expect({ status, error }).toEqual({ status: 'FAILED', error: 'ChangedMeanwhile' });
    expect(payloads('OpenRestore')).toMatchObject([{ drained: false }, { drained: true }]);
    // Of a run that was never opened nothing is to be closed but the failure itself.
    expect(payloads('RecordFailure')).toMatchObject([
      { runId: null, lease: 0, failure: { Error: 'ChangedMeanwhile' } },
    ]);
    expect(asked).not.toContain('DecideRestore');
  });
});

describe('a failback', () => {
  it('whose backup in the other direction fails says so to whoever decides, and is not over by that', async () => {
    const bring = {
      kind: 'bring-back',
      name: 'back-1',
      input: { policy: 'nightly', bucket: 'sales/orders', slot: '2026-11-20T12:00:00Z', back: true },
    };
    const { status, payloads } = await play(
      'failback.asl.json',
      {
        OpenRestore: [opened('open', { lease: 7 })],
        DecideRestore: [bring, bring, { kind: 'done' }],
        RecordOutcome: [{ kind: 'failback-prepared' }],
      },
      { Backup: fails },
    );
    expect(status).toBe('SUCCEEDED');
    expect(payloads('DecideRestore')).toMatchObject([
      { step: 0, failure: null },
      { step: 1, failure: { Error: 'States.TaskFailed' } },
      { step: 2, failure: { Error: 'StepFunctions.ExecutionAlreadyExistsException' } },
    ]);
  });
});

describe('a fleet of failovers', () => {
  const group = (...names: readonly string[]) => ({
    kind: 'group',
    runs: names.map((name) => ({
      name,
      input: {
        policy: 'nightly',
        bucket: `sales/${name}`,
        kind: 'unplanned',
        verification: 'full',
        by: 'Ada',
        reason: 'a test',
        fleet: 'plan',
      },
    })),
  });

  it('tells of each bucket how it ended, and goes from group to group', async () => {
    const { status, payloads } = await play(
      'failover-fleet.asl.json',
      { OrderFailovers: [group('a', 'b'), group('c'), { kind: 'done', buckets: [] }] },
      { Failover: succeeds },
    );
    expect(status).toBe('SUCCEEDED');
    const ended = (name: string, error: string | null) => ({ bucket: `sales/${name}`, name, error });
    expect(payloads('OrderFailovers')).toMatchObject([
      { results: [] },
      { results: [ended('a', null), ended('b', null)] },
      { results: [ended('a', null), ended('b', null), ended('c', null)] },
    ]);
  });

  it('asks what follows from a failure by the error of the failover itself, and fails when it is told so', async () => {
    const { status, error, payloads } = await play(
      'failover-fleet.asl.json',
      { OrderFailovers: [group('a', 'b'), new StateError('BucketsFailed', 'b')] },
      { Failover: fails },
    );
    expect({ status, error }).toEqual({ status: 'FAILED', error: 'BucketsFailed' });
    expect(payloads('OrderFailovers')[1]).toMatchObject({
      results: [{ error: 'SourceUnreachable' }, { error: 'SourceUnreachable' }],
    });
  });
});
