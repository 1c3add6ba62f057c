import { NotEmulated } from '../errors.ts';
import { isObject, parseJson } from '../json.ts';

/** A metric: its namespace, name and exactly these dimensions. */
export interface MetricId {
  readonly namespace: string;
  readonly name: string;
  readonly dimensions: Readonly<Record<string, string>>;
}

/** What arrived in one minute. */
interface Minute {
  sum: number;
  count: number;
  minimum: number;
  maximum: number;
}

const minuteMs = 60_000;
export type Statistic = 'Sum' | 'Average' | 'Minimum' | 'Maximum' | 'SampleCount';
const statistics: readonly Statistic[] = ['Sum', 'Average', 'Minimum', 'Maximum', 'SampleCount'];

/** @throws NotEmulated for percentiles and the like */
export function statisticOf(text: string): Statistic {
  const found = statistics.find((one) => one === text);
  if (!found) throw new NotEmulated(`statistic ${text}`);
  return found;
}

/** An alarm asks for the same metric every minute. */
const keys = new WeakMap<MetricId, string>();
const keyOf = (id: MetricId): string => {
  const known = keys.get(id);
  if (known !== undefined) return known;
  const { namespace, name, dimensions } = id;
  const key = JSON.stringify([namespace, name, Object.entries(dimensions).sort(([a], [b]) => (a < b ? -1 : 1))]);
  keys.set(id, key);
  return key;
};

/** Data points of all metrics, by the minute. Dimensions are matched exactly: nothing is added up over them. */
export class Metrics {
  readonly #series = new Map<string, { readonly id: MetricId; readonly minutes: Map<number, Minute> }>();

  put(id: MetricId, values: readonly number[], at: number): void {
    const key = keyOf(id);
    const series = this.#series.get(key) ?? { id, minutes: new Map() };
    this.#series.set(key, series);
    const start = Math.floor(at / minuteMs);
    for (const value of values) {
      const known = series.minutes.get(start);
      if (known) {
        known.sum += value;
        known.count++;
        known.minimum = Math.min(known.minimum, value);
        known.maximum = Math.max(known.maximum, value);
      } else series.minutes.set(start, { sum: value, count: 1, minimum: value, maximum: value });
    }
  }

  all(): readonly MetricId[] {
    return [...this.#series.values()].map((one) => one.id);
  }

  /** The statistic over `[from, to)`; undefined when nothing arrived. */
  statistic(id: MetricId, statistic: Statistic, from: number, to: number): number | undefined {
    const minutes = this.#series.get(keyOf(id))?.minutes;
    if (!minutes) return undefined;
    const found: Minute[] = [];
    for (let at = Math.ceil(from / minuteMs); at * minuteMs < to; at++) {
      const minute = minutes.get(at);
      if (minute) found.push(minute);
    }
    if (found.length === 0) return undefined;
    const sum = found.reduce((all, one) => all + one.sum, 0);
    const count = found.reduce((all, one) => all + one.count, 0);
    switch (statistic) {
      case 'Sum':
        return sum;
      case 'Average':
        return sum / count;
      case 'SampleCount':
        return count;
      case 'Minimum':
        return Math.min(...found.map((one) => one.minimum));
      case 'Maximum':
        return Math.max(...found.map((one) => one.maximum));
    }
  }
}

/**
 * The metrics of a log line in the embedded metric format (CloudWatch user guide, "Specification: Embedded metric
 * format"); none for other lines. A string is the reason why CloudWatch would drop the line's metrics.
 */
export function embeddedMetrics(
  line: string,
): readonly { readonly id: MetricId; readonly values: readonly number[]; readonly at: number }[] | string {
  if (!line.includes('"_aws"')) return [];
  const root = parseJson(line.trim());
  if (!isObject(root) || !isObject(root._aws)) return [];
  const { CloudWatchMetrics: directives, Timestamp: at } = root._aws;
  if (!Array.isArray(directives)) return [];
  if (typeof at !== 'number') return 'Timestamp is no number';
  const found: { readonly id: MetricId; readonly values: readonly number[]; readonly at: number }[] = [];
  for (const directive of directives as readonly unknown[]) {
    if (!isObject(directive) || typeof directive.Namespace !== 'string') return 'a directive without Namespace';
    const sets = directive.Dimensions ?? [[]];
    if (!Array.isArray(sets) || !Array.isArray(directive.Metrics)) return 'Dimensions and Metrics must be lists';
    for (const metric of directive.Metrics as readonly unknown[]) {
      const name = isObject(metric) ? metric.Name : undefined;
      if (typeof name !== 'string') return 'a metric without Name';
      const value = root[name];
      const values = Array.isArray(value) ? value : [value];
      if (!values.every((one) => typeof one === 'number') || values.length > 100)
        return `${name} is no number and no list of at most 100 numbers`;
      for (const set of sets as readonly unknown[]) {
        if (!Array.isArray(set) || set.length > 30) return 'a dimension set is a list of at most 30 names';
        const pairs = set.map((dimension) => [String(dimension), root[String(dimension)]] as const);
        const wrong = pairs.find(([, text]) => typeof text !== 'string' || text === '');
        if (wrong) return `dimension ${wrong[0]} is no text`;
        const dimensions = Object.fromEntries(pairs.map(([key, text]) => [key, String(text)]));
        found.push({ id: { namespace: directive.Namespace, name, dimensions }, values, at });
      }
    }
  }
  return found;
}
