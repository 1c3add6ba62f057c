import { NotEmulated } from '../errors.ts';

export type AlarmState = 'OK' | 'ALARM' | 'INSUFFICIENT_DATA';
/** Whether a composite alarm's rule holds, given each alarm's state by name. */
export type AlarmRule = (state: (alarmName: string) => AlarmState) => boolean;

/** `AlarmRule` of a composite alarm: states of alarms by name or ARN, AND, OR, NOT, brackets, TRUE, FALSE. */
export function parseAlarmRule(text: string, isAlarm: (name: string) => boolean): AlarmRule {
  const tokens = text.match(/"[^"]*"|[A-Za-z_]+(?=\s*\()|[()]|[^\s()"]+/g) ?? [];
  let at = 0;
  const refuse = (): never => {
    throw new NotEmulated(`alarm rule '${text}' at '${tokens[at] ?? 'its end'}'`);
  };
  const take = (token: string): void => {
    if (tokens[at] !== token) refuse();
    at++;
  };
  const operand = (): AlarmRule => {
    const token = tokens[at++];
    switch (token) {
      case 'NOT': {
        const inner = operand();
        return (state) => !inner(state);
      }
      case '(': {
        const inner = anyOf();
        take(')');
        return inner;
      }
      case 'TRUE':
        return () => true;
      case 'FALSE':
        return () => false;
      case 'ALARM':
      case 'OK':
      case 'INSUFFICIENT_DATA': {
        take('(');
        const name = (tokens[at] ?? '').replace(/^"|"$/g, '').replace(/^arn:.*:alarm:/, '');
        if (!isAlarm(name)) refuse();
        at++;
        take(')');
        return (state) => state(name) === token;
      }
      default:
        at--;
        return refuse();
    }
  };
  const allOf = (): AlarmRule => {
    let left = operand();
    while (tokens[at] === 'AND') {
      at++;
      const [before, right] = [left, operand()];
      left = (state) => before(state) && right(state);
    }
    return left;
  };
  const anyOf = (): AlarmRule => {
    let left = allOf();
    while (tokens[at] === 'OR') {
      at++;
      const [before, right] = [left, allOf()];
      left = (state) => before(state) || right(state);
    }
    return left;
  };
  const whole = anyOf();
  if (at < tokens.length) refuse();
  return whole;
}
