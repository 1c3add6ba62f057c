import { describe, expect, it } from 'vitest';
import { RecoveryPoint } from '../../../functions/core/domain/ledger.ts';
import type { Lineage, LineageNight } from '../../demo/lineage.ts';
import { lineageHtml } from '../../demo/lineage-html.ts';
import { lineageText } from '../../demo/lineage-text.ts';
import { problemsOfMarkup } from '../../demo/markup.ts';

const id = '0d9a1f50-7e5f-4a53-9a55-1d2b3c4d5e6f';
const nameOf = (day: number) => `odr-nightly-202611${day}t020000z-1`;

const night = (day: number, more: Partial<LineageNight> & { readonly base?: number } = {}): LineageNight => ({
  slot: new Date(`2026-11-${day}T02:00:00Z`),
  title: `night ${day}`,
  result: 'verified',
  sentence: 'it went well',
  point: RecoveryPoint.parse({
    name: nameOf(day),
    policy: 'nightly',
    slot: Date.UTC(2026, 10, day, 2),
    attempt: 1,
    runId: `prod/sales/orders#dr#nightly#202611${day}t020000z`,
    state: 'verified',
    source: { id, created: 1 },
    replica: { id, created: 2, condemned: false },
    mode: more.base ? 'incremental' : 'bootstrap',
    base: more.base ? nameOf(more.base) : null,
    changed: more.base ? true : null,
    bytesCopied: 1234,
    filesCopied: 2,
    verification: { level: 'listing', at: 3, digest: 'd', files: 2, dirs: 1, bytes: 1234, differences: null },
  }),
  steps: [],
  readBack: 'equal',
  ...more,
});

const missed = (day: number): LineageNight => night(day, { result: 'missed', point: null, readBack: null });

const lineage = (nights: readonly LineageNight[]): Lineage => ({
  bucket: 'sales/orders',
  source: 'prod',
  replica: 'dr',
  nights,
});

describe('the lineage in the terminal', () => {
  it('leads from each base to the point that was made from it, past the nights in between', () => {
    const rows = lineageText(lineage([night(10), night(11, { base: 10 }), missed(12), night(13, { base: 11 })]), {
      colour: false,
    });
    expect(rows.slice(2, 6).map((row) => row.slice(16, 26))).toEqual([
      '●━━━━━● ╭ ',
      '●━━━━━● ├▸',
      '·     · │ ',
      '●━━━━━● ╰▸',
    ]);
    expect(rows[5]).toContain('incremental  Wed 11       verified   yes      1.2 kB');
  });
});

describe('the page of the lineage', () => {
  it('is well-formed and shows each point, each base and what was not proved', () => {
    const page = lineageHtml(lineage([night(10), night(11, { base: 10 }), missed(12)]));
    expect(problemsOfMarkup(page)).toEqual([]);
    for (const day of [10, 11]) expect(page).toContain(`<dd>${nameOf(day)}</dd>`);
    expect(page).toContain(`Tue 10 (${nameOf(10)})`);
    expect(page).toContain('every path, type and length is equal');
    expect(page).toContain('missed, no run');
  });

  it.each([
    '<script>alert(1)</script>',
    '"><img src=x onerror=alert(1)>',
    "' onload='alert(1)",
    '</style></svg></title><b>',
    '&lt;b&gt; &#0; ]]> <!--',
    'bell \u0007 escape \u001b[31m half \ud800',
  ])('escapes %j wherever it stands', (hostile) => {
    const page = lineageHtml({
      bucket: hostile,
      source: hostile,
      replica: hostile,
      nights: [
        night(10, {
          title: hostile,
          sentence: hostile,
          readBack: hostile,
          steps: [
            {
              n: 0,
              decision: { kind: 'fail', error: 'ReplicaDiffers', conflict: null, reason: hostile, remedy: '' },
              decidedAt: night(10).point?.source.created ?? expect.fail(),
              operationStep: 0,
              observed: { kind: 'no-answer', error: hostile, cause: hostile },
              observedAt: null,
              jvmStarts: null,
            },
          ],
        }),
      ],
    });
    expect(problemsOfMarkup(page)).toEqual([]);
    expect(page).not.toContain(hostile);
    expect(page).not.toMatch(/<script|<img|<b>|<!--/i);
  });
});
