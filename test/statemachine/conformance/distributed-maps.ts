import { type Case, distributed, machine, reply, task } from '../../local-cloud/asl/cases.ts';
import { memoryObjects } from '../../local-cloud/asl/objects.ts';

const mapPage = 'AWS: Using Map state in Distributed mode';
const readerPage = 'AWS: ItemReader (Map)';
const batcherPage = 'AWS: ItemBatcher (Map)';
const writerPage = 'AWS: ResultWriter (Map)';
const thresholdPage = 'AWS: Setting failure thresholds for Distributed Map states';
const exceeded = 'States.ExceedToleratedFailureThreshold';

const reader = (key: string, config: Readonly<Record<string, unknown>> = {}) => ({
  ItemReader: {
    Resource: 'arn:aws:states:::s3:getObject',
    Arguments: { Bucket: 'data', Key: key },
    ...(Object.keys(config).length === 0 ? {} : { ReaderConfig: config }),
  },
});
/** Children whose input is below the limit fail. */
const failBelow = (limit: number) => ({
  Which: {
    Type: 'Choice',
    Choices: [{ Condition: `{% $states.input < ${limit} %}`, Next: 'Bad' }],
    Default: 'Good',
  },
  Bad: { Type: 'Fail', Error: 'Bad', Cause: 'small' },
  Good: { Type: 'Pass', End: true },
});
const wait = { Item: { Type: 'Wait', Seconds: 10, End: true } };
const one = (more: Readonly<Record<string, unknown>>, states?: Readonly<Record<string, unknown>>, type?: string) =>
  machine({ M: distributed(more, states, type) });
const written = (more: Readonly<Record<string, unknown>>) => ({
  ResultWriter: {
    Resource: 'arn:aws:states:::s3:putObject',
    Arguments: { Bucket: 'out', Prefix: 'runs' },
    ...more,
  },
});

export const distributedMaps: Readonly<Record<string, Case>> = {
  'children take the items as their inputs, and their outputs are the result in order': {
    page: mapPage,
    definition: one(
      { Items: '{% [3, 1, 2] %}' },
      { Item: { Type: 'Pass', Output: '{% $states.input * 2 %}', End: true } },
    ),
    output: [6, 2, 4],
    types: [
      'ExecutionStarted',
      'MapStateEntered',
      'MapStateStarted',
      'MapRunStarted',
      'MapRunSucceeded',
      'MapStateSucceeded',
      'MapStateExited',
      'ExecutionSucceeded',
    ],
  },
  'a Map of nothing is an empty list': { page: mapPage, definition: one({ Items: [] }), output: [] },
  'without Items the input of the state is the dataset': {
    page: mapPage,
    definition: one({}),
    input: [1, 2],
    output: [1, 2],
  },
  'ItemSelector forms the input and may read outer variables': {
    page: 'AWS: ItemSelector (Map)',
    definition: machine({
      A: { Type: 'Pass', Assign: { factor: 10 }, Next: 'M' },
      M: distributed({
        Items: [1, 2],
        ItemSelector: {
          at: '{% $states.context.Map.Item.Index %}',
          n: '{% $states.context.Map.Item.Value * $factor %}',
        },
      }),
    }),
    output: [
      { at: 0, n: 10 },
      { at: 1, n: 20 },
    ],
  },
  'a child is an execution of its own, with its own input in the context': {
    page: mapPage,
    definition: one(
      { Items: ['x'], Label: 'Mine' },
      {
        Item: {
          Type: 'Pass',
          Output:
            '{% [$states.context.Execution.Input, $states.context.StateMachine.Name, $contains($states.context.Execution.Id, "execution:main/Mine:")] %}',
          End: true,
        },
      },
    ),
    output: [['x', 'main/Mine', true]],
  },
  'MaxConcurrency limits the children at once': {
    page: mapPage,
    definition: one({ Items: '{% [1..6] %}', MaxConcurrency: '{% 1 + 1 %}' }, wait),
    seconds: 30,
  },
  'without MaxConcurrency all children run at once': {
    page: mapPage,
    definition: one({ Items: '{% [1..200] %}' }, wait),
    seconds: 10,
  },
  'variables of a child stay in it': {
    page: 'AWS: Passing data between states with variables',
    definition: machine({
      M: distributed({ Items: [1], Next: 'B' }, { Item: { Type: 'Pass', Assign: { x: 1 }, End: true } }),
      B: { Type: 'Pass', Output: '{% $exists($x) %}', End: true },
    }),
    output: false,
  },
  'one failed child fails the Map unless failures are tolerated': {
    page: thresholdPage,
    definition: one({ Items: [1, 2] }, failBelow(2)),
    error: exceeded,
    types: [
      'ExecutionStarted',
      'MapStateEntered',
      'MapStateStarted',
      'MapRunStarted',
      'MapRunFailed',
      'MapStateFailed',
      'ExecutionFailed',
    ],
  },
  'as many failures as are tolerated pass': {
    page: thresholdPage,
    definition: one(
      { Items: [1, 2, 3], ToleratedFailureCount: 2, Output: '{% $count($states.result) %}' },
      failBelow(3),
    ),
    output: 3,
  },
  'one failure more than tolerated fails': {
    page: thresholdPage,
    definition: one({ Items: [1, 2, 3], ToleratedFailureCount: 1 }, failBelow(3)),
    error: exceeded,
  },
  'the percentage counts failed items of all items': {
    page: thresholdPage,
    definition: one({ Items: [1, 2, 3, 4], ToleratedFailurePercentage: 50, Output: 'ok' }, failBelow(3)),
    output: 'ok',
  },
  'a percentage that is passed fails': {
    page: thresholdPage,
    definition: one({ Items: [1, 2, 3, 4], ToleratedFailurePercentage: 49 }, failBelow(3)),
    error: exceeded,
  },
  'the tolerance may be an expression': {
    page: thresholdPage,
    definition: one(
      { Items: '{% $states.input.list %}', ToleratedFailurePercentage: '{% $states.input.percent %}', Output: 'ok' },
      failBelow(3),
    ),
    input: { list: [1, 2, 3, 4], percent: 60 },
    output: 'ok',
  },
  'of count and percentage the first that is passed counts': {
    page: thresholdPage,
    definition: one({ Items: [1, 2, 3, 4], ToleratedFailurePercentage: 100, ToleratedFailureCount: 1 }, failBelow(3)),
    error: exceeded,
  },
  'a tolerance that is no number is a query error': {
    page: thresholdPage,
    definition: one({ Items: [1], ToleratedFailureCount: '{% "two" %}' }),
    error: 'States.QueryEvaluationError',
  },
  'beyond the tolerance the other children are aborted at once': {
    page: thresholdPage,
    definition: one(
      { Items: [1, 2] },
      {
        Which: { Type: 'Choice', Choices: [{ Condition: '{% $states.input = 1 %}', Next: 'Bad' }], Default: 'Slow' },
        Bad: { Type: 'Fail', Error: 'Bad' },
        Slow: { Type: 'Wait', Seconds: 1000, End: true },
      },
    ),
    error: exceeded,
    seconds: 0,
  },
  'a Retry begins all items anew': {
    page: 'AWS: Handling errors in Step Functions workflows',
    definition: one(
      {
        Items: [1, 2],
        Retry: [{ ErrorEquals: [exceeded], IntervalSeconds: 5 }],
        Output: '{% $states.result.Payload %}',
      },
      { Item: task() },
    ),
    mocks: { Item: [{ result: reply('a') }, { error: 'X' }, { result: reply('b') }, { result: reply('c') }] },
    output: ['b', 'c'],
    seconds: 5,
  },
  'a Catch takes the exceeded threshold': {
    page: 'AWS: Handling errors in Step Functions workflows',
    definition: machine({
      M: distributed(
        { Items: [1], Catch: [{ ErrorEquals: [exceeded], Output: 'caught', Next: 'B' }], Next: 'B' },
        failBelow(2),
      ),
      B: { Type: 'Pass', End: true },
    }),
    output: 'caught',
  },
  'an Express child has five minutes': {
    page: mapPage,
    definition: one({ Items: [1] }, { Item: { Type: 'Wait', Seconds: 301, End: true } }, 'EXPRESS'),
    error: exceeded,
    seconds: 300,
  },
  'a distributed Map inside an inline one inside a distributed one': {
    page: mapPage,
    definition: one(
      { Items: [[[1, 2]], [[3]]] },
      {
        Inline: {
          Type: 'Map',
          ItemProcessor: {
            StartAt: 'Inner',
            States: {
              Inner: distributed({}, { Leaf: { Type: 'Pass', Output: '{% $states.input + 1 %}', End: true } }),
            },
          },
          End: true,
        },
      },
    ),
    output: [[[2, 3]], [[4]]],
  },
  'ItemBatcher groups items under Items': {
    page: batcherPage,
    definition: one({ Items: '{% [1..5] %}', ItemBatcher: { MaxItemsPerBatch: 2 } }),
    output: [{ Items: [1, 2] }, { Items: [3, 4] }, { Items: [5] }],
  },
  'BatchInput goes into every batch': {
    page: batcherPage,
    definition: one({
      Items: '{% $states.input.list %}',
      ItemBatcher: { MaxItemsPerBatch: '{% $states.input.size %}', BatchInput: { run: '{% $states.input.run %}' } },
    }),
    input: { list: [1, 2, 3], size: 2, run: 'r' },
    output: [
      { BatchInput: { run: 'r' }, Items: [1, 2] },
      { BatchInput: { run: 'r' }, Items: [3] },
    ],
  },
  'a batch is no larger than its bytes': {
    page: batcherPage,
    definition: one({ Items: ['aaaaaaaaaa', 'bbbbbbbbbb', 'cccccccccc'], ItemBatcher: { MaxInputBytesPerBatch: 40 } }),
    output: [{ Items: ['aaaaaaaaaa', 'bbbbbbbbbb'] }, { Items: ['cccccccccc'] }],
  },
  'ItemSelector comes before the batch': {
    page: batcherPage,
    definition: one({
      Items: [1, 2],
      ItemSelector: { n: '{% $states.context.Map.Item.Value %}' },
      ItemBatcher: { MaxItemsPerBatch: 2 },
    }),
    output: [{ Items: [{ n: 1 }, { n: 2 }] }],
  },
  'a failed batch counts all its items': {
    page: thresholdPage,
    definition: one(
      { Items: '{% [1..4] %}', ItemBatcher: { MaxItemsPerBatch: 2 }, ToleratedFailureCount: 1 },
      {
        Which: {
          Type: 'Choice',
          Choices: [{ Condition: '{% 1 in $states.input.Items %}', Next: 'Bad' }],
          Default: 'Good',
        },
        Bad: { Type: 'Fail', Error: 'Bad' },
        Good: { Type: 'Pass', End: true },
      },
    ),
    error: exceeded,
  },
  'ItemReader reads a JSON array': {
    page: readerPage,
    definition: one(reader('list.json')),
    objects: memoryObjects({ 'data/list.json': '[{"n":1},{"n":2}]' }),
    output: [{ n: 1 }, { n: 2 }],
  },
  'ItemReader reads JSON Lines, at most MaxItems': {
    page: readerPage,
    definition: one(reader('lines.jsonl', { InputType: 'JSONL', MaxItems: 2 })),
    objects: memoryObjects({ 'data/lines.jsonl': '{"n":1}\n{"n":2}\n{"n":3}\n' }),
    output: [{ n: 1 }, { n: 2 }],
  },
  'ItemReader reads CSV with its first row as names': {
    page: readerPage,
    definition: one(reader('rows.csv', { InputType: 'CSV', CSVHeaderLocation: 'FIRST_ROW' })),
    objects: memoryObjects({ 'data/rows.csv': 'name,note\na,"x, ""y"""\nb,\n' }),
    output: [
      { name: 'a', note: 'x, "y"' },
      { name: 'b', note: '' },
    ],
  },
  'ItemReader reads CSV with given names and another delimiter': {
    page: readerPage,
    definition: one(
      reader('rows.csv', { InputType: 'CSV', CSVHeaderLocation: 'GIVEN', CSVHeaders: ['n'], CSVDelimiter: 'PIPE' }),
    ),
    objects: memoryObjects({ 'data/rows.csv': '1|x\n2|y' }),
    output: [{ n: '1' }, { n: '2' }],
  },
  'bucket and key of the dataset may be expressions': {
    page: readerPage,
    definition: one({
      ItemReader: {
        Resource: 'arn:aws:states:::s3:getObject',
        Arguments: { Bucket: 'data', Key: '{% $states.input.key %}' },
      },
    }),
    input: { key: 'k.json' },
    objects: memoryObjects({ 'data/k.json': '[7]' }),
    output: [7],
  },
  'a dataset that is not there is States.ItemReaderFailed': {
    page: readerPage,
    definition: one(reader('none.json')),
    objects: memoryObjects({ 'data/list.json': '[]' }),
    error: 'States.ItemReaderFailed',
  },
  'a dataset that is no JSON is States.ItemReaderFailed': {
    page: readerPage,
    definition: one(reader('list.json')),
    objects: memoryObjects({ 'data/list.json': '[1,' }),
    error: 'States.ItemReaderFailed',
  },
  'ResultWriter gives the Map Run and its manifest as the result': {
    page: writerPage,
    definition: one({
      Items: [1],
      ...written({}),
      Output:
        '{% [$states.result.ResultWriterDetails.Bucket, $contains($states.result.ResultWriterDetails.Key, /^runs\\/[0-9a-f-]{36}\\/manifest.json$/), $contains($states.result.MapRunArn, "mapRun:main/M:")] %}',
    }),
    objects: memoryObjects({ 'out/': '' }),
    output: ['out', true, true],
  },
  'a bucket that is not there is States.ResultWriterFailed': {
    page: writerPage,
    definition: one({ Items: [1], ...written({}) }),
    objects: memoryObjects({ 'other/': '' }),
    error: 'States.ResultWriterFailed',
  },
  'FLATTEN makes one list of the lists that children return': {
    page: writerPage,
    definition: one({
      Items: [[1, 2], [3]],
      ResultWriter: { WriterConfig: { Transformation: 'FLATTEN', OutputType: 'JSON' } },
    }),
    output: [1, 2, 3],
  },
  'NONE tells of each child whole': {
    page: writerPage,
    definition: one({
      Items: [5],
      ResultWriter: { WriterConfig: { Transformation: 'NONE', OutputType: 'JSON' } },
      Output: '{% [$states.result.(Status & Output & Input)] %}',
    }),
    output: ['SUCCEEDED55'],
  },
  'outputs of more than 256 KiB together are States.DataLimitExceeded': {
    page: 'AWS: Step Functions service quotas',
    definition: one({ Items: [1, 2] }, { Item: { Type: 'Pass', Output: '{% $pad("", 140000, "x") %}', End: true } }),
    error: 'States.DataLimitExceeded',
  },
};
