import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import * as z from 'zod';
import { synthesize } from './synthesized.ts';
import { ofType, project, text } from './template.ts';

const { control } = synthesize();

const Body = z.object({
  widgets: z.array(
    z.object({
      type: z.string(),
      x: z.number(),
      y: z.number(),
      width: z.number(),
      height: z.number(),
      properties: z.looseObject({}),
    }),
  ),
});
const [[, dashboard]] = ofType(control, 'AWS::CloudWatch::Dashboard') as never as [
  [string, { Properties: Record<string, unknown> }],
];
const body = text(dashboard.Properties.DashboardBody);
const { widgets } = Body.parse(JSON.parse(body));
const ofKind = (type: string) => widgets.filter((it) => it.type === type);

/** What the functions publish, by the names in their code. */
const published = new Set(
  readdirSync(project('functions/core'), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts'))
    .flatMap((file) => [...readFileSync(project(`functions/core/${file}`), 'utf8').matchAll(/gauge\('(\w+)'/g)])
    .map(([, name]) => name ?? ''),
);

describe('the dashboard', () => {
  it('shows only metrics that something publishes', () => {
    const shown = [...body.matchAll(/"OzoneDr","(\w+)"/g)].map(([, name]) => name ?? '');
    expect(new Set(shown).size).toBeGreaterThanOrEqual(10);
    for (const name of shown) expect(published).toContain(name);
  });

  it('has every alarm that is not part of another', () => {
    const alarms = ofType(control, 'AWS::CloudWatch::Alarm').map(([id]) => `<${id}.Arn>`);
    for (const alarm of alarms) expect(body).toContain(alarm);
  });

  it('reads only logs that functions of the stack write', () => {
    const groups = ofType(control, 'AWS::Logs::LogGroup').map(([, { Properties }]) => text(Properties.LogGroupName));
    const read = [...body.matchAll(/SOURCE '([^']+)'/g)].map(([, name]) => name ?? '');
    expect(read.length).toBeGreaterThan(0);
    for (const name of read) expect(groups).toContain(name);
  });

  it('has the widgets of the looking function, which forms do not lose what is typed in by themselves', () => {
    const view = ofType(control, 'AWS::Lambda::Function').find(
      ([, { Properties }]) => Properties.FunctionName === 'customWidgetOzoneDrView',
    );
    const custom = ofKind('custom').map(({ properties }) =>
      z.looseObject({ endpoint: z.string(), params: z.object({ page: z.string() }) }).parse(properties),
    );
    expect(custom.map(({ params }) => params.page)).toEqual(['overview', 'bucket', 'operations']);
    for (const { endpoint } of custom) expect(endpoint).toBe(`<${view?.[0]}.Arn>`);
    const [find] = custom.filter(({ params }) => params.page === 'bucket');
    expect(find?.updateOn).toEqual({ refresh: false, resize: false, timeRange: false });
    expect(custom[0]?.updateOn).toEqual({ refresh: true, resize: true, timeRange: false });
  });

  it('fits the grid: no widget lies on another', () => {
    const cells = new Set<string>();
    for (const { x, y, width, height } of widgets) {
      expect(x + width).toBeLessThanOrEqual(24);
      for (let column = x; column < x + width; column++)
        for (let row = y; row < y + height; row++) {
          expect(cells).not.toContain(`${column},${row}`);
          cells.add(`${column},${row}`);
        }
    }
  });
});
