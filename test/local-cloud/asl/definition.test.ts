import { describe, expect, it } from 'vitest';
import { expression, machine, task } from './cases.ts';
import { checkDefinition, InvalidDefinition } from './check.ts';

const findings = (definition: unknown): readonly string[] => {
  try {
    checkDefinition(JSON.stringify(definition));
    return [];
  } catch (error) {
    if (error instanceof InvalidDefinition) return error.findings;
    throw error;
  }
};
const pass = { Type: 'Pass', End: true };

const refused: Readonly<Record<string, readonly [definition: unknown, finding: RegExp]>> = {
  'JSONPath machines': [{ StartAt: 'A', States: { A: pass } }, /QueryLanguage/],
  'a JSONPath state inside': [machine({ A: { ...pass, QueryLanguage: 'JSONPath' } }), /QueryLanguage/],
  'a JSONPath field': [machine({ A: { ...pass, ResultPath: '$.x' } }), /ResultPath/],
  'a key with the JSONPath suffix': [machine({ A: { ...pass, Output: { 'a.$': '$.x' } } }), /JSONPath/],
  'a field that nothing here implements': [machine({ A: task({ Credentials: {} }) }), /Credentials/],
  'a distributed Map, until it is built': [
    machine({
      A: {
        Type: 'Map',
        ItemProcessor: { ProcessorConfig: { Mode: 'DISTRIBUTED' }, StartAt: 'B', States: { B: pass } },
        End: true,
      },
    }),
    /Mode/,
  ],
  'an integration that nothing here implements': [
    machine({ A: task({ Resource: 'arn:aws:states:::lamda:invoke' }) }),
    /not emulated/,
  ],
  'a Next to nowhere': [machine({ A: { Type: 'Pass', Next: 'B' } }), /'B'/],
  'a Catch to nowhere': [machine({ A: task({ Catch: [{ ErrorEquals: ['States.ALL'], Next: 'B' }] }) }), /'B'/],
  'a StartAt to nowhere': [{ ...machine({ A: pass }), StartAt: 'B' }, /StartAt/],
  'a state that nothing reaches': [machine({ A: pass, B: pass }), /not reachable/],
  'a machine without an end': [machine({ A: { Type: 'Pass', Next: 'A' } }), /NO_TERMINAL_STATE/],
  'a state with both Next and End': [machine({ A: { Type: 'Pass', Next: 'B', End: true }, B: pass }), /exactly one/],
  'a Task with neither': [
    machine({ A: { Type: 'Task', Resource: 'arn:aws:states:::lambda:invoke' }, B: pass }),
    /exactly one/,
  ],
  'a Wait without a time': [machine({ A: { Type: 'Wait', End: true } }), /exactly one/],
  'one name in two scopes': [
    machine({ A: { Type: 'Map', ItemProcessor: { StartAt: 'A', States: { A: pass } }, End: true } }),
    /DUPLICATE/,
  ],
  'States.ALL beside another name': [machine({ A: task({ Retry: [{ ErrorEquals: ['States.ALL', 'X'] }] }) }), /alone/],
  'States.ALL before another rule': [
    machine({ A: task({ Retry: [{ ErrorEquals: ['States.ALL'] }, { ErrorEquals: ['X'] }] }) }),
    /last rule/,
  ],
  'a heartbeat as long as the time-out': [
    machine({ A: task({ TimeoutSeconds: 10, HeartbeatSeconds: 10 }) }),
    /smaller/,
  ],
  'a maximum delay below the interval': [
    machine({ A: task({ Retry: [{ ErrorEquals: ['X'], IntervalSeconds: 9, MaxDelaySeconds: 3 }] }) }),
    /MaxDelaySeconds/,
  ],
  'a time-out of 0': [machine({ A: task({ TimeoutSeconds: 0 }) }), /TimeoutSeconds/],
  'a syntax error in an expression': [expression('$x +'), /Output/],
  'space before {%': [machine({ A: { ...pass, Output: ' {% 1 %}' } }), /space/],
  'an expression without its end': [machine({ A: { ...pass, Output: '{% 1' } }), /unterminated/],
  $eval: [expression('$eval("1")'), /\$eval/],
  '$states.result where there is none': [expression('$states.result'), /result/],
  '$states.result in Arguments': [machine({ A: task({ Arguments: '{% $states.result %}' }) }), /result/],
  '$states.errorOutput outside Catch': [machine({ A: task({ Output: '{% $states.errorOutput %}' }) }), /errorOutput/],
  'a variable of an outer scope assigned again': [
    machine({
      A: { Type: 'Pass', Assign: { x: 1 }, Next: 'M' },
      M: { Type: 'Map', ItemProcessor: { StartAt: 'I', States: { I: { ...pass, Assign: { x: 2 } } } }, End: true },
    }),
    /outer scope/,
  ],
};

describe('creating a machine (AWS: CreateStateMachine, Step Functions quotas, ASL specification)', () => {
  it.each(Object.entries(refused))('refuses %s', (_what, [definition, finding]) => {
    expect(findings(definition).join('\n')).toMatch(finding);
  });

  it('takes what is right', () => {
    expect(
      findings(
        machine({
          A: task({
            Output: '{% $states.result.Payload %}',
            Catch: [{ ErrorEquals: ['States.ALL'], Output: '{% $states.errorOutput %}', Next: 'B' }],
          }),
          B: pass,
        }),
      ),
    ).toEqual([]);
  });
});
