import { describe, expect, it } from 'vitest';
import { distributed, expression, machine, task, waitForToken } from './cases.ts';
import { checkDefinition } from './check.ts';
import { lintDefinition } from './lint.ts';

const warnings = (definition: unknown) => lintDefinition(checkDefinition(JSON.stringify(definition)));
const pass = { Type: 'Pass', End: true };
const limited = { TimeoutSeconds: 60 };

describe('house rules', () => {
  const broken: Readonly<Record<string, readonly [definition: unknown, warning: RegExp]>> = {
    'a variable that nothing assigns': [expression('$x + 1'), /nothing assigns the variable 'x'/],
    'a variable of a Map that is read after it': [
      machine({
        M: {
          Type: 'Map',
          Items: [1],
          ItemProcessor: { StartAt: 'I', States: { I: { ...pass, Assign: { x: 1 } } } },
          Next: 'B',
        },
        B: { ...pass, Output: '{% $x %}' },
      }),
      /variable 'x'/,
    ],
    'a path that begins nowhere': [expression('$states.input.a + b.c'), /'b' has no input/],
    'a misspelt function': [expression('$cuont([1])'), /'cuont'/],
    'an expression without blanks': [machine({ A: { ...pass, Output: '{%1%}' } }), /with blanks/],
    'a Choice without a Default': [
      machine({ A: { Type: 'Choice', Choices: [{ Condition: '{% true %}', Next: 'B' }] }, B: pass }),
      /Default/,
    ],
    'a Task without a time-out': [machine({ A: task() }), /TimeoutSeconds/],
    'a token Task without a heartbeat': [machine({ A: waitForToken(limited) }), /HeartbeatSeconds/],
    'a token that is not passed on': [
      machine({ A: waitForToken({ ...limited, HeartbeatSeconds: 9, Arguments: { FunctionName: 'f' } }) }),
      /Task\.Token/,
    ],
    'one name of a missed heartbeat alone': [
      machine({
        A: waitForToken({ ...limited, HeartbeatSeconds: 9, Catch: [{ ErrorEquals: ['States.Timeout'], Next: 'B' }] }),
        B: pass,
      }),
      /together/,
    ],
  };
  it.each(Object.entries(broken))('warn of %s', (_what, [definition, warning]) => {
    expect(warnings(definition).join('\n')).toMatch(warning);
  });

  it('know variables of the scope, of expressions themselves, and all functions', () => {
    const definition = machine({
      A: { Type: 'Pass', Assign: { list: [1] }, Next: 'M' },
      M: distributed({ Items: '{% $list %}', Next: 'B' }, { I: { ...pass, Assign: { own: 1 } } }),
      B: {
        ...pass,
        Output: '{% ($f := function($a) { $a + $sum($list) }; $map($list, function($v, $i) { $f($v) + $i })) %}',
      },
    });
    expect(warnings(definition)).toEqual([]);
    expect(warnings(expression('$states.input.list[a > b].(c + $sum(d.e)){ f: g }'))).toEqual([]);
    expect(warnings(expression('$states.input.rows@$r.cells#$n.[$r.id, $n, $partition([1], 1), $uuid()]'))).toEqual([]);
  });
});
