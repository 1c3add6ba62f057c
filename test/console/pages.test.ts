import type { Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { links } from '../../functions/console/endpoints.ts';
import { html } from '../../functions/console/html.ts';
import { bucketMarkup, bucketPage } from '../../functions/console/pages/bucket.ts';
import { operationsMarkup } from '../../functions/console/pages/operations.ts';
import { overviewMarkup, overviewPage, policyPage } from '../../functions/console/pages/overview.ts';
import { answerWidget } from '../../functions/console/router.ts';
import { emptyEnrolment } from '../../functions/core/domain/buckets.ts';
import type { PolicyName } from '../../functions/core/domain/names.ts';
import { epochMs } from '../../functions/core/domain/units.ts';
import { explainBucket } from '../../functions/core/planner/explain.ts';
import { INJECTIONS } from '../fixtures/injections.ts';
import { assessed, fleet, poisoned } from '../unit/console/models.ts';
import { BUCKET, HOUR, lineageOf, nameOf, now } from '../unit/planner/lineage-world.ts';
import { artefact, openBrowser } from './browser.ts';
import { type DashboardHost, startHost } from './host.ts';

// The looking pages in a real browser, on the local dashboard: what is read is made up, everything after that is real.

const VIEW = 'arn:aws:lambda:eu-central-1:111122223333:function:customWidgetOzoneDrView';
const ACT = 'arn:aws:lambda:eu-central-1:111122223333:function:customWidgetOzoneDrAct';
const LINKS = links({ view: VIEW, act: ACT });
const facts = lineageOf({
  points: 'r* s* t u~ v! w* x* y* z*',
  base: 'z',
  previous: 'y',
  pins: 'w',
  holds: 's',
  drilled: 'x:40',
  run: { status: 'failed', failure: { error: 'SourceUnreachable', cause: 'prod does not answer' } },
});
const model = explainBucket(facts, 40, now);
const clock = { now: () => now };
const restore = {
  arn: 'arn:aws:states:eu-central-1:111122223333:execution:ozone-dr-restore:r1',
  name: 'r1',
  startedAt: epochMs(now - HOUR),
};

/** What hostile pages show. */
let hostile = 'nothing yet';
/** What the acting function was asked for. */
const acted: unknown[] = [];

const view = answerWidget({
  title: 'Looks',
  about: '',
  params: {},
  example: {},
  endpoint: VIEW,
  report: (problem, error) => {
    throw new Error(problem, { cause: error });
  },
  pages: [
    overviewPage({
      policies: [facts.policy],
      assessments: { load: async () => assessed('nightly', 82).found, loadFleet: async () => fleet },
      clock,
      links: LINKS,
    }),
    policyPage({
      policies: [facts.policy],
      assessments: { load: async () => assessed('nightly', 82).found, loadFleet: async () => fleet },
      clock,
      links: LINKS,
    }),
    bucketPage({
      policies: [facts.policy],
      ledger: {
        loadPair: async () => facts.pair,
        livingPoints: async () => facts.points,
        loadEnrolment: async (of: PolicyName) => emptyEnrolment(of),
        loadPolicyState: async () => ({ policy: facts.policy.name, version: 0, versions: [] }) as never,
      },
      runs: { latestBackup: async () => facts.lastRun },
      clock,
      links: LINKS,
    }),
    {
      name: 'operations',
      show: async () =>
        operationsMarkup(
          [{ workflow: 'restore', executions: [restore], isCut: false }],
          [
            {
              id: 'op-0' as never,
              execution: restore.arn,
              pair: `prod/${BUCKET}#restore` as never,
              host: 'i-0123456789abcdef0' as never,
              createdAt: epochMs(now - 60_000),
              deadline: epochMs(now + HOUR),
              state: 'sent',
              verb: 'restore',
            },
          ],
          now,
          LINKS,
        ),
    },
    {
      name: 'hostile',
      show: async () =>
        html`<div id="hostile">${bucketMarkup(poisoned(model, hostile), LINKS, 800)}${overviewMarkup(poisoned([assessed('nightly', 82)], hostile), poisoned(fleet, hostile), now, LINKS)}</div>`,
    },
  ],
});

let browser: Browser;
let host: DashboardHost;
let page: Page;
const strange: string[] = [];

beforeAll(async () => {
  const widget = (title: string, of: string, width: number, height: number) => ({
    title,
    endpoint: VIEW,
    params: { page: of },
    width,
    height,
  });
  host = await startHost({
    dashboard: 'ozone-dr',
    widgets: [
      widget('Overview', 'overview', 24, 12),
      widget('Bucket', 'bucket', 24, 20),
      widget('Operations', 'operations', 12, 12),
      widget('Hostile', 'hostile', 24, 20),
    ],
    invoke: async (endpoint, event) => {
      if (endpoint === VIEW) return view(event);
      acted.push(event);
      return '<p id="acted">the acting function was called</p>';
    },
  });
  browser = await openBrowser();
  const context = await browser.newContext({ viewport: { width: 1440, height: 1100 } });
  page = await context.newPage();
  page.on('pageerror', (error) => strange.push(`error: ${error.message}`));
  page.on('dialog', (dialog) => {
    strange.push(`dialog: ${dialog.message()}`);
    void dialog.dismiss();
  });
  page.on('request', (request) => {
    if (!request.url().startsWith(host.url) && !request.url().startsWith('data:,'))
      strange.push(`request: ${request.url()}`);
  });
});

afterAll(async () => {
  await browser?.close();
  await host?.close();
});

afterEach(() => {
  expect(strange).toEqual([]);
});

const settled = (): Promise<unknown> =>
  page.waitForFunction('document.querySelector(".odr, .failed, #acted") && !document.querySelector("[aria-busy]")');
const open = async (only: string, more = ''): Promise<void> => {
  await page.goto(`${host.url}?only=${only}${more}`);
  await settled();
};
const heading = (name: string | RegExp) => page.getByRole('heading', { name, level: 2 });

describe('the looking pages in a browser', () => {
  it('lead from the overview to the bucket that is worst, and from there to a restore of its newest good point', async () => {
    await open('Overview');
    await page.screenshot({ path: artefact('overview-light.png') });
    await page.getByRole('button', { name: BUCKET }).click();
    await heading(BUCKET).waitFor();
    await page
      .getByRole('button', { name: `Restore from ${nameOf('z')}` })
      .first()
      .click();
    await page.locator('#acted').waitFor();
    expect(acted.at(-1)).toMatchObject({ page: 'restore', policy: 'nightly', bucket: BUCKET, point: nameOf('z') });
  });

  it('can be used with the keyboard alone, and show where the focus is', async () => {
    await open('Bucket');
    const focused = (): Promise<unknown> =>
      page.evaluate('document.activeElement.innerText || document.activeElement.name');
    const order: unknown[] = [];
    await page.getByRole('button', { name: 'Refresh Bucket' }).focus();
    for (let n = 0; n < 5; n++) {
      await page.keyboard.press('Tab');
      order.push(await focused());
    }
    expect(order).toEqual(['All policies', 'Find a bucket', 'What is running', 'bucket', 'Show']);
    expect(await page.evaluate('getComputedStyle(document.activeElement).outlineStyle')).toBe('solid');
    await page.keyboard.press('Shift+Tab');
    await page.keyboard.type('sales/orders');
    await page.keyboard.press('Tab');
    await page.keyboard.press('Enter');
    await heading(BUCKET).waitFor();
    await page.getByRole('button', { name: 'Back up now' }).first().focus();
    await page.keyboard.press('Tab');
    expect(await focused()).toBe('Restore…');
    await page.keyboard.press('Space');
    await page.locator('#acted').waitFor();
  });

  it('cancel what is running through the acting function', async () => {
    await open('Operations');
    await page.screenshot({ path: artefact('operations-light.png') });
    await page.getByRole('button', { name: 'Cancel the restore r1' }).click();
    await page.locator('#acted').waitFor();
    expect(acted.at(-1)).toMatchObject({ page: 'cancel', execution: restore.arn });
  });

  it('give every button a name and every field a label', async () => {
    for (const only of ['Overview', 'Bucket', 'Operations']) {
      await open(only);
      const nameless = await page.evaluate(
        '[...document.querySelectorAll(".odr button:not([hidden])")].filter((it) => !(it.innerText || it.ariaLabel)).length + [...document.querySelectorAll(".odr input, .odr select, .odr textarea")].filter((it) => it.labels.length === 0).length',
      );
      expect(nameless).toBe(0);
    }
  });
});

/** The contrast of every text with what is behind it, the least of all (WCAG 2.2, relative luminance). */
const LEAST_CONTRAST = `(() => {
  const channels = (text) => text.match(/[\\d.]+/g).map(Number);
  const luminance = ([r, g, b]) => [r, g, b].map((it) => it / 255).map((it) => it <= 0.04045 ? it / 12.92 : ((it + 0.055) / 1.055) ** 2.4)
    .reduce((sum, it, index) => sum + it * [0.2126, 0.7152, 0.0722][index], 0);
  const behind = (node) => { for (let it = node; it; it = it.parentElement) { const [r, g, b, a = 1] = channels(getComputedStyle(it).backgroundColor); if (a > 0) return [r, g, b]; } return [255, 255, 255]; };
  const texts = [...document.querySelectorAll('.odr *')].filter((it) => !(it instanceof SVGElement) && it.offsetParent && [...it.childNodes].some((child) => child.nodeType === 3 && child.data.trim()));
  return texts.map((it) => { const [one, other] = [luminance(channels(getComputedStyle(it).color)), luminance(behind(it))].sort((a, b) => b - a);
    return { text: it.textContent.slice(0, 60), contrast: (one + 0.05) / (other + 0.05) }; }).sort((a, b) => a.contrast - b.contrast)[0];
})()`;

const SIZES = [
  [6, 4],
  [6, 12],
  [12, 8],
  [24, 4],
  [24, 20],
] as const;

describe('both themes at all sizes', () => {
  it.each(['light', 'dark'])('%s: texts can be read, nothing is cut off sideways', async (theme) => {
    for (const [w, h] of SIZES) {
      await open('Bucket', `&theme=${theme}&w=${w}&h=${h}`);
      await page.getByRole('textbox', { name: 'Bucket' }).fill(BUCKET);
      await page.getByRole('button', { name: 'Show' }).click();
      await heading(BUCKET).waitFor();
      await page.screenshot({ path: artefact(`bucket-${w}x${h}-${theme}.png`) });
      const size = `${w}x${h} ${theme}`;
      const least = (await page.evaluate(LEAST_CONTRAST)) as { readonly text: string; readonly contrast: number };
      expect(least.contrast, `${size}: ${least.text}`).toBeGreaterThanOrEqual(4.5);
      expect(
        await page.evaluate(
          '(({ scrollWidth, clientWidth }) => scrollWidth - clientWidth)(document.querySelector(".content"))',
        ),
        size,
      ).toBeLessThanOrEqual(0);
      expect(
        await page
          .getByRole('button', { name: `Restore from ${nameOf('z')}` })
          .first()
          .isVisible(),
        size,
      ).toBe(true);
    }
    await open('Overview', `&theme=${theme}`);
    await page.screenshot({ path: artefact(`overview-${theme}.png`) });
    expect(((await page.evaluate(LEAST_CONTRAST)) as { readonly contrast: number }).contrast).toBeGreaterThanOrEqual(
      4.5,
    );
  });
});

describe('whatever people and clusters call things, in a browser', () => {
  /** Elements without the widget's frame, by name. */
  const ELEMENTS = '[...document.querySelectorAll("#hostile *")].map((it) => it.localName).join(" ")';

  it('runs nothing, makes no element and calls nobody, also where nothing is filtered', async () => {
    hostile = 'a harmless text';
    await open('Hostile');
    const elements = await page.evaluate(ELEMENTS);
    // As the function answers it, into a page that filters nothing: what is safe must not depend on the dashboard.
    await page.goto('about:blank');
    for (const text of INJECTIONS.filter((_, index) => index % 3 === 0)) {
      hostile = text;
      const answer = await view({ page: 'hostile' });
      await page.setContent(`<!DOCTYPE html><body>${answer}</body>`);
      expect(await page.evaluate('window.injected'), text).toBeUndefined();
      expect(await page.evaluate(ELEMENTS), text).toBe(elements);
    }
  });

  it('shows it as text on the dashboard', async () => {
    for (const text of [
      '<script>window.injected=1</script>',
      '"><img src=x onerror=window.injected=1>',
      '</cwdb-action><button>Confirm</button>',
    ]) {
      hostile = text;
      await open('Hostile');
      expect(await page.locator('#hostile').innerText()).toContain(text);
      expect(await page.getByRole('button', { name: 'Confirm', exact: true }).count()).toBe(0);
      expect(await page.evaluate('window.injected')).toBeUndefined();
    }
    await page.screenshot({ path: artefact('hostile.png') });
  });
});
