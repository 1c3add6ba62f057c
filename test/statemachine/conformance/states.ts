import { type Case, machine, reply, task } from '../../local-cloud/asl/cases.ts';

const choicePage = 'AWS: Choice workflow state';
const waitPage = 'AWS: Wait workflow state';
const failPage = 'AWS: Fail workflow state';
const mapPage = 'AWS: Using Map state in Inline mode';
const parallelPage = 'AWS: Parallel workflow state';
const query = 'States.QueryEvaluationError';
const pass = { Type: 'Pass', End: true };

const each = (
  more: Readonly<Record<string, unknown>>,
  processor: Readonly<Record<string, unknown>> = { Item: task() },
) =>
  machine({
    Each: {
      Type: 'Map',
      ItemProcessor: { ProcessorConfig: { Mode: 'INLINE' }, StartAt: Object.keys(processor)[0], States: processor },
      End: true,
      ...more,
    },
  });

export const states: Readonly<Record<string, Case>> = {
  'Pass hands its input on': {
    page: 'AWS: Pass workflow state',
    definition: machine({ A: pass }),
    input: { a: 1 },
    output: { a: 1 },
  },
  'Succeed ends with its Output': {
    page: 'AWS: Succeed workflow state',
    definition: machine({ A: { Type: 'Succeed', Output: '{% $states.input.a %}' } }),
    input: { a: 5 },
    output: 5,
  },
  'Choice takes the first rule that is true': {
    page: choicePage,
    definition: machine({
      A: {
        Type: 'Choice',
        Choices: [
          { Condition: '{% $states.input > 5 %}', Next: 'Big' },
          { Condition: '{% $states.input > 3 %}', Next: 'Middle' },
        ],
        Default: 'Small',
      },
      Big: { Type: 'Pass', Output: 'big', End: true },
      Middle: { Type: 'Pass', Output: 'middle', End: true },
      Small: { Type: 'Pass', Output: 'small', End: true },
    }),
    input: 4,
    output: 'middle',
  },
  'Choice goes to Default when no rule is true, with its own Assign and Output': {
    page: choicePage,
    definition: machine({
      A: {
        Type: 'Choice',
        Choices: [{ Condition: '{% false %}', Next: 'B', Output: 'rule' }],
        Default: 'B',
        Output: 'default',
        Assign: { way: 'default' },
      },
      B: { Type: 'Pass', Output: '{% [$states.input, $way] %}', End: true },
    }),
    output: ['default', 'default'],
  },
  "a Choice rule's Assign and Output replace those of the state": {
    page: choicePage,
    definition: machine({
      A: {
        Type: 'Choice',
        Choices: [{ Condition: '{% true %}', Next: 'B', Output: 'rule', Assign: { way: 'rule' } }],
        Default: 'B',
        Output: 'default',
      },
      B: { Type: 'Pass', Output: '{% [$states.input, $way] %}', End: true },
    }),
    output: ['rule', 'rule'],
  },
  'no rule and no Default is States.NoChoiceMatched': {
    page: 'AWS: Handling errors in Step Functions workflows',
    definition: machine({ A: { Type: 'Choice', Choices: [{ Condition: '{% false %}', Next: 'B' }] }, B: pass }),
    error: 'States.NoChoiceMatched',
  },
  'a condition that is no boolean is an error': {
    page: choicePage,
    definition: machine({
      A: { Type: 'Choice', Choices: [{ Condition: '{% 1 %}', Next: 'B' }], Default: 'B' },
      B: pass,
    }),
    error: query,
  },
  'Wait waits its seconds and hands its input on': {
    page: waitPage,
    definition: machine({ A: { Type: 'Wait', Seconds: 3600, End: true } }),
    input: 'x',
    output: 'x',
    seconds: 3600,
  },
  'Wait takes its seconds from an expression': {
    page: waitPage,
    definition: machine({ A: { Type: 'Wait', Seconds: '{% $states.input.s * 2 %}', End: true } }),
    input: { s: 30 },
    seconds: 60,
  },
  'Wait refuses seconds that are no whole number': {
    page: waitPage,
    definition: machine({ A: { Type: 'Wait', Seconds: '{% 1.5 %}', End: true } }),
    error: query,
  },
  'Wait waits until a time': {
    page: waitPage,
    definition: machine({ A: { Type: 'Wait', Timestamp: '{% $states.input %}', End: true } }),
    input: '2026-01-01T00:01:00Z',
    seconds: 60,
  },
  'a time that has passed is no wait': {
    page: waitPage,
    definition: machine({ A: { Type: 'Wait', Timestamp: '2020-01-01T00:00:00Z', End: true } }),
    seconds: 0,
  },
  'Fail ends with its error and cause, expressions too': {
    page: failPage,
    definition: machine({ A: { Type: 'Fail', Error: '{% $states.input.name %}', Cause: 'because' } }),
    input: { name: 'Mine' },
    error: 'Mine',
  },
  'Fail with an undefined error is a query error': {
    page: failPage,
    definition: machine({ A: { Type: 'Fail', Error: '{% $states.input.none %}' } }),
    error: query,
  },
  'Map runs its items in order of the result': {
    page: mapPage,
    definition: each({ Items: '{% [1,2,3] %}', Output: '{% $states.result.Payload %}' }),
    mocks: { Item: [{ result: reply(2) }, { result: reply(4) }, { result: reply(6) }] },
    output: [2, 4, 6],
  },
  'Map takes an array as its input when it has no Items': {
    page: mapPage,
    definition: each({}, { Item: { Type: 'Pass', Output: '{% $states.input & "!" %}', End: true } }),
    input: ['a', 'b'],
    output: ['a!', 'b!'],
  },
  'Map of nothing is an empty list': { page: mapPage, definition: each({ Items: [] }), output: [] },
  'Map refuses Items that are neither an array nor an object': {
    page: mapPage,
    definition: each({ Items: '{% 5 %}' }),
    error: query,
  },
  'Map goes through the members of an object, with their keys': {
    page: 'AWS: Processing input and output, Items (Map)',
    definition: each(
      {
        Items: { a: 1, b: 2 },
        ItemSelector: { k: '{% $states.context.Map.Item.Key %}', v: '{% $states.context.Map.Item.Value %}' },
      },
      { Item: pass },
    ),
    output: [
      { k: 'a', v: 1 },
      { k: 'b', v: 2 },
    ],
  },
  'ItemSelector sees the item, its index and the input of the Map': {
    page: mapPage,
    definition: each(
      {
        Items: '{% $states.input.list %}',
        ItemSelector: {
          i: '{% $states.context.Map.Item.Index %}',
          v: '{% $states.context.Map.Item.Value %}',
          all: '{% $count($states.input.list) %}',
        },
      },
      { Item: pass },
    ),
    input: { list: ['a', 'b'] },
    output: [
      { i: 0, v: 'a', all: 2 },
      { i: 1, v: 'b', all: 2 },
    ],
  },
  'MaxConcurrency limits what runs at once': {
    page: mapPage,
    definition: each({ Items: '{% [1..6] %}', MaxConcurrency: 2 }, { Item: { Type: 'Wait', Seconds: 10, End: true } }),
    seconds: 30,
  },
  'an inline Map runs forty at once': {
    page: mapPage,
    definition: each({ Items: '{% [1..41] %}' }, { Item: { Type: 'Wait', Seconds: 10, End: true } }),
    seconds: 20,
  },
  'iterations read outer variables and keep their own': {
    page: 'AWS: Passing data between states with variables, scope',
    definition: machine({
      Before: { Type: 'Pass', Assign: { outer: 10 }, Output: [1, 2], Next: 'Each' },
      Each: {
        Type: 'Map',
        ItemProcessor: {
          StartAt: 'In',
          States: {
            In: { Type: 'Pass', Assign: { inner: '{% $states.input + $outer %}' }, Next: 'Out' },
            Out: { Type: 'Pass', Output: '{% $inner %}', End: true },
          },
        },
        Next: 'After',
      },
      After: { Type: 'Pass', Output: { result: '{% $states.input %}', leaked: '{% $exists($inner) %}' }, End: true },
    }),
    output: { result: [11, 12], leaked: false },
  },
  'a failing iteration fails the Map and stops the others': {
    page: mapPage,
    definition: each(
      { Items: [1, 2] },
      {
        Which: { Type: 'Choice', Choices: [{ Condition: '{% $states.input = 1 %}', Next: 'Bad' }], Default: 'Slow' },
        Bad: { Type: 'Fail', Error: 'Bad' },
        Slow: { Type: 'Wait', Seconds: 1000, End: true },
      },
    ),
    error: 'Bad',
    seconds: 0,
  },
  'a Map can catch the failure of an iteration': {
    page: mapPage,
    definition: machine({
      Each: {
        Type: 'Map',
        Items: [1],
        ItemProcessor: { StartAt: 'Bad', States: { Bad: { Type: 'Fail', Error: 'Bad', Cause: 'why' } } },
        Catch: [{ ErrorEquals: ['Bad'], Output: '{% $states.errorOutput.Cause %}', Next: 'Caught' }],
        End: true,
      },
      Caught: pass,
    }),
    output: 'why',
  },
  'Parallel gives every branch the input and returns a list': {
    page: parallelPage,
    definition: machine({
      P: {
        Type: 'Parallel',
        Arguments: { n: '{% $states.input + 1 %}' },
        Branches: [
          { StartAt: 'L', States: { L: { Type: 'Pass', Output: '{% $states.input.n %}', End: true } } },
          { StartAt: 'R', States: { R: { Type: 'Pass', Output: '{% $states.input.n * 2 %}', End: true } } },
        ],
        Output: '{% $sum($states.result) %}',
        End: true,
      },
    }),
    input: 1,
    output: 6,
  },
  'a failing branch stops its siblings': {
    page: parallelPage,
    definition: machine({
      P: {
        Type: 'Parallel',
        Branches: [
          { StartAt: 'L', States: { L: { Type: 'Fail', Error: 'Left' } } },
          { StartAt: 'R', States: { R: { Type: 'Wait', Seconds: 500, End: true } } },
        ],
        End: true,
      },
    }),
    error: 'Left',
    seconds: 0,
  },
};
