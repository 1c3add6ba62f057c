import { describe, expect, it } from 'vitest';
import { judge, lineOf, page, type Result, valuesOf } from '../../bench/page.ts';

const result = (values: Readonly<Record<string, number>>, details: readonly string[] = []): Result => ({
  ...{ at: '2026-11-22T04:00:00.000Z', machine: '2 × a CPU', load: [1, 2], values, details: [...details] },
});

describe('the page of figures', () => {
  const results = {
    steps: result({ transitions: 19, transitionsLongCopy: 21 }, ['by step']),
    bundles: result({ bundleKiB: 500 }),
  };

  it('a figure is held to its bar, or to the figure that it must not exceed', () => {
    expect(judge(results)).toEqual([
      { figure: 'transitions', value: 19, bar: 24, holds: true },
      { figure: 'transitionsLongCopy', value: 21, bar: 19, holds: false },
      { figure: 'bundleKiB', value: 500, bar: 585.9, holds: true },
    ]);
  });

  it('only what was measured has a value, in one order', () => {
    expect(Object.keys(valuesOf(results))).toEqual(['transitions', 'transitionsLongCopy', 'bundleKiB']);
  });

  it('the line of JSON has every figure that the page knows, null where it was not measured now', () => {
    const line = JSON.parse(lineOf(results));
    expect(Object.keys(line)).toEqual([
      ...['smallIncrementRatio', 'batchedRatio', 'bytesRatio', 'renameBytes', 'transitions', 'transitionsLongCopy'],
      ...['remoteCommands', 'jvmStarts', 'bundleKiB', 'initMsP50', 'retention1e5Ms', 'retention1e6Ms'],
      ...['dynamoUnits10', 'dynamoUnits10000', 'fleetMaxLateness', 'fleetCostUsd'],
    ]);
    expect(line).toMatchObject({ transitions: 19, bundleKiB: 500, initMsP50: null });
  });

  it('what misses its bar is said with the reason, what was not measured is named', () => {
    const text = page(results);
    expect(text).toContain('| 21 | ≤ 19 | **no** | 2026-11-22 |');
    expect(text).toContain('- `transitionsLongCopy`: Something asks for the copy while it goes on.');
    expect(text).toMatch(/Not measured yet: `smallIncrementRatio`, .*`dynamoUnits10000`/);
    expect(text).toContain('## steps\n\n2026-11-22T04:00:00Z, 2 × a CPU; load 1.0 to 2.0.\n\nby step');
  });
});
