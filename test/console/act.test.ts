import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openBrowser } from './browser.ts';
import { hands } from './hands.ts';
import { type DashboardHost, startHost } from './host.ts';
import { type ConsoleStage, invoker, startStage, widgetsOf } from './stage.ts';

/** Names that do something where they are not shown as text. */
const HOSTILE = [
  '<img src=x onerror="window.ran=1">',
  '"><script>window.ran=2</script>',
  "'><svg onload=window.ran=3>",
  '</cwdb-action><b>bold</b>',
  '</textarea><input autofocus onfocus=window.ran=4>',
  '{{7*7}} `id` $(id)',
] as const;

let stage: ConsoleStage;
let host: DashboardHost;
let browser: Browser;
let page: Page;

const cloud = () => stage.deployment.cloud;

beforeAll(async () => {
  stage = await startStage({ nights: 1 });
  const { dashboard, widgets } = widgetsOf(cloud());
  const endpoint = String(widgets[0]?.endpoint).replace(/View$/, 'Act');
  const act = (title: string, first: string) => ({ title, endpoint, params: { page: first }, width: 24, height: 24 });
  host = await startHost({
    dashboard,
    widgets: [...widgets, act('Restore', 'restore'), act('Pause', 'pause'), act('Approvals', 'approvals')],
    invoke: invoker(cloud()),
  });
  browser = await openBrowser();
  page = await browser.newPage({ viewport: { width: 1300, height: 1300 } });
  page.setDefaultTimeout(20_000);
}, 300_000);

afterAll(async () => {
  await browser?.close();
  await host?.close();
  await stage?.close();
});

const { text, press, open, picture, until } = hands('act', 60, () => ({ page, host, cloud: cloud() }));

const restores = () => cloud().executions('ozone-dr-restore').length;
const filesIn = async (url: string) =>
  [...(await stage.clusters.tree(url))].flatMap(([path, { type }]) => (type === 'file' ? [path] : []));

const chooseBucket = async (bucket: string, theme = 'light') => {
  await open('Restore', `&theme=${theme}`);
  await page.getByLabel('Which bucket?').fill(bucket);
  await press('Go on');
  await page.getByLabel('Your name').fill('Ada');
  await page.getByLabel('Why').fill('deleted by mistake');
};

describe('from the dashboard, in a browser', () => {
  it('a file is seen, planned and restored; what was typed wrong, and a form sent twice, start nothing', async () => {
    await open('Find a bucket, see its points, restore', '&w=24&h=24');
    await page.getByLabel('Bucket', { exact: true }).fill('sales/orders');
    await press('Show');
    await press(/^Restore from/);
    await picture('form');
    await page.getByLabel('Which files or folders?').fill('/2026/11/10/order-1001.json\n');
    await page.getByLabel('Your name').fill('Ada');
    await page.getByLabel('Why').fill('deleted by mistake');
    await press('Show the plan');
    await until(/The plan/);
    expect(await text()).toMatch(/1 file, 790 B[\s\S]*prod itself[\s\S]*Is replaced\s+nothing/);
    await picture('plan');

    const before = restores();
    await page.getByLabel('Type restore to start it').fill('yes');
    await press('Start the restore');
    expect(await text()).toContain('Nothing was started: what was typed is not "restore".');
    expect(restores()).toBe(before);
    await picture('wrong-words');

    const sent = await page.locator('button:has-text("Start the restore") + cwdb-action').textContent();
    await page.getByLabel('Type restore to start it').fill('restore');
    await press('Start the restore');
    expect(restores()).toBe(before + 1);
    const again = await invoker(cloud())(
      (await page.locator('cwdb-action[endpoint$=Act]').first().getAttribute('endpoint')) ?? '',
      { ...JSON.parse(sent ?? ''), widgetContext: { forms: { all: { confirmation: 'restore' } } } },
    );
    expect(String(again)).toContain('This form was sent before');
    expect(restores()).toBe(before + 1);

    await until(/Restored, and proved equal/);
    await picture('result');
    const [url = ''] = /ofs:\/\/prod\/sales\/orders-restore-\S+/.exec(await text()) ?? [];
    expect(await filesIn(url)).toEqual(['2026/11/10/order-1001.json']);
  });

  it('a bucket is restored in place, in the dark theme, by the words of its plan', async () => {
    const wanted = await filesIn('ofs://prod/sales/orders');
    await stage.clusters.change('ofs://prod/sales/orders', [{ op: 'rm', path: wanted[0] ?? '' }]);
    await chooseBucket('sales/orders', 'dark');
    await page.getByLabel('To where?').selectOption('in-place');
    await page.getByLabel('Files that are there already').selectOption('if-different');
    await press('Show the plan');
    await until(/The plan/);
    await picture('plan-in-place-dark');
    expect(await text()).toMatch(/Comes new\s+1 file[\s\S]*Is replaced\s+4 files[\s\S]*restore-safety-/);
    const label = await page.locator('label[for=odr-confirmation]').innerText();
    expect(label).toMatch(/^Type overwrite sales\/orders [0-9a-f]{12} to start it$/);
    await page.getByLabel(label).fill(label.slice('Type '.length, -' to start it'.length));
    await press('Start the restore');
    await until(/Restored, and proved equal/);
    await picture('result-dark');
    expect((await filesIn('ofs://prod/sales/orders')).toSorted()).toEqual(wanted.toSorted());
  });

  it('hostile names are shown as they are, in the form, in its problems and in a plan', async () => {
    await chooseBucket('sales/orders');
    // The filter of the dashboard takes values away that end an element, and a path has no empty part: typed are the others.
    const names = HOSTILE.filter((it) => !it.includes('/'));
    await page.getByLabel('Which files or folders?').fill([...HOSTILE, '../up'].join('\n'));
    await page.getByLabel('Why').fill(names.join(' '));
    await press('Show the plan');
    expect(await text()).toContain('line 7: write a path relative to the bucket');
    expect(await page.getByLabel('Why').inputValue()).toBe(names.join(' '));
    await picture('hostile-form');
    await page.getByLabel('Which files or folders?').fill(names.join('\n'));
    await press('Show the plan');
    await until(/cannot be done/);
    for (const name of names) expect(await text()).toContain(name);
    await picture('hostile-plan');
    await press('Change it');
    expect(await page.getByLabel('Which files or folders?').inputValue()).toBe(names.join('\n'));
    expect(await page.evaluate('window.ran')).toBeUndefined();
    expect(await page.locator('.content b, .content img, .content svg, .content script').count()).toBe(0);
  });

  it('a policy is paused and resumed with the keyboard alone', async () => {
    await open('Pause');
    /** Tab until the element has the focus, which is seen. */
    const tabTo = async (name: string) => {
      for (let n = 0; n < 40; n++) {
        await page.keyboard.press('Tab');
        const label =
          'const it = document.activeElement; it.getAttribute("aria-label") ?? it.labels?.[0]?.innerText ?? it.innerText';
        if ((await page.evaluate(`(() => { ${label.replace('; it.', '; return it.')} })()`)) === name) {
          expect(await page.evaluate('getComputedStyle(document.activeElement).outlineStyle')).not.toBe('none');
          return;
        }
      }
      throw new Error(`no way to ${name} by Tab`);
    };
    for (const act of ['pause', 'resume']) {
      const word = act === 'pause' ? 'Pause' : 'Resume';
      await tabTo(`${word} nightly`);
      await page.keyboard.press('Enter');
      await page.getByLabel('Your name').waitFor();
      await tabTo('Your name');
      await page.keyboard.type('Ada');
      await tabTo('Why');
      await page.keyboard.type('the cluster moves');
      await tabTo(`Type ${act} nightly`);
      await page.keyboard.type(`${act} nightly`);
      await tabTo('Decide');
      await page.keyboard.press('Enter');
      await page.getByText('It is recorded.').waitFor();
      await picture(`${act}d`);
      await open('Pause');
      expect(await text()).toMatch(
        act === 'pause' ? /nightly is paused since .* by Ada/ : /nightly\s+3 buckets\s+its schedules start/,
      );
    }
  });

  it('no field loses its name to the filter of the dashboard', async () => {
    await chooseBucket('sales/orders');
    const fields = page.locator('.content form :is(input, select, textarea)');
    for (const field of await fields.all()) expect(await field.getAttribute('name')).toMatch(/^\w+$/);
    expect(await fields.count()).toBe(11);
  });
});
