import { distributed, expression, machine, task, waitForToken } from '../../local-cloud/asl/cases.ts';

const pass = { Type: 'Pass', End: true };

const jsonata = 'AWS: Transforming data with JSONata in Step Functions';
const variables = 'AWS: Passing data between states with variables';
const distributedPage = 'AWS: Using Map state in Distributed mode';
const inline = (more: Readonly<Record<string, unknown>>) =>
  machine({ M: { Type: 'Map', ItemProcessor: { StartAt: 'I', States: { I: pass } }, End: true, ...more } });

/** What CreateStateMachine must refuse: where that is written, the definition, and words of the finding. */
export const refusals: Readonly<Record<string, readonly [page: string, definition: unknown, finding: RegExp]>> = {
  'JSONPath machines': [jsonata, { StartAt: 'A', States: { A: pass } }, /QueryLanguage/],
  'a JSONPath state inside': [jsonata, machine({ A: { ...pass, QueryLanguage: 'JSONPath' } }), /QueryLanguage/],
  'a JSONPath field': [jsonata, machine({ A: { ...pass, ResultPath: '$.x' } }), /ResultPath/],
  'a key with the JSONPath suffix': [jsonata, machine({ A: { ...pass, Output: { 'a.$': '$.x' } } }), /JSONPath/],
  'a field that nothing here implements': [
    'AWS: Task workflow state, Credentials',
    machine({ A: task({ Credentials: {} }) }),
    /Credentials/,
  ],
  'an integration that does not exist': [
    'AWS: Integrating optimized services with Step Functions',
    machine({ A: task({ Resource: 'arn:aws:states:::lamda:invoke' }) }),
    /no integration/,
  ],
  'a Next to nowhere': ['ASL specification: Transitions', machine({ A: { Type: 'Pass', Next: 'B' } }), /'B'/],
  'a Catch to nowhere': [jsonata, machine({ A: task({ Catch: [{ ErrorEquals: ['States.ALL'], Next: 'B' }] }) }), /'B'/],
  'a StartAt to nowhere': ['ASL specification: Transitions', { ...machine({ A: pass }), StartAt: 'B' }, /StartAt/],
  'a state that nothing reaches': ['ASL specification: Transitions', machine({ A: pass, B: pass }), /not reachable/],
  'a machine without an end': [
    'ASL specification: Transitions',
    machine({ A: { Type: 'Pass', Next: 'A' } }),
    /NO_TERMINAL_STATE/,
  ],
  'a state with both Next and End': [
    'ASL specification: Transitions',
    machine({ A: { Type: 'Pass', Next: 'B', End: true }, B: pass }),
    /exactly one/,
  ],
  'a Task with neither': [
    'ASL specification: Transitions',
    machine({ A: { Type: 'Task', Resource: 'arn:aws:states:::lambda:invoke' }, B: pass }),
    /exactly one/,
  ],
  'a Wait without a time': ['AWS: Wait workflow state', machine({ A: { Type: 'Wait', End: true } }), /exactly one/],
  'one name in two scopes': [
    'ASL specification: States',
    machine({ A: { Type: 'Map', ItemProcessor: { StartAt: 'A', States: { A: pass } }, End: true } }),
    /DUPLICATE/,
  ],
  'States.ALL beside another name': [
    'ASL specification: Errors',
    machine({ A: task({ Retry: [{ ErrorEquals: ['States.ALL', 'X'] }] }) }),
    /alone/,
  ],
  'States.ALL before another rule': [
    'ASL specification: Errors',
    machine({ A: task({ Retry: [{ ErrorEquals: ['States.ALL'] }, { ErrorEquals: ['X'] }] }) }),
    /last rule/,
  ],
  'a heartbeat as long as the time-out': [
    'ASL specification: Timeouts and heartbeats',
    machine({ A: task({ TimeoutSeconds: 10, HeartbeatSeconds: 10 }) }),
    /smaller/,
  ],
  'a maximum delay below the interval': [
    'ASL specification: Retrying after error',
    machine({ A: task({ Retry: [{ ErrorEquals: ['X'], IntervalSeconds: 9, MaxDelaySeconds: 3 }] }) }),
    /MaxDelaySeconds/,
  ],
  'a time-out of 0': ['AWS: Task workflow state', machine({ A: task({ TimeoutSeconds: 0 }) }), /TimeoutSeconds/],
  'a syntax error in an expression': [jsonata, expression('$x +'), /Output/],
  'space before {%': [jsonata, machine({ A: { ...pass, Output: ' {% 1 %}' } }), /space/],
  'an expression without its end': [jsonata, machine({ A: { ...pass, Output: '{% 1' } }), /unterminated/],
  $eval: [jsonata, expression('$eval("1")'), /\$eval/],
  '$states.result where there is none': [jsonata, expression('$states.result'), /result/],
  '$states.result in Arguments': [jsonata, machine({ A: task({ Arguments: '{% $states.result %}' }) }), /result/],
  '$states.errorOutput outside Catch': [
    jsonata,
    machine({ A: task({ Output: '{% $states.errorOutput %}' }) }),
    /errorOutput/,
  ],
  'a variable of an outer scope assigned again': [
    variables,
    machine({
      A: { Type: 'Pass', Assign: { x: 1 }, Next: 'M' },
      M: { Type: 'Map', ItemProcessor: { StartAt: 'I', States: { I: { ...pass, Assign: { x: 2 } } } }, End: true },
    }),
    /outer scope/,
  ],
  'a variable named states': [variables, machine({ A: { ...pass, Assign: { states: 1 } } }), /reserved/],
  'an assignment to $states inside an expression': [jsonata, expression('($states := 1; $states)'), /reserved/],
  'a distributed child that reads an outer variable': [
    variables,
    machine({
      A: { Type: 'Pass', Assign: { x: 1 }, Next: 'M' },
      M: distributed({}, { I: { ...pass, Output: '{% $x %}' } }),
    }),
    /outer variable 'x'/,
  ],
  'a variable read two distributed Maps further out': [
    variables,
    machine({
      A: { Type: 'Pass', Assign: { x: 1 }, Next: 'M' },
      M: distributed({}, { N: distributed({}, { I: { ...pass, Output: '{% [$x] %}' } }) }),
    }),
    /outer variable 'x'/,
  ],
  'a distributed Map without an execution type': [
    distributedPage,
    machine({
      M: {
        Type: 'Map',
        ItemProcessor: { ProcessorConfig: { Mode: 'DISTRIBUTED' }, StartAt: 'I', States: { I: pass } },
        End: true,
      },
    }),
    /ExecutionType/,
  ],
  'an ItemReader on an inline Map': [
    'AWS: ItemReader (Map)',
    inline({ ItemReader: { Resource: 'arn:aws:states:::s3:getObject', Arguments: { Bucket: 'b', Key: 'k' } } }),
    /ItemReader is for a Map in DISTRIBUTED mode/,
  ],
  'an ItemBatcher on an inline Map': [
    'AWS: ItemBatcher (Map)',
    inline({ ItemBatcher: { MaxItemsPerBatch: 2 } }),
    /ItemBatcher is for/,
  ],
  'tolerated failures of an inline Map': [
    'AWS: Setting failure thresholds for Distributed Map states',
    inline({ ToleratedFailureCount: 2 }),
    /ToleratedFailureCount is for/,
  ],
  'a batch without a size': [
    'AWS: ItemBatcher (Map)',
    machine({ M: distributed({ ItemBatcher: { BatchInput: { a: 1 } } }) }),
    /needs MaxItemsPerBatch/,
  ],
  'an empty ResultWriter': ['AWS: ResultWriter (Map)', machine({ M: distributed({ ResultWriter: {} }) }), /empty/],
  'a ResultWriter without its place': [
    'AWS: ResultWriter (Map)',
    machine({ M: distributed({ ResultWriter: { Resource: 'arn:aws:states:::s3:putObject' } }) }),
    /together/,
  ],
  'a percentage over 100': [
    'AWS: Setting failure thresholds for Distributed Map states',
    machine({ M: distributed({ ToleratedFailurePercentage: 150 }) }),
    /ToleratedFailurePercentage/,
  ],
  'a label of 41 characters': [distributedPage, machine({ M: distributed({ Label: 'x'.repeat(41) }) }), /Label/],
  'both Items and ItemReader': [
    'AWS: ItemReader (Map)',
    machine({
      M: distributed({
        Items: [1],
        ItemReader: { Resource: 'arn:aws:states:::s3:getObject', Arguments: { Bucket: 'b', Key: 'k' } },
      }),
    }),
    /both/,
  ],
  'a format of datasets that is not emulated': [
    'AWS: ItemReader (Map)',
    machine({
      M: distributed({
        ItemReader: {
          Resource: 'arn:aws:states:::s3:getObject',
          Arguments: { Bucket: 'b', Key: 'k' },
          ReaderConfig: { InputType: 'PARQUET' },
        },
      }),
    }),
    /InputType/,
  ],
  'an Express child that waits for a token': [
    distributedPage,
    machine({ M: distributed({}, { I: waitForToken() }, 'EXPRESS') }),
    /Express/,
  ],
  'lambda:invoke without FunctionName': [
    'AWS: Invoke an AWS Lambda function with Step Functions',
    machine({ A: task({ Arguments: { Payload: 1 } }) }),
    /FunctionName is required/,
  ],
  'an argument that lambda:invoke does not have': [
    'AWS: Invoke an AWS Lambda function with Step Functions',
    machine({ A: task({ Arguments: { FunctionName: 'f', Paylaod: 1 } }) }),
    /Paylaod/,
  ],
  'startExecution without a machine': [
    'AWS: Start a new AWS Step Functions state machine from a running execution',
    machine({ A: task({ Resource: 'arn:aws:states:::states:startExecution.sync:2', Arguments: { Input: {} } }) }),
    /StateMachineArn is required/,
  ],
  'a pattern that the integration does not have': [
    'AWS: Integrating optimized services with Step Functions',
    machine({ A: task({ Resource: 'arn:aws:states:::lambda:invoke.sync' }) }),
    /no integration/,
  ],
  'an SDK action that is no camelCase': [
    'AWS: Learning to use AWS service SDK integrations in Step Functions',
    machine({ A: task({ Resource: 'arn:aws:states:::aws-sdk:ssm:SendCommand', Arguments: {} }) }),
    /no integration/,
  ],
  'a backoff rate below 1': [
    'ASL specification: Retrying after error',
    machine({ A: task({ Retry: [{ ErrorEquals: ['X'], BackoffRate: 0.5 }] }) }),
    /BackoffRate/,
  ],
  'a name of more than 80 characters': ['ASL specification: States', machine({ ['x'.repeat(81)]: pass }), /States/],
  'a Choice without rules': [
    'AWS: Choice workflow state',
    machine({ A: { Type: 'Choice', Choices: [], Default: 'B' }, B: pass }),
    /Choices/,
  ],
  'a Succeed with Next': [
    'AWS: Succeed workflow state',
    machine({ A: { Type: 'Succeed', Next: 'B' }, B: pass }),
    /Next/,
  ],
  'a Choice rule with a comparison of JSONPath': [
    'AWS: Choice workflow state',
    machine({
      A: { Type: 'Choice', Choices: [{ Variable: '$.a', NumericEquals: 1, Next: 'B' }], Default: 'B' },
      B: pass,
    }),
    /Condition|Variable/,
  ],
  'a machine that names no language, with a state that names none': [
    jsonata,
    { StartAt: 'A', States: { A: { ...pass, QueryLanguage: 'JSONata', Next: 'B', End: undefined }, B: pass } },
    /JSONPath/,
  ],
};
