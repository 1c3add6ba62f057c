import { type Case, machine, reply, task, waitForToken } from '../../local-cloud/asl/cases.ts';

const callback = 'AWS: Wait for a Callback with Task Token';
const taskPage = 'AWS: Task workflow state';
const lambdaPage = 'AWS: Invoke an AWS Lambda function with Step Functions';
const sdkPage = 'AWS: Learning to use AWS service SDK integrations in Step Functions';
const historyPage = 'AWS: GetExecutionHistory, HistoryEvent';
const errorsPage = 'AWS: Handling errors in Step Functions workflows';
const pass = { Type: 'Pass', End: true };
const caughtAs = (...names: readonly string[]) => ({
  Catch: [{ ErrorEquals: names, Output: '{% $states.errorOutput.Error %}', Next: 'B' }],
});

export const tasks: Readonly<Record<string, Case>> = {
  'what comes back with the token is the result': {
    page: callback,
    definition: machine({ A: waitForToken({ Output: '{% $states.result.answer %}' }) }),
    mocks: { A: [{ result: { answer: 42 }, seconds: 600 }] },
    output: 42,
    seconds: 600,
    types: [
      'ExecutionStarted',
      'TaskStateEntered',
      'TaskScheduled',
      'TaskStarted',
      'TaskSucceeded',
      'TaskStateExited',
      'ExecutionSucceeded',
    ],
  },
  'a failure sent with the token is the error of the Task': {
    page: callback,
    definition: machine({ A: waitForToken() }),
    mocks: { A: [{ error: 'Refused', cause: 'by hand', seconds: 5 }] },
    error: 'Refused',
    seconds: 5,
  },
  'without a heartbeat in time the Task ends with States.HeartbeatTimeout': {
    page: callback,
    definition: machine({ A: waitForToken({ HeartbeatSeconds: 30, TimeoutSeconds: 100 }) }),
    mocks: {},
    error: 'States.HeartbeatTimeout',
    seconds: 30,
  },
  'a rule for States.Timeout takes a missed heartbeat': {
    page: errorsPage,
    definition: machine({ A: waitForToken({ HeartbeatSeconds: 30, ...caughtAs('States.Timeout') }), B: pass }),
    mocks: {},
    output: 'States.HeartbeatTimeout',
    seconds: 30,
  },
  'a token that never comes back ends with the time-out': {
    page: callback,
    definition: machine({ A: waitForToken({ TimeoutSeconds: 100, ...caughtAs('States.Timeout') }), B: pass }),
    mocks: {},
    output: 'States.Timeout',
    seconds: 100,
  },
  'a heartbeat from an expression': {
    page: taskPage,
    definition: machine({ A: waitForToken({ HeartbeatSeconds: '{% $states.input.beat %}' }) }),
    input: { beat: 7 },
    mocks: {},
    error: 'States.HeartbeatTimeout',
    seconds: 7,
  },
  'every attempt of a token Task has the whole time': {
    page: errorsPage,
    definition: machine({
      A: waitForToken({
        TimeoutSeconds: 10,
        Retry: [{ ErrorEquals: ['States.Timeout'], IntervalSeconds: 1, MaxAttempts: 1 }],
      }),
    }),
    mocks: {},
    error: 'States.Timeout',
    seconds: 21,
  },
  'a Task that nothing limits waits on': {
    page: callback,
    definition: machine({ A: waitForToken() }),
    mocks: {},
    status: 'RUNNING',
  },
  'an answer in time beats the time-out': {
    page: taskPage,
    definition: machine({ A: task({ TimeoutSeconds: 10 }) }),
    mocks: { A: [{ result: reply(1), seconds: 9 }] },
    output: reply(1),
    seconds: 9,
  },
  'a retry after a time-out has the whole time again': {
    page: taskPage,
    definition: machine({
      A: task({
        TimeoutSeconds: 10,
        Retry: [{ ErrorEquals: ['States.Timeout'], IntervalSeconds: 5 }],
        Output: '{% $states.result.Payload %}',
      }),
    }),
    mocks: {
      A: [
        { result: reply('late'), seconds: 11 },
        { result: reply('ok'), seconds: 9 },
      ],
    },
    output: 'ok',
    seconds: 10 + 5 + 9,
  },
  'a plain Lambda ARN has the payload as its result': {
    page: lambdaPage,
    definition: machine({
      A: { Type: 'Task', Resource: 'arn:aws:lambda:eu-central-1:123456789012:function:work', End: true },
    }),
    mocks: { A: [{ result: { bare: true } }] },
    output: { bare: true },
    types: [
      'ExecutionStarted',
      'TaskStateEntered',
      'LambdaFunctionScheduled',
      'LambdaFunctionStarted',
      'LambdaFunctionSucceeded',
      'TaskStateExited',
      'ExecutionSucceeded',
    ],
  },
  'an SDK integration has the reply of the service as its result': {
    page: sdkPage,
    definition: machine({
      A: task({
        Resource: 'arn:aws:states:::aws-sdk:s3:listBuckets',
        Arguments: {},
        Output: '{% $states.result.Buckets[0].Name %}',
      }),
    }),
    mocks: { A: [{ result: { Buckets: [{ Name: 'one' }] } }] },
    output: 'one',
  },
  'an error of an SDK integration is caught by its name': {
    page: sdkPage,
    definition: machine({
      A: task({
        Resource: 'arn:aws:states:::aws-sdk:dynamodb:updateItem',
        Arguments: { TableName: 't' },
        ...caughtAs('DynamoDb.ConditionalCheckFailedException'),
      }),
      B: pass,
    }),
    mocks: { A: [{ error: 'DynamoDb.ConditionalCheckFailedException', cause: 'The conditional request failed' }] },
    output: 'DynamoDb.ConditionalCheckFailedException',
  },
  'a job with .sync has its result when it has ended': {
    page: 'AWS: Start a new AWS Step Functions state machine from a running execution',
    definition: machine({
      A: task({
        Resource: 'arn:aws:states:::states:startExecution.sync:2',
        Arguments: { StateMachineArn: 'arn:aws:states:eu-central-1:123456789012:stateMachine:child', Input: {} },
        Output: '{% $states.result.Output.n %}',
      }),
    }),
    mocks: { A: [{ result: { Output: { n: 1 }, Status: 'SUCCEEDED' }, seconds: 50 }] },
    output: 1,
    seconds: 50,
  },
  'the history of a Task that is retried and caught': {
    page: historyPage,
    definition: machine({
      A: task({ Retry: [{ ErrorEquals: ['X'], MaxAttempts: 1 }], ...caughtAs('States.ALL') }),
      B: pass,
    }),
    mocks: { A: [{ error: 'X' }] },
    output: 'X',
    types: [
      'ExecutionStarted',
      'TaskStateEntered',
      'TaskScheduled',
      'TaskStarted',
      'TaskFailed',
      'TaskScheduled',
      'TaskStarted',
      'TaskFailed',
      'TaskStateExited',
      'PassStateEntered',
      'PassStateExited',
      'ExecutionSucceeded',
    ],
  },
  'the history of an expression that failed': {
    page: historyPage,
    definition: machine({ A: { ...pass, Output: '{% $states.input.none %}' } }),
    error: 'States.QueryEvaluationError',
    types: ['ExecutionStarted', 'PassStateEntered', 'EvaluationFailed', 'ExecutionFailed'],
  },
  'the history of a Parallel whose branch failed': {
    page: historyPage,
    definition: machine({
      P: {
        Type: 'Parallel',
        Branches: [
          { StartAt: 'F', States: { F: { Type: 'Fail', Error: 'E' } } },
          { StartAt: 'W', States: { W: { Type: 'Wait', Seconds: 9, End: true } } },
        ],
        End: true,
      },
    }),
    error: 'E',
    types: [
      'ExecutionStarted',
      'ParallelStateEntered',
      'ParallelStateStarted',
      'FailStateEntered',
      'WaitStateEntered',
      'WaitStateAborted',
      'ParallelStateFailed',
      'ExecutionFailed',
    ],
  },
  'a machine may name JSONata in each state instead': {
    page: 'AWS: Transforming data with JSONata in Step Functions',
    definition: { StartAt: 'A', States: { A: { ...pass, QueryLanguage: 'JSONata', Output: '{% 1 + 1 %}' } } },
    output: 2,
  },
  'an expression that runs for ever is an error': {
    page: 'AWS: Transforming data with JSONata in Step Functions',
    definition: machine({ A: { ...pass, Output: '{% ($f := function($x){ $f($x + 1) }; $f(1)) %}' } }),
    error: 'States.QueryEvaluationError',
  },
  'an expression that overflows its stack is an error': {
    page: 'AWS: Transforming data with JSONata in Step Functions',
    definition: machine({ A: { ...pass, Output: '{% ($f := function($x){ 1 + $f($x) }; $f(1)) %}' } }),
    error: 'States.QueryEvaluationError',
  },
  'arguments over 256 KiB are States.DataLimitExceeded': {
    page: 'AWS: Step Functions service quotas',
    definition: machine({
      A: task({ Arguments: { FunctionName: 'f', Payload: '{% $pad("", 262200, "x") %}' } }),
    }),
    mocks: { A: [{ result: reply(1) }] },
    error: 'States.DataLimitExceeded',
  },
  'an output of exactly 256 KiB passes': {
    page: 'AWS: Step Functions service quotas',
    definition: machine({
      A: { Type: 'Pass', Output: '{% $pad("", 262142, "x") %}', Next: 'B' },
      B: { ...pass, Output: '{% $length($states.input) %}' },
    }),
    output: 262_142,
  },
  'an output of one byte more does not': {
    page: 'AWS: Step Functions service quotas',
    definition: machine({
      A: { Type: 'Pass', Output: '{% $pad("", 262143, "x") %}', Next: 'B' },
      B: { ...pass, Output: '{% $length($states.input) %}' },
    }),
    error: 'States.DataLimitExceeded',
  },
  'all variables together are at most 10 MiB': {
    page: 'AWS: Passing data between states with variables',
    definition: machine({
      ...Object.fromEntries(
        Array.from({ length: 42 }, (_none, index) => [
          `S${index}`,
          { Type: 'Pass', Assign: { [`v${index}`]: '{% $pad("", 250000, "x") %}' }, Next: `S${index + 1}` },
        ]),
      ),
      S42: pass,
    }),
    error: 'States.DataLimitExceeded',
  },
  'one Assign over 256 KiB is States.DataLimitExceeded': {
    page: 'AWS: Passing data between states with variables',
    definition: machine({ A: { ...pass, Assign: { x: '{% $pad("", 262145, "x") %}' }, Output: 1 } }),
    error: 'States.DataLimitExceeded',
  },
};
