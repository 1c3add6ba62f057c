import { type Case, machine, reply, task } from '../../local-cloud/asl/cases.ts';
import type { Mocks } from '../../local-cloud/asl/mocks.ts';

const errorsPage = 'AWS: Handling errors in Step Functions workflows';
const taskPage = 'AWS: Task workflow state';
const quotas = 'AWS: Step Functions service quotas';

/** The Task `A` fails with these errors in turn, then it is done. */
const fails = (...names: readonly string[]): Mocks => ({
  A: [...names.map((error) => ({ error, cause: 'why' })), { result: reply('done') }],
});
const late: Mocks = { A: [{ result: reply('late'), seconds: 10 }] };
const caught = (errorEquals: readonly string[], more: Readonly<Record<string, unknown>> = {}) =>
  machine({
    A: task({ Catch: [{ ErrorEquals: errorEquals, Output: '{% $states.errorOutput %}', Next: 'Caught' }], ...more }),
    Caught: { Type: 'Pass', End: true },
  });
const retried = (retry: readonly unknown[], more: Readonly<Record<string, unknown>> = {}) =>
  machine({ A: task({ Retry: retry, Output: '{% $states.result.Payload %}', ...more }) });
const retry = { ErrorEquals: ['Bad'] };
const big = 'x'.repeat(262_145);

export const errors: Readonly<Record<string, Case>> = {
  'a result of lambda:invoke carries Payload and StatusCode': {
    page: 'AWS: Invoke an AWS Lambda function with Step Functions',
    definition: machine({ A: task({ Output: '{% [$states.result.Payload, $states.result.StatusCode] %}' }) }),
    mocks: { A: [{ result: reply('hello') }] },
    output: ['hello', 200],
  },
  "an error's name is what the handler threw": {
    page: errorsPage,
    definition: machine({ A: task() }),
    mocks: fails('OzoneFailed'),
    error: 'OzoneFailed',
  },
  'Catch takes an error by its name, with error and cause': {
    page: errorsPage,
    definition: caught(['Bad']),
    mocks: fails('Bad'),
    output: { Error: 'Bad', Cause: 'why' },
  },
  'the first matching Catch wins': {
    page: errorsPage,
    definition: machine({
      A: task({
        Catch: [
          { ErrorEquals: ['Other'], Next: 'No' },
          { ErrorEquals: ['Bad'], Output: 'first', Next: 'Yes' },
          { ErrorEquals: ['States.ALL'], Output: 'all', Next: 'Yes' },
        ],
      }),
      No: { Type: 'Fail', Error: 'No' },
      Yes: { Type: 'Pass', End: true },
    }),
    mocks: fails('Bad'),
    output: 'first',
  },
  'States.TaskFailed matches a failed Task': {
    page: errorsPage,
    definition: caught(['States.TaskFailed']),
    mocks: fails('Any'),
    output: { Error: 'Any', Cause: 'why' },
  },
  'States.TaskFailed does not match a time-out': {
    page: errorsPage,
    definition: caught(['States.TaskFailed']),
    mocks: fails('States.Timeout'),
    error: 'States.Timeout',
  },
  'States.ALL matches a time-out': {
    page: errorsPage,
    definition: caught(['States.ALL']),
    mocks: fails('States.Timeout'),
    output: { Error: 'States.Timeout', Cause: 'why' },
  },
  'States.ALL does not match States.DataLimitExceeded': {
    page: errorsPage,
    definition: caught(['States.ALL']),
    mocks: { A: [{ result: reply(big) }] },
    error: 'States.DataLimitExceeded',
  },
  'States.DataLimitExceeded is caught by its name': {
    page: errorsPage,
    definition: machine({
      A: task({ Catch: [{ ErrorEquals: ['States.DataLimitExceeded'], Output: 'too big', Next: 'B' }] }),
      B: { Type: 'Pass', End: true },
    }),
    mocks: { A: [{ result: reply(big) }] },
    output: 'too big',
  },
  'States.Runtime is never caught': {
    page: errorsPage,
    definition: caught(['States.ALL']),
    mocks: fails('States.Runtime'),
    error: 'States.Runtime',
  },
  'States.Runtime is not caught by its own name either': {
    page: errorsPage,
    definition: caught(['States.Runtime']),
    mocks: fails('States.Runtime'),
    error: 'States.Runtime',
  },
  'a query error in Arguments is caught': {
    page: errorsPage,
    definition: caught(['States.QueryEvaluationError'], {
      Arguments: { FunctionName: 'work', Payload: '{% $nothing %}' },
      Assign: {},
    }),
    status: 'SUCCEEDED',
  },
  'a query error in Output is caught': {
    page: errorsPage,
    definition: caught(['States.QueryEvaluationError'], { Output: '{% $nothing %}' }),
    mocks: fails(),
    status: 'SUCCEEDED',
  },
  'a Catch assigns from the error': {
    page: 'AWS: Passing data between states with variables',
    definition: machine({
      A: task({
        Catch: [{ ErrorEquals: ['States.ALL'], Assign: { failure: '{% $states.errorOutput.Error %}' }, Next: 'B' }],
      }),
      B: { Type: 'Pass', Output: '{% $failure %}', End: true },
    }),
    mocks: fails('Bad'),
    output: 'Bad',
  },
  'an error in the Catch itself fails the execution': {
    page: errorsPage,
    definition: caught(['Bad'], { Catch: [{ ErrorEquals: ['Bad'], Output: '{% $nothing %}', Next: 'Caught' }] }),
    mocks: fails('Bad'),
    error: 'States.QueryEvaluationError',
  },
  'Retry tries three more times by default, after 1, 2 and 4 seconds': {
    page: errorsPage,
    definition: retried([retry]),
    mocks: fails('Bad', 'Bad', 'Bad'),
    output: 'done',
    seconds: 7,
  },
  'Retry gives up after MaxAttempts': {
    page: errorsPage,
    definition: retried([{ ...retry, MaxAttempts: 1 }]),
    mocks: fails('Bad', 'Bad'),
    error: 'Bad',
    seconds: 1,
  },
  'MaxAttempts 0 never retries': {
    page: errorsPage,
    definition: retried([{ ...retry, MaxAttempts: 0 }]),
    mocks: fails('Bad'),
    error: 'Bad',
    seconds: 0,
  },
  'interval and backoff rate grow the delay': {
    page: errorsPage,
    definition: retried([{ ...retry, IntervalSeconds: 2, BackoffRate: 3 }]),
    mocks: fails('Bad', 'Bad', 'Bad'),
    seconds: 2 + 6 + 18,
  },
  'MaxDelaySeconds caps the delay': {
    page: errorsPage,
    definition: retried([{ ...retry, IntervalSeconds: 2, BackoffRate: 3, MaxDelaySeconds: 5 }]),
    mocks: fails('Bad', 'Bad', 'Bad'),
    seconds: 2 + 5 + 5,
  },
  'full jitter takes a part of the delay': {
    page: errorsPage,
    definition: retried([{ ...retry, IntervalSeconds: 8, JitterStrategy: 'FULL' }]),
    mocks: fails('Bad', 'Bad'),
    random: () => 0.25,
    seconds: 2 + 4,
  },
  'each retrier counts for itself': {
    page: 'ASL specification: Retrying after error',
    definition: retried([
      { ErrorEquals: ['One'], MaxAttempts: 1 },
      { ErrorEquals: ['Two'], MaxAttempts: 1 },
    ]),
    mocks: fails('One', 'Two', 'One'),
    error: 'One',
  },
  'an error that no retrier names is not retried': {
    page: errorsPage,
    definition: retried([retry]),
    mocks: fails('Else'),
    error: 'Else',
    seconds: 0,
  },
  'Catch comes after the retries': {
    page: errorsPage,
    definition: caught(['Bad'], { Retry: [{ ...retry, MaxAttempts: 1 }] }),
    mocks: fails('Bad', 'Bad'),
    output: { Error: 'Bad', Cause: 'why' },
    seconds: 1,
  },
  'the context counts the retries': {
    page: 'AWS: Accessing execution data from the Context object',
    definition: retried([retry], { Output: '{% $states.context.State.RetryCount %}' }),
    mocks: fails('Bad', 'Bad'),
    output: 2,
  },
  'TimeoutSeconds ends a Task with States.Timeout': {
    page: taskPage,
    definition: machine({ A: task({ TimeoutSeconds: 5 }) }),
    mocks: late,
    error: 'States.Timeout',
    seconds: 5,
  },
  'TimeoutSeconds may be an expression': {
    page: taskPage,
    definition: machine({ A: task({ TimeoutSeconds: '{% $states.input.limit %}' }) }),
    input: { limit: 7 },
    mocks: late,
    error: 'States.Timeout',
    seconds: 7,
  },
  'a time-out that is no positive whole number is a query error': {
    page: taskPage,
    definition: machine({ A: task({ TimeoutSeconds: '{% 0 %}' }) }),
    mocks: fails(),
    error: 'States.QueryEvaluationError',
  },
  'the machine has a time-out of its own, which nothing catches': {
    page: 'AWS: State machine structure, TimeoutSeconds',
    definition: machine(
      {
        A: {
          Type: 'Parallel',
          Branches: [{ StartAt: 'W', States: { W: { Type: 'Wait', Seconds: 100, End: true } } }],
          Catch: [{ ErrorEquals: ['States.ALL'], Next: 'B' }],
          Next: 'B',
        },
        B: { Type: 'Pass', End: true },
      },
      { TimeoutSeconds: 10 },
    ),
    status: 'TIMED_OUT',
    error: 'States.Timeout',
    seconds: 10,
  },
  'output of more than 256 KiB is States.DataLimitExceeded': {
    page: quotas,
    definition: machine({
      A: { Type: 'Pass', Output: '{% $pad("", 270000, "x") %}', End: true },
    }),
    error: 'States.DataLimitExceeded',
  },
  'a function that does not exist is Lambda.ResourceNotFoundException': {
    page: errorsPage,
    definition: machine({ A: task() }),
    error: 'Lambda.ResourceNotFoundException',
  },
};
