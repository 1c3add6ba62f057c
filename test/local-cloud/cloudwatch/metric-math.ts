import { NotEmulated } from '../errors.ts';

/** Values of one period by metric id; undefined where there is none. */
export type Values = Readonly<Record<string, number | undefined>>;
/** An expression over one period. */
export type Expression = (values: Values) => number | undefined;

/**
 * Metric math as far as it is emulated: ids, numbers, `+ - * /`, brackets, and `FILL(id, number)`. All else is refused
 * when the alarm is created. An operation on a missing value has none (CloudWatch user guide, "Using metric math").
 * Whether FILL of a metric that never had a value gives one is not documented; here it does.
 */
export function parseMath(text: string, ids: readonly string[]): Expression {
  const tokens = text.match(/[A-Za-z_][A-Za-z0-9_]*|\d+(?:\.\d+)?|[-+*/(),]|\S/g) ?? [];
  let at = 0;
  const refuse = (): never => {
    throw new NotEmulated(`metric math '${text}' at '${tokens[at] ?? 'its end'}'`);
  };
  const take = (token: string): void => {
    if (tokens[at++] !== token) {
      at--;
      refuse();
    }
  };
  const idOf = (token: string): string => (ids.includes(token) ? token : refuse());

  const both =
    (left: Expression, right: Expression, apply: (a: number, b: number) => number): Expression =>
    (values) => {
      const [a, b] = [left(values), right(values)];
      if (a === undefined || b === undefined) return undefined;
      const result = apply(a, b);
      return Number.isFinite(result) ? result : undefined;
    };
  const factor = (): Expression => {
    const token = tokens[at] ?? refuse();
    if (token === '(') {
      at++;
      const inner = sum();
      take(')');
      return inner;
    }
    if (/^\d/.test(token)) {
      at++;
      return () => Number(token);
    }
    if (token === 'FILL' && tokens[at + 1] === '(') {
      at += 2;
      const id = idOf(tokens[at] ?? '');
      at++;
      take(',');
      const filler = tokens[at] ?? '';
      if (!/^\d/.test(filler)) refuse();
      at++;
      take(')');
      return (values) => values[id] ?? Number(filler);
    }
    const id = idOf(token);
    at++;
    return (values) => values[id];
  };
  const product = (): Expression => {
    let left = factor();
    for (;;) {
      const operator = tokens[at];
      if (operator !== '*' && operator !== '/') return left;
      at++;
      left = both(left, factor(), operator === '*' ? (a, b) => a * b : (a, b) => a / b);
    }
  };
  const sum = (): Expression => {
    let left = product();
    for (;;) {
      const operator = tokens[at];
      if (operator !== '+' && operator !== '-') return left;
      at++;
      left = both(left, product(), operator === '+' ? (a, b) => a + b : (a, b) => a - b);
    }
  };
  const whole = sum();
  if (at < tokens.length) refuse();
  return whole;
}
