import { type Case, expression, machine } from '../../local-cloud/asl/cases.ts';

const jsonataPage = 'AWS: Transforming data with JSONata in Step Functions';
const variablesPage = 'AWS: Passing data between states with variables';
const contextPage = 'AWS: Accessing execution data from the Context object';
const query = 'States.QueryEvaluationError';

export const expressions: Readonly<Record<string, Case>> = {
  'an expression reads the input of its state': {
    page: jsonataPage,
    definition: expression('$states.input.a + 1'),
    input: { a: 2 },
    output: 3,
  },
  'text without {% %} stays text': {
    page: jsonataPage,
    definition: machine({ A: { Type: 'Pass', Output: 'no $expression', End: true } }),
    output: 'no $expression',
  },
  'expressions are found deep inside arrays and objects': {
    page: jsonataPage,
    definition: machine({
      A: { Type: 'Pass', Output: { list: ['{% $states.input.a %}', { b: '{% 1 + 1 %}' }], n: null }, End: true },
    }),
    input: { a: 'x' },
    output: { list: ['x', { b: 2 }], n: null },
  },
  'a missing member is an error, not null': {
    page: jsonataPage,
    definition: expression('$states.input.missing'),
    error: query,
  },
  'an undefined variable is an error': { page: variablesPage, definition: expression('$nowhere'), error: query },
  'a type mismatch is an error': { page: jsonataPage, definition: expression('"a" + 1'), error: query },
  'a function is no result': { page: jsonataPage, definition: expression('function($x) { $x }'), error: query },
  'an undefined expression inside an object is an error as well': {
    page: jsonataPage,
    definition: machine({ A: { Type: 'Pass', Output: { a: '{% $states.input.none %}' }, End: true } }),
    error: query,
  },
  'there is no implicit input document': {
    page: jsonataPage,
    definition: expression('$.a'),
    input: { a: 1 },
    error: query,
  },
  'a sequence of one is flattened to its value': {
    page: 'JSONata 2.0: Sequences',
    definition: expression('$states.input.list[a > 1].a'),
    input: { list: [{ a: 1 }, { a: 2 }] },
    output: 2,
  },
  'brackets keep a list a list': {
    page: 'JSONata 2.0: Sequences',
    definition: expression('[$states.input.list[a > 1].a]'),
    input: { list: [{ a: 1 }, { a: 2 }] },
    output: [2],
  },
  '$partition cuts a list into parts': {
    page: jsonataPage,
    definition: expression('$partition([1,2,3,4,5], 2)'),
    output: [[1, 2], [3, 4], [5]],
  },
  '$range counts from first to last by step': {
    page: jsonataPage,
    definition: expression('$range(1, 9, 2)'),
    output: [1, 3, 5, 7, 9],
  },
  '$hash is a hex digest': {
    page: jsonataPage,
    definition: expression('$hash("abc", "SHA-1")'),
    output: 'a9993e364706816aba3e25717850c26c9cd0d89d',
  },
  '$hash refuses an unknown algorithm': {
    page: jsonataPage,
    definition: expression('$hash("abc", "CRC")'),
    error: query,
  },
  '$random with a seed repeats itself': {
    page: jsonataPage,
    definition: expression('$random(7) = $random(7)'),
    output: true,
  },
  '$random is between 0 and 1': {
    page: jsonataPage,
    definition: expression('($r := $random(); $r >= 0 and $r < 1)'),
    output: true,
  },
  '$uuid is a version 4 UUID': {
    page: jsonataPage,
    definition: expression('$contains($uuid(), /^[0-9a-f-]{36}$/)'),
    output: true,
  },
  '$parse reads JSON': {
    page: jsonataPage,
    definition: expression('$parse($states.input).a'),
    input: '{"a":[1]}',
    output: [1],
  },
  '$parse refuses what is no JSON': { page: jsonataPage, definition: expression('$parse("{")'), error: query },
  '$now and $millis follow the clock of the engine': {
    page: 'JSONata 2.0: Date/Time functions',
    definition: expression('[$now(), $millis()]'),
    output: ['2026-01-01T00:00:00.000Z', Date.UTC(2026, 0, 1)],
  },
  'a variable is visible from the next state on': {
    page: variablesPage,
    definition: machine({
      A: { Type: 'Pass', Assign: { x: 1 }, Next: 'B' },
      B: { Type: 'Pass', Output: '{% $x %}', End: true },
    }),
    output: 1,
  },
  'Assign and Output see the values from before the state': {
    page: variablesPage,
    definition: machine({
      A: { Type: 'Pass', Assign: { x: 1, y: 2 }, Next: 'B' },
      B: { Type: 'Pass', Assign: { x: '{% $y %}', y: '{% $x %}' }, Output: '{% $x %}', Next: 'C' },
      C: { Type: 'Pass', Output: { before: '{% $states.input %}', x: '{% $x %}', y: '{% $y %}' }, End: true },
    }),
    output: { before: 1, x: 2, y: 1 },
  },
  'a failing Assign assigns nothing and fails the execution': {
    page: variablesPage,
    definition: machine({ A: { Type: 'Pass', Assign: { x: 1, y: '{% $none %}' }, End: true } }),
    error: query,
  },
  'the context tells execution, state and machine': {
    page: contextPage,
    definition: expression(
      '[$states.context.Execution.Name, $states.context.State.Name, $states.context.StateMachine.Name, $states.context.Execution.Input.a, $states.context.State.EnteredTime]',
    ),
    input: { a: 'in' },
    output: ['one', 'Only', 'main', 'in', '2026-01-01T00:00:00.000Z'],
  },
};
