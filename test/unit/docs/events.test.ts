import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { EVENT_SOURCE, EVENT_TYPES, eventTypeOf, OutcomeDetail } from '../../../functions/core/domain/outcome-event.ts';
import type { Records } from '../../../functions/core/ports.ts';
import { type PublishDependencies, publishing } from '../../../functions/core/use-cases/publish-outcomes.ts';
import { memoryRecords } from '../../fixtures/memory-records.ts';
import { aPair, eventRows, everyHappening, happeningRows } from './events-tables.ts';

const page = readFileSync(new URL('../../../docs/events.md', import.meta.url), 'utf8');

describe('docs/events.md', () => {
  it('has every event and no other', () => {
    expect(page.match(/^\| `[A-Z].*$/gm)).toEqual(eventRows());
  });

  it('has every kind of happening with its fields, and no other', () => {
    const [, second = ''] = page.split('## Happenings');
    expect(second.match(/^\| `[a-z-]+` \| .*$/gm)?.slice(1)).toEqual(happeningRows());
  });

  it('has every field of the detail, the source and the version', () => {
    expect([...page.matchAll(/^\| `detail\.([a-z]+)`/gm)].map(([, name]) => name)).toEqual(
      Object.keys(OutcomeDetail.shape),
    );
    expect(page).toContain(`| \`source\` | \`${EVENT_SOURCE}\` |`);
  });
});

it('every happening that is recorded has its event, but for looks, which change nothing', () => {
  const silent = everyHappening.filter((it) => eventTypeOf(it) === null);
  expect(silent.map((it) => it.kind === 'run-ended' && it.workflow)).toEqual(['look', 'look']);
  expect(new Set(everyHappening.flatMap((it) => eventTypeOf(it) ?? []))).toEqual(new Set(Object.keys(EVENT_TYPES)));
});

describe('a record that tells the event bus', () => {
  const id = 'verified:op-000000000000000000000000-001' as Parameters<ReturnType<typeof memoryRecords>['append']>[1];
  const happening = everyHappening.find(({ kind }) => kind === 'verified');
  if (!happening) throw new Error('there is no comparison');
  const told = (put: PublishDependencies['bus']['put']) => {
    const gauges: string[] = [];
    const problems: string[] = [];
    const records = memoryRecords();
    const announced = publishing(records, {
      deployment: 'ozone-dr',
      bus: { put },
      metrics: { gauge: (name) => gauges.push(name) },
      report: (problem) => problems.push(problem),
    });
    return { records, announced, gauges, problems };
  };

  it('publishes what it recorded, and again when it is recorded again, under the same id', async () => {
    const events: unknown[] = [];
    const { announced } = told(async (type, detail) => void events.push([type, OutcomeDetail.parse(detail).id]));
    for (let time = 0; time < 2; time++) await announced.append(aPair, id, happening, 5 as never);
    expect(events).toEqual([
      ['Recovery Point Verified', `${aPair}:${id}`],
      ['Recovery Point Verified', `${aPair}:${id}`],
    ]);
  });

  it('has recorded before it publishes, and does not fail when the bus does: that is counted and said', async () => {
    const { announced, records, gauges, problems } = told(async () => {
      expect((await records.read(aPair)).length).toBe(1);
      throw new Error('no bus today');
    });
    await announced.append(aPair, id, happening, 5 as never);
    expect(gauges).toEqual(['EventsNotPublished']);
    expect(problems).toEqual([expect.stringContaining('was not published')]);
  });

  it('publishes nothing when nothing could be recorded', async () => {
    const events: unknown[] = [];
    const failing: Pick<Records, 'append'> = { append: async () => Promise.reject(new Error('no table today')) };
    const announced = publishing(failing, {
      deployment: 'ozone-dr',
      bus: { put: async (type) => void events.push(type) },
      metrics: { gauge: () => undefined },
      report: () => undefined,
    });
    await expect(announced.append(aPair, id, happening, 5 as never)).rejects.toThrow('no table today');
    expect(events).toEqual([]);
  });
});
