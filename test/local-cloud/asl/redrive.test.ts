import { describe, expect, it } from 'vitest';
import { distributed, machine, task } from './cases.ts';
import { StateError } from './errors.ts';
import { memoryObjects } from './objects.ts';
import { type FunctionStub, type RunOptions, stageFor } from './run-definition.ts';

const roleArn = 'arn:aws:iam::123456789012:role/machine';

/** A machine that is started, with the means to let it end and to redrive it. */
function started(definition: unknown, options: RunOptions = {}) {
  const stage = stageFor(options);
  const { stepFunctions, clock } = stage;
  const created = stepFunctions.createMachine({ name: 'main', definition: JSON.stringify(definition), roleArn });
  const execution = stepFunctions.start(created.arn, JSON.stringify(options.input ?? {}), 'one');
  const ended = async () => {
    await clock.runUntil(() => execution.status !== 'RUNNING');
    return execution;
  };
  const types = () => execution.history.events.map((event) => event.type);
  return { stepFunctions, clock, execution, ended, types, redrive: () => stepFunctions.redrive(execution) };
}

/** Fails with these names in turn, then returns the payload; records what it was called with. */
function failing(calls: unknown[], ...names: readonly string[]): FunctionStub {
  const left = [...names];
  return (payload) => {
    calls.push(payload);
    const name = left.shift();
    if (name !== undefined && name !== '') throw new StateError(name, 'why');
    return payload;
  };
}

const nameOf = (action: () => unknown): string => {
  try {
    action();
    return 'accepted';
  } catch (error) {
    return error instanceof Error ? error.name : String(error);
  }
};

describe('redrive (AWS: Restarting state machine executions with redrive)', () => {
  it('goes on in the failed state, with its input and the variables, and the counters begin anew', async () => {
    const calls: unknown[] = [];
    const run = started(
      machine({
        A: { Type: 'Pass', Assign: { x: 5 }, Output: 'in', Next: 'B' },
        B: task({
          Arguments: {
            FunctionName: 'work',
            Payload:
              '{% [$states.input, $x, $states.context.State.RetryCount, $states.context.Execution.RedriveCount] %}',
          },
          Retry: [{ ErrorEquals: ['Bad'], MaxAttempts: 1 }],
          Output: '{% $states.result.Payload %}',
        }),
      }),
      { functions: { work: failing(calls, 'Bad', 'Bad', 'Bad', '') } },
    );
    expect((await run.ended()).status).toBe('FAILED');
    run.redrive();
    const { status, output, redriveCount } = await run.ended();
    expect({ status, output, redriveCount }).toEqual({
      status: 'SUCCEEDED',
      output: ['in', 5, 1, 1],
      redriveCount: 1,
    });
    expect(calls).toEqual([
      ['in', 5, 0, 0],
      ['in', 5, 1, 0],
      ['in', 5, 0, 1],
      ['in', 5, 1, 1],
    ]);
    const from = run.types().indexOf('ExecutionRedriven');
    expect(run.types().slice(from - 1, from + 2)).toEqual(['ExecutionFailed', 'ExecutionRedriven', 'TaskScheduled']);
    expect(run.types().filter((type) => type === 'TaskStateEntered')).toHaveLength(1);
  });

  it('gives the machine its whole time again', async () => {
    const run = started(machine({ A: { Type: 'Wait', Seconds: 15, End: true } }, { TimeoutSeconds: 10 }));
    expect((await run.ended()).status).toBe('TIMED_OUT');
    const at = run.clock.now();
    run.redrive();
    expect((await run.ended()).status).toBe('TIMED_OUT');
    expect((run.clock.now() - at) / 1000).toBe(10);
  });

  it('enters a Fail state again, which fails again', async () => {
    const run = started(machine({ A: { Type: 'Fail', Error: 'E' } }));
    await run.ended();
    run.redrive();
    expect((await run.ended()).error).toBe('E');
    expect(run.types()).toEqual([
      'ExecutionStarted',
      'FailStateEntered',
      'ExecutionFailed',
      'ExecutionRedriven',
      'FailStateEntered',
      'ExecutionFailed',
    ]);
  });

  it('reruns only the branches of a Parallel, and the iterations of a Map, that did not succeed', async () => {
    const left: unknown[] = [];
    const right: unknown[] = [];
    const items: unknown[] = [];
    const branch = (name: string) => ({ StartAt: name, States: { [name]: task({}, name) } });
    const run = started(
      machine({
        P: {
          Type: 'Parallel',
          Branches: [
            branch('left'),
            { StartAt: 'W', States: { W: { Type: 'Wait', Seconds: 5, Next: 'right' }, right: task({}, 'right') } },
          ],
          Output: [1, 2, 3],
          Next: 'M',
        },
        M: {
          Type: 'Map',
          MaxConcurrency: 1,
          ItemProcessor: {
            StartAt: 'item',
            States: { item: task({ Output: '{% $states.result.Payload %}' }, 'item') },
          },
          End: true,
        },
      }),
      {
        functions: {
          left: failing(left),
          right: failing(right, 'Bad', ''),
          item: failing(items, '', 'Bad', '', ''),
        },
      },
    );
    expect((await run.ended()).status).toBe('FAILED');
    run.redrive();
    expect((await run.ended()).status).toBe('FAILED');
    run.redrive();
    const { status, output } = await run.ended();
    expect({ status, output }).toEqual({ status: 'SUCCEEDED', output: [1, 2, 3] });
    expect([left.length, right.length, items]).toEqual([1, 2, [1, 2, 2, 3]]);
    expect(run.types().filter((type) => type === 'MapIterationStarted')).toHaveLength(4);
  });

  it('is refused for what runs, has succeeded, or ended more than 14 days ago; a client token makes it once', async () => {
    const run = started(machine({ A: task({}, 'work') }), { functions: { work: failing([], 'Bad', '') } });
    expect(nameOf(run.redrive)).toBe('ExecutionNotRedrivable');
    await run.ended();
    expect(run.stepFunctions.redrive(run.execution, 'once')).toBe(run.stepFunctions.redrive(run.execution, 'once'));
    expect((await run.ended()).status).toBe('SUCCEEDED');
    expect(run.execution.redriveCount).toBe(1);
    expect(nameOf(run.redrive)).toBe('ExecutionNotRedrivable');

    const old = started(machine({ A: { Type: 'Fail', Error: 'E' } }));
    await old.ended();
    await old.clock.advanceTo(old.clock.now() + 15 * 86_400_000);
    expect(nameOf(old.redrive)).toBe('ExecutionNotRedrivable');
  });

  it('continues a stopped execution', async () => {
    const run = started(
      machine({ A: { Type: 'Wait', Seconds: 100, Next: 'B' }, B: { Type: 'Pass', Output: 1, End: true } }),
    );
    await run.clock.advanceTo(run.clock.now() + 10_000);
    run.stepFunctions.stop(run.execution, 'Enough');
    run.redrive();
    const { status, output, error } = await run.ended();
    expect({ status, output, error }).toEqual({ status: 'SUCCEEDED', output: 1, error: undefined });
  });
});

describe('Map Runs (AWS: Viewing and redriving Map Runs)', () => {
  it('a redrive runs only the children that did not succeed, in the same Map Run', async () => {
    const calls: unknown[] = [];
    const run = started(
      machine({
        M: distributed(
          { Items: [1, 2, 3], MaxConcurrency: 1, ToleratedFailureCount: 0 },
          { item: task({ Output: '{% $states.result.Payload %}' }, 'item') },
        ),
      }),
      { functions: { item: failing(calls, '', 'Bad', '', '') } },
    );
    expect((await run.ended()).error).toBe('States.ExceedToleratedFailureThreshold');
    const children = run.stepFunctions.executions().filter((one) => one.mapRun);
    expect(children.map((one) => one.status)).toEqual(['SUCCEEDED', 'FAILED']);
    expect(children.map((one) => nameOf(() => run.stepFunctions.redrive(one)))).toEqual([
      'ExecutionNotRedrivable',
      'ExecutionNotRedrivable',
    ]);
    run.redrive();
    const { status, output, mapRuns } = await run.ended();
    expect({ status, output }).toEqual({ status: 'SUCCEEDED', output: [1, 2, 3] });
    expect(calls).toEqual([1, 2, 2, 3]);
    expect(mapRuns.map((one) => [one.status, one.redriveCount])).toEqual([['SUCCEEDED', 1]]);
    expect(children.map((one) => one.redriveCount)).toEqual([0, 1]);
    expect(run.types()).toContain('MapRunRedriven');
  });

  it('writes files by status and a manifest, also when it fails', async () => {
    const objects = memoryObjects({ 'out/': '' });
    const run = started(
      machine({
        M: distributed(
          {
            Items: [1, 2, 3],
            MaxConcurrency: 1,
            ResultWriter: { Resource: 'arn:aws:states:::s3:putObject', Arguments: { Bucket: 'out', Prefix: 'p/' } },
          },
          { item: task({ Output: '{% $states.result.Payload %}' }, 'item') },
        ),
      }),
      { objects, functions: { item: failing([], '', 'Bad') } },
    );
    await run.ended();
    const [mapRun] = run.execution.mapRuns;
    const read = (name: string) => JSON.parse(objects.all.get(`out/p/${mapRun?.id}/${name}`) ?? 'null');
    const manifest = read('manifest.json');
    expect(manifest).toMatchObject({ DestinationBucket: 'out', MapRunArn: mapRun?.arn });
    expect(
      Object.entries(manifest.ResultFiles).map(([status, files]) => [status, (files as unknown[]).length]),
    ).toEqual([
      ['FAILED', 1],
      ['PENDING', 1],
      ['SUCCEEDED', 1],
    ]);
    expect(manifest.ResultFiles.FAILED[0]).toEqual({
      Key: `p/${mapRun?.id}/FAILED_0.json`,
      Size: JSON.stringify(read('FAILED_0.json')).length,
    });
    expect(read('SUCCEEDED_0.json')).toMatchObject([{ Status: 'SUCCEEDED', Input: '1', Output: '1' }]);
    expect(read('FAILED_0.json')).toMatchObject([{ Status: 'FAILED', Input: '2', Error: 'Bad', Cause: 'why' }]);
    expect(read('PENDING_0.json')).toMatchObject([{ Status: 'PENDING', Input: '3' }]);
  });

  it('each child has a history of 25,000 events of its own', async () => {
    const loop = {
      A: { Type: 'Choice', Choices: [{ Condition: '{% $n > 2500 %}', Next: 'C' }], Default: 'B', Output: 1 },
      B: { Type: 'Pass', Assign: { n: '{% $n + 1 %}' }, Next: 'A' },
      C: { Type: 'Pass', End: true },
    };
    const run = started(
      machine({
        M: distributed({ Items: [1, 2, 3] }, { S: { Type: 'Pass', Assign: { n: 0 }, Next: 'A' }, ...loop }),
      }),
    );
    expect((await run.ended()).output).toEqual([1, 1, 1]);
    const lengths = run.stepFunctions.executions().map((one) => one.history.events.length);
    expect(lengths.reduce((sum, length) => sum + length, 0)).toBeGreaterThan(25_000);
  });

  it('a stopped parent aborts its children and its Map Run', async () => {
    const run = started(
      machine({ M: distributed({ Items: [1, 2] }, { W: { Type: 'Wait', Seconds: 100, End: true } }) }),
    );
    await run.clock.advanceTo(run.clock.now() + 1000);
    run.stepFunctions.stop(run.execution);
    await run.clock.advanceTo(run.clock.now() + 1000);
    expect(run.stepFunctions.executions().map((one) => one.status)).toEqual(['ABORTED', 'ABORTED', 'ABORTED']);
    expect(run.execution.mapRuns.map((one) => one.status)).toEqual(['ABORTED']);
    expect(run.types().at(-1)).toBe('ExecutionAborted');
  });

  it('ten thousand children, a thousand at once, take as long as their waits', async () => {
    const run = started(
      machine({
        M: distributed(
          { Items: '{% [1..10000] %}', MaxConcurrency: 1000, Output: '{% $count($states.result) %}' },
          { W: { Type: 'Wait', Seconds: 60, Output: 0, End: true } },
        ),
      }),
    );
    const from = run.clock.now();
    expect((await run.ended()).output).toBe(10_000);
    expect((run.clock.now() - from) / 60_000).toBe(10);
  });
});
