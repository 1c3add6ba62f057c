import { describe, expect, it } from 'vitest';
import { distributed, machine, task } from '../asl/cases.ts';
import { stageFor } from '../asl/run-definition.ts';
import { AwsError } from '../errors.ts';
import { isObject, type Json, type JsonObject } from '../json.ts';
import { root } from '../world.ts';

const roleArn = 'arn:aws:iam::123456789012:role/machine';
const pass = JSON.stringify(machine({ A: { Type: 'Pass', Output: 'first', End: true } }));
const waiting = JSON.stringify(
  machine({ A: { Type: 'Wait', Seconds: 10, Next: 'B' }, B: { Type: 'Pass', End: true } }),
);

/** The API of Step Functions in virtual time; a refusal is its error's name. */
function api() {
  const { stepFunctions, clock } = stageFor({});
  const call = async (action: string, request: JsonObject): Promise<Record<string, unknown>> => {
    const run = stepFunctions.actions[action];
    if (!run) throw new Error(`there is no action ${action}`);
    try {
      const answer: Json = await run(request, root);
      return isObject(answer) ? answer : {};
    } catch (error) {
      if (error instanceof AwsError) return { error: error.name };
      throw error;
    }
  };
  return {
    call,
    clock,
    text: async (action: string, request: JsonObject, member: string) => String((await call(action, request))[member]),
  };
}

describe('state machines over the API (AWS Step Functions API Reference)', () => {
  it('the same machine is created once, another one under its name is refused', async () => {
    const { call } = api();
    const created = await call('CreateStateMachine', { name: 'one', definition: pass, roleArn });
    expect(created.stateMachineArn).toBe('arn:aws:states:eu-central-1:123456789012:stateMachine:one');
    expect(await call('CreateStateMachine', { name: 'one', definition: pass, roleArn })).toEqual(created);
    const other = await call('CreateStateMachine', { name: 'one', definition: waiting, roleArn });
    expect(other).toEqual({ error: 'StateMachineAlreadyExists' });
    expect(await call('CreateStateMachine', { name: 'with space', definition: pass, roleArn })).toEqual({
      error: 'InvalidName',
    });
    expect(await call('CreateStateMachine', { name: 'two', definition: '{}', roleArn })).toEqual({
      error: 'InvalidDefinition',
    });
    expect(await call('CreateStateMachine', { name: 'two', definition: pass, roleArn, type: 'EXPRESS' })).toEqual({
      error: 'ValidationException',
    });
    expect(await call('ListStateMachines', {})).toMatchObject({ stateMachines: [{ name: 'one', type: 'STANDARD' }] });
  });

  it('a running execution keeps its definition through an update, a new one has the new', async () => {
    const { call, text, clock } = api();
    const stateMachineArn = await text(
      'CreateStateMachine',
      { name: 'one', definition: waiting, roleArn },
      'stateMachineArn',
    );
    const old = await text('StartExecution', { stateMachineArn, input: '"in"', name: 'old' }, 'executionArn');
    const before = await call('DescribeStateMachine', { stateMachineArn });
    const updated = await call('UpdateStateMachine', { stateMachineArn, definition: pass });
    expect(updated.revisionId).not.toBe(before.revisionId);
    const fresh = await text('StartExecution', { stateMachineArn, name: 'new' }, 'executionArn');
    await clock.advanceTo(clock.now() + 20_000);
    expect(await call('DescribeExecution', { executionArn: old })).toMatchObject({ output: '"in"' });
    expect(await call('DescribeExecution', { executionArn: fresh })).toMatchObject({ output: '"first"' });
    expect(await call('DescribeStateMachineForExecution', { executionArn: old })).toMatchObject({
      definition: waiting,
    });
    expect(await call('DescribeStateMachine', { stateMachineArn })).toMatchObject({ definition: pass });
    expect(await call('UpdateStateMachine', { stateMachineArn })).toEqual({ error: 'MissingRequiredParameter' });
  });

  it('a deleted machine lets its executions end and starts no more', async () => {
    const { call, text, clock } = api();
    const stateMachineArn = await text(
      'CreateStateMachine',
      { name: 'one', definition: waiting, roleArn },
      'stateMachineArn',
    );
    const executionArn = await text('StartExecution', { stateMachineArn }, 'executionArn');
    expect(await call('DeleteStateMachine', { stateMachineArn })).toEqual({});
    expect(await call('DescribeStateMachine', { stateMachineArn })).toMatchObject({ status: 'DELETING' });
    expect(await call('StartExecution', { stateMachineArn })).toEqual({ error: 'StateMachineDeleting' });
    await clock.advanceTo(clock.now() + 20_000);
    expect(await call('DescribeExecution', { executionArn })).toMatchObject({ status: 'SUCCEEDED' });
    expect(await call('DescribeStateMachine', { stateMachineArn })).toEqual({ error: 'StateMachineDoesNotExist' });
  });

  it('a definition is validated without being created', async () => {
    const { call } = api();
    expect(await call('ValidateStateMachineDefinition', { definition: pass })).toEqual({
      result: 'OK',
      diagnostics: [],
      truncated: false,
    });
    const dangling = JSON.stringify(machine({ A: { Type: 'Pass', Next: 'B' } }));
    expect(await call('ValidateStateMachineDefinition', { definition: dangling })).toMatchObject({
      result: 'FAIL',
      diagnostics: [{ severity: 'ERROR', code: 'MISSING_TRANSITION_TARGET' }, { severity: 'ERROR' }],
    });
  });
});

describe('executions and Map Runs over the API', () => {
  it('tells a Map Run, its counts and its children, and redrives it by its parent', async () => {
    const { call, text, clock } = api();
    const definition = JSON.stringify(
      machine({
        M: distributed(
          { Items: [1, 2], Label: 'Mine' },
          { W: { Type: 'Wait', Seconds: 5, Next: 'T' }, T: task({}, 'none') },
        ),
      }),
    );
    const stateMachineArn = await text('CreateStateMachine', { name: 'one', definition, roleArn }, 'stateMachineArn');
    const executionArn = await text('StartExecution', { stateMachineArn }, 'executionArn');
    await clock.advanceTo(clock.now() + 1000);
    const runs = await call('ListMapRuns', { executionArn });
    const [run] = Array.isArray(runs.mapRuns) ? runs.mapRuns : [];
    const mapRunArn = String(run?.mapRunArn);
    expect(mapRunArn).toMatch(/:mapRun:one\/Mine:/);
    expect(await call('DescribeMapRun', { mapRunArn })).toMatchObject({
      status: 'RUNNING',
      maxConcurrency: 10_000,
      itemCounts: { total: 2, running: 2, pending: 0 },
    });
    expect(await call('DescribeExecution', { executionArn })).toMatchObject({
      redriveStatus: 'NOT_REDRIVABLE',
      redriveStatusReason: 'Execution is RUNNING and cannot be redriven',
    });
    await clock.advanceTo(clock.now() + 10_000);
    expect(await call('DescribeMapRun', { mapRunArn })).toMatchObject({
      status: 'FAILED',
      executionCounts: { total: 2, failed: 1, aborted: 1 },
    });
    const children = await call('ListExecutions', { mapRunArn });
    expect(children.executions).toHaveLength(2);
    const [child] = Array.isArray(children.executions) ? children.executions : [];
    expect(await call('DescribeExecution', { executionArn: String(child?.executionArn) })).toMatchObject({
      mapRunArn,
      redriveStatus: 'REDRIVABLE_BY_MAP_RUN',
    });
    expect(await call('DescribeStateMachineForExecution', { executionArn: String(child?.executionArn) })).toMatchObject(
      {
        mapRunArn,
        label: 'Mine',
      },
    );
    expect(await call('ListExecutions', { stateMachineArn })).toMatchObject({ executions: [{ executionArn }] });
    expect(await call('RedriveExecution', { executionArn })).toHaveProperty('redriveDate');
    expect(await call('RedriveExecution', { executionArn })).toEqual({ error: 'ExecutionNotRedrivable' });
    await clock.advanceTo(clock.now() + 10_000);
    expect(await call('DescribeMapRun', { mapRunArn })).toMatchObject({ status: 'FAILED', redriveCount: 1 });
    expect(await call('ListExecutions', { stateMachineArn, redriveFilter: 'REDRIVEN' })).toMatchObject({
      executions: [{ status: 'FAILED' }],
    });
  });
});
