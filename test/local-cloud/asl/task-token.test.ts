import { describe, expect, it } from 'vitest';
import { isObject, type Json } from '../json.ts';
import { check, machine, task, waitForToken } from './cases.ts';
import { StateError } from './errors.ts';
import { runDefinition, type Stage } from './run-definition.ts';

const page = 'AWS: Wait for a Callback with Task Token';
const tokenOf = (payload: Json): string => String(isObject(payload) ? payload.token : '');
const nameOf = (action: () => void): string => {
  try {
    action();
  } catch (error) {
    return error instanceof Error ? error.name : String(error);
  }
  return 'accepted';
};
const success = (stage: Stage, token: string) => stage.stepFunctions.tokens.success(token, '"back"');

describe(`task tokens (${page})`, () => {
  it('a Task waits for its token and takes the output as its result', async () => {
    const work = (payload: Json, stage: Stage) => {
      stage.after(60, () => success(stage, tokenOf(payload)));
      return 'not the result';
    };
    const result = await check({
      page,
      definition: machine({ A: waitForToken() }),
      functions: { work },
      output: 'back',
      seconds: 60,
    });
    expect(result.events.map((event) => event.type)).toEqual([
      'ExecutionStarted',
      'TaskStateEntered',
      'TaskScheduled',
      'TaskStarted',
      'TaskSubmitted',
      'TaskSucceeded',
      'TaskStateExited',
      'ExecutionSucceeded',
    ]);
  });

  it('the token may come back before the function has returned', async () => {
    const work = (payload: Json, stage: Stage) => {
      success(stage, tokenOf(payload));
      return null;
    };
    await check({ page, definition: machine({ A: waitForToken() }), functions: { work }, output: 'back', seconds: 0 });
  });

  it('a failure sent with the token is the error of the Task', async () => {
    const work = (payload: Json, stage: Stage) => {
      stage.after(1, () => stage.stepFunctions.tokens.failure(tokenOf(payload), 'Broken', 'by hand'));
      return null;
    };
    await check({ page, definition: machine({ A: waitForToken() }), functions: { work }, error: 'Broken' });
  });

  it('an error of the function itself fails the Task at once', async () => {
    const work = () => {
      throw new StateError('HandlerFailed', '{}');
    };
    await check({
      page,
      definition: machine({ A: waitForToken() }),
      functions: { work },
      error: 'HandlerFailed',
      seconds: 0,
    });
  });

  it('a missed heartbeat ends the Task, which States.HeartbeatTimeout and States.Timeout both catch', async () => {
    for (const name of ['States.HeartbeatTimeout', 'States.Timeout']) {
      const definition = machine({
        A: waitForToken({
          HeartbeatSeconds: 30,
          TimeoutSeconds: 1000,
          Catch: [{ ErrorEquals: [name], Output: '{% $states.errorOutput.Error %}', Next: 'B' }],
        }),
        B: { Type: 'Pass', End: true },
      });
      await check({
        page,
        definition,
        functions: { work: () => null },
        output: 'States.HeartbeatTimeout',
        seconds: 30,
      });
    }
  });

  it('heartbeats keep a Task alive until its own time-out', async () => {
    const work = (payload: Json, stage: Stage) => {
      for (const seconds of [20, 40, 60, 80])
        stage.after(seconds, () => stage.stepFunctions.tokens.heartbeat(tokenOf(payload)));
      return null;
    };
    await check({
      page,
      definition: machine({ A: waitForToken({ HeartbeatSeconds: '{% 30 %}', TimeoutSeconds: 100 }) }),
      functions: { work },
      error: 'States.Timeout',
      seconds: 100,
    });
  });

  it('every attempt has a token of its own; the old one answers TaskTimedOut', async () => {
    const tokens: string[] = [];
    const answers: string[] = [];
    const work = (payload: Json, stage: Stage) => {
      tokens.push(tokenOf(payload));
      if (tokens.length === 2) {
        stage.after(1, () => answers.push(nameOf(() => success(stage, tokens[0] ?? ''))));
        stage.after(2, () => answers.push(nameOf(() => success(stage, tokens[1] ?? ''))));
      }
      return null;
    };
    const definition = machine({
      A: waitForToken({ TimeoutSeconds: 10, Retry: [{ ErrorEquals: ['States.Timeout'] }] }),
    });
    await check({ page, definition, functions: { work }, output: 'back', seconds: 10 + 1 + 2 });
    expect(new Set(tokens).size).toBe(2);
    expect(answers).toEqual(['TaskTimedOut', 'accepted']);
  });

  it('a token that was used, or never existed, is refused', async () => {
    const answers: string[] = [];
    const work = (payload: Json, stage: Stage) => {
      const token = tokenOf(payload);
      answers.push(nameOf(() => stage.stepFunctions.tokens.success(token, 'no json')));
      success(stage, token);
      answers.push(
        nameOf(() => success(stage, token)),
        nameOf(() => success(stage, 'made up')),
      );
      return null;
    };
    await check({ page, definition: machine({ A: waitForToken() }), functions: { work }, output: 'back' });
    expect(answers).toEqual(['InvalidOutput', 'TaskTimedOut', 'InvalidToken']);
  });
});

describe('executions (AWS: StartExecution, StopExecution)', () => {
  const waiting = machine({ A: { Type: 'Wait', Seconds: 100, End: true } });

  it('the same name with the same input while running is the same execution; anything else already exists', async () => {
    const answers: string[] = [];
    await runDefinition(waiting, {
      input: { a: 1, b: 2 },
      meanwhile: ({ stepFunctions }, arn) => {
        const machineArn = stepFunctions.execution(arn).machine.arn;
        answers.push(stepFunctions.start(machineArn, '{"b":2,"a":1}', 'one').arn === arn ? 'same' : 'other');
        answers.push(nameOf(() => stepFunctions.start(machineArn, '{"a":2}', 'one')));
        answers.push(nameOf(() => stepFunctions.start(machineArn, '{}', 'with space')));
        answers.push(nameOf(() => stepFunctions.start(machineArn, 'no json', 'two')));
      },
    });
    expect(answers).toEqual(['same', 'ExecutionAlreadyExists', 'InvalidName', 'InvalidExecutionInput']);
  });

  it('a stopped execution is ABORTED, at once, with everything below it', async () => {
    const result = await runDefinition(waiting, {
      meanwhile: (stage, arn) =>
        stage.after(10, () => stage.stepFunctions.stop(stage.stepFunctions.execution(arn), 'Enough', 'by hand')),
    });
    expect([result.status, result.error, result.cause, result.seconds]).toEqual(['ABORTED', 'Enough', 'by hand', 10]);
  });

  const child = machine({
    W: { Type: 'Wait', Seconds: 50, Next: 'C' },
    C: { Type: 'Choice', Choices: [{ Condition: '{% $states.input.bad %}', Next: 'F' }], Default: 'S' },
    F: { Type: 'Fail', Error: 'ChildBad', Cause: 'why' },
    S: { Type: 'Succeed', Output: { n: 1 } },
  });
  const parent = (more: Readonly<Record<string, unknown>>, resource = 'startExecution.sync:2') =>
    machine({
      A: task({
        Resource: `arn:aws:states:::states:${resource}`,
        Arguments: {
          StateMachineArn: 'arn:aws:states:eu-central-1:123456789012:stateMachine:child',
          Input: '{% $states.input %}',
          Name: 'the-child',
        },
        ...more,
      }),
    });
  const childPage = 'AWS: Start a new AWS Step Functions state machine from a running execution';

  it('startExecution.sync:2 waits for the child and has its output as JSON', async () => {
    await check({
      page: childPage,
      definition: parent({ Output: '{% [$states.result.Output.n, $states.result.Status] %}' }),
      input: { bad: false },
      machines: { child },
      output: [1, 'SUCCEEDED'],
      seconds: 50,
    });
  });

  it('a failed child is States.TaskFailed with its description as the cause', async () => {
    const result = await check({
      page: childPage,
      definition: parent({}),
      input: { bad: true },
      machines: { child },
      error: 'States.TaskFailed',
      seconds: 50,
    });
    expect(JSON.parse(result.cause ?? '')).toMatchObject({
      Status: 'FAILED',
      Error: 'ChildBad',
      Cause: 'why',
      Name: 'the-child',
    });
  });

  it('startExecution without .sync does not wait', async () => {
    await check({
      page: childPage,
      definition: parent({ Output: '{% $contains($states.result.ExecutionArn, "the-child") %}' }, 'startExecution'),
      input: { bad: false },
      machines: { child },
      output: true,
      seconds: 0,
    });
  });

  it('a parent that stops waiting stops the child', async () => {
    let state = '';
    const [first] = Object.values(
      parent({ TimeoutSeconds: 5, Catch: [{ ErrorEquals: ['States.Timeout'], Next: 'W' }], Next: 'W' }).States,
    );
    const result = await runDefinition(machine({ A: first, W: { Type: 'Wait', Seconds: 10, End: true } }), {
      machines: { child },
      input: { bad: false },
      meanwhile: (stage) =>
        stage.after(6, () => {
          state = stage.stepFunctions.execution(
            'arn:aws:states:eu-central-1:123456789012:execution:child:the-child',
          ).status;
        }),
    });
    expect([result.status, state]).toEqual(['SUCCEEDED', 'ABORTED']);
  });
});
