import { readdirSync, readFileSync } from 'node:fs';
import validate from 'asl-validator';
import { describe, expect, it } from 'vitest';
import { BackupStep } from '../../functions/core/domain/backup-step.ts';
import { ERROR_NAMES } from '../../functions/core/errors.ts';
import { checkDefinition } from '../local-cloud/asl/check.ts';
import { lintDefinition } from '../local-cloud/asl/lint.ts';

const folder = new URL('../../statemachine/', import.meta.url);
const files = readdirSync(folder).filter((name) => name.endsWith('.asl.json'));

interface State {
  readonly Type: string;
  readonly Resource?: string;
  readonly Next?: string;
  readonly Default?: string;
  readonly End?: boolean;
  readonly TimeoutSeconds?: unknown;
  readonly HeartbeatSeconds?: unknown;
  readonly Choices?: readonly { readonly Condition: string; readonly Next: string }[];
  readonly Catch?: readonly { readonly ErrorEquals: readonly string[]; readonly Next: string }[];
  readonly Retry?: readonly { readonly ErrorEquals: readonly string[] }[];
  readonly ItemProcessor?: Machine;
}
interface Machine {
  readonly StartAt: string;
  readonly States: Readonly<Record<string, State>>;
}

const read = (file: string): Machine => JSON.parse(readFileSync(new URL(file, folder), 'utf8')) as Machine;
const scopes = (machine: Machine): readonly Machine[] => [
  machine,
  ...Object.values(machine.States).flatMap((state) => (state.ItemProcessor ? scopes(state.ItemProcessor) : [])),
];
const successors = (state: State): readonly string[] => [
  ...(state.Next ? [state.Next] : []),
  ...(state.Default ? [state.Default] : []),
  ...(state.Choices ?? []).map((it) => it.Next),
  ...(state.Catch ?? []).map((it) => it.Next),
];
const reachable = ({ StartAt, States }: Machine, from = StartAt): ReadonlySet<string> => {
  const found = new Set<string>();
  const visit = (name: string): void => {
    const state = States[name];
    if (!state) throw new Error(`${name} is no state`);
    if (found.has(name)) return;
    found.add(name);
    for (const next of successors(state)) visit(next);
  };
  visit(from);
  return found;
};

/** Errors that pass by themselves, by the integration that has them (AWS, "Handling errors in Step Functions workflows"). */
const TRANSIENT: Readonly<Record<string, readonly string[]>> = {
  'lambda:invoke': [
    'Lambda.TooManyRequestsException',
    'Lambda.ServiceException',
    'Lambda.AWSLambdaException',
    'Lambda.SdkClientException',
    'Lambda.ClientExecutionTimeoutException',
  ],
  'states:startExecution': ['StepFunctions.ThrottlingException', 'StepFunctions.ExecutionLimitExceededException'],
};

const AWS_ERRORS = new Set([
  'States.ALL',
  'States.Timeout',
  'States.HeartbeatTimeout',
  'Lambda.TooManyRequestsException',
  'Lambda.ServiceException',
  'Lambda.AWSLambdaException',
  'Lambda.SdkClientException',
  'Lambda.ClientExecutionTimeoutException',
  'StepFunctions.ExecutionAlreadyExistsException',
  'StepFunctions.ThrottlingException',
  'StepFunctions.ExecutionLimitExceededException',
]);

it('there are definitions to check', () => {
  expect(files.length).toBeGreaterThan(1);
});

describe.each(files)('%s', (file) => {
  const machine = read(file);
  const all = scopes(machine).flatMap((scope) =>
    Object.entries(scope.States).map(([name, state]) => ({ name, state, scope })),
  );

  it('is valid by the validator', () => {
    const { isValid, errorsText } = validate(machine, { checkArn: false, checkPaths: true });
    expect(isValid ? '' : errorsText()).toBe('');
  });

  it('is taken by the interpreter, and breaks no house rule', () => {
    expect(lintDefinition(checkDefinition(readFileSync(new URL(file, folder), 'utf8')))).toEqual([]);
  });

  it('retries in every Task the errors that pass by themselves', () => {
    for (const { name, state } of all.filter((it) => it.state.Type === 'Task')) {
      const integration = /^arn:aws:states:::([a-z]+:[a-zA-Z]+)/.exec(state.Resource ?? '')?.[1] ?? '';
      const retried = (state.Retry ?? []).flatMap((it) => it.ErrorEquals);
      expect(TRANSIENT[integration], name).toBeDefined();
      expect(retried, name).toEqual(expect.arrayContaining([...(TRANSIENT[integration] ?? [])]));
    }
  });

  it('has no state that cannot be reached', () => {
    for (const scope of scopes(machine)) expect([...reachable(scope)].sort()).toEqual(Object.keys(scope.States).sort());
  });

  it('gives every Task a time-out and a Catch of everything, and every Choice a Default', () => {
    for (const { name, state } of all) {
      if (state.Type === 'Task') {
        expect(state.TimeoutSeconds, name).toBeDefined();
        expect(state.Catch?.at(-1)?.ErrorEquals, name).toEqual(['States.ALL']);
      }
      if (state.Type === 'Choice') expect(state.Default, name).toBeDefined();
    }
  });

  it('gives every Task that waits for a token a heartbeat, and catches both names of its absence', () => {
    for (const { name, state } of all.filter((it) => it.state.Resource?.endsWith('.waitForTaskToken'))) {
      expect(state.HeartbeatSeconds, name).toBeDefined();
      expect(state.Catch?.[0]?.ErrorEquals, name).toEqual(['States.HeartbeatTimeout', 'States.Timeout']);
    }
  });

  it('names only errors of the taxonomy or of AWS', () => {
    const names = all.flatMap(({ state }) =>
      [...(state.Catch ?? []), ...(state.Retry ?? [])].flatMap((it) => it.ErrorEquals),
    );
    expect(names.filter((it) => !AWS_ERRORS.has(it) && !ERROR_NAMES.some((known) => known === it))).toEqual([]);
  });

  it('never succeeds after its failure was recorded', () => {
    for (const scope of scopes(machine))
      for (const name of Object.keys(scope.States).filter((it) => it === 'RecordFailure'))
        expect([...reachable(scope, name)].filter((it) => scope.States[it]?.Type === 'Succeed')).toEqual([]);
  });
});

const kindOf = (step: (typeof BackupStep.options)[number]): string => [...step.shape.kind.values][0] ?? '';

/** Which kinds of step a machine of runs knows; what is left is a failure. */
const OF_PRUNES = ['delete', 'condemn'];
const OF_RESTORES = ['examine', 'create-target', 'safety-snapshot', 'restore', 'compare', 'remove-scratch'];
const OF_LOOKS = ['look-versions', 'look-changes', 'list-buckets'];
const OF_DOCTOR = ['check-host'];
const OF_FAILOVERS = ['restrict'];
const OF_FAILBACK = ['measure-divergence', 'bring-back'];
const COMMON = ['wait', 'done', 'fail'];
const KINDS = {
  backup: BackupStep.options
    .map(kindOf)
    .filter(
      (kind) =>
        ![...OF_PRUNES, ...OF_RESTORES, ...OF_LOOKS, ...OF_DOCTOR, ...OF_FAILOVERS, ...OF_FAILBACK].includes(kind),
    ),
  prune: ['survey', ...OF_PRUNES, ...COMMON],
  restore: [...OF_RESTORES.filter((kind) => kind !== 'remove-scratch'), ...COMMON],
  drill: [...OF_RESTORES.filter((kind) => kind !== 'safety-snapshot'), ...COMMON],
  // The replica is there, and stays.
  failover: [
    ...OF_RESTORES.filter((kind) => kind !== 'create-target' && kind !== 'remove-scratch'),
    ...OF_FAILOVERS,
    ...COMMON,
  ],
  // It freezes the old primary, too.
  failback: [
    ...OF_RESTORES.filter((kind) => kind !== 'remove-scratch'),
    ...OF_FAILOVERS,
    ...OF_FAILBACK,
    'create-snapshot',
    ...COMMON,
  ],
};

it.each(['backup', 'prune', 'restore', 'drill', 'failover', 'failback'] as const)(
  'the %s machine has a branch for each kind of its steps, and failure is what is left',
  (name) => {
    const { States } = read(`${name}.asl.json`);
    const branches = (States.WhatNext?.Choices ?? []).map((it) => /kind = '([a-z-]+)'/.exec(it.Condition)?.[1]);
    const kinds = KINDS[name];
    expect([...new Set(branches)].sort()).toEqual(kinds.filter((kind) => kind !== 'fail').sort());
    expect(States.WhatNext?.Default).toBe('RecordFailure');
  },
);

it('the diagram names every state', () => {
  const readme = readFileSync(new URL('README.md', folder), 'utf8');
  for (const file of files)
    for (const scope of scopes(read(file)))
      expect(Object.keys(scope.States).filter((name) => !readme.includes(name))).toEqual([]);
});
