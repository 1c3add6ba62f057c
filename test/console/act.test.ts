import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Change, TreeEntry } from '../ozone-cluster/ozone-clusters.ts';
import { artefact, openBrowser } from './browser.ts';
import { type DashboardHost, startHost } from './host.ts';
import { type ConsoleStage, invoker, startStage, widgetsOf } from './stage.ts';

/** Names that do something where they are not shown as text. */
const HOSTILE = [
  '<img src=x onerror="window.ran=1">',
  '"><script>window.ran=2</script>',
  "'><svg onload=window.ran=3>",
  '</cwdb-action><b>bold</b>',
  '${7*7} {{7*7}} `id` $(id)',
  'javascript:window.ran=4',
] as const;

let stage: ConsoleStage;
let host: DashboardHost;
let browser: Browser;
let page: Page;

const cloud = () => stage.deployment.cloud;
const widget = () => page.locator('.content').first();
const text = () => widget().innerText();

beforeAll(async () => {
  stage = await startStage({ nights: 2 });
  const { dashboard, widgets } = widgetsOf(cloud());
  const acts = widgets.map((it) => ({ ...it, endpoint: it.endpoint.replace(/View$/, 'Act') }));
  host = await startHost({
    dashboard,
    widgets: [
      ...widgets,
      { ...acts[0], title: 'Restore', params: { page: 'restore' }, width: 24, height: 24 } as never,
      { ...acts[0], title: 'Approvals', params: { page: 'approvals' }, width: 24, height: 12 } as never,
      { ...acts[0], title: 'Pause', params: { page: 'pause' }, width: 12, height: 10 } as never,
    ],
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

const idle = async () => {
  await page.waitForFunction('document.querySelectorAll(".content[aria-busy]").length === 0');
};
const open = async (title: string, more = '') => {
  await page.goto(`${host.url}?only=${encodeURIComponent(title)}${more}`);
  await page.locator('.content .odr').first().waitFor();
  await idle();
};
const press = async (name: string | RegExp) => {
  await page
    .getByRole('button', { name, exact: typeof name === 'string' })
    .first()
    .click();
  await idle();
};
const picture = (name: string) => page.screenshot({ path: artefact(`act-${name}.png`), fullPage: true });

/** Goes on until the page does not say any more that it is at work: time goes by only here. */
const until = async (wanted: RegExp) => {
  for (let n = 0; n < 60; n++) {
    if (wanted.test(await text())) return;
    await cloud().advanceBy(10);
    await press('Look again');
  }
  throw new Error(`it never said ${wanted}: ${await text()}`);
};

const restoreOf = async (bucket: string, fill: () => Promise<void>) => {
  await open('Restore');
  await page.getByLabel('Which bucket?').fill(bucket);
  await press('Go on');
  await fill();
  await page.getByLabel('Your name').fill('Ada');
  await page.getByLabel('Why').fill('deleted by mistake');
  await press('Show the plan');
  await until(/The plan|cannot be done|Something is missing/);
};

describe('restoring from the dashboard', () => {
  it('one file: seen, planned, confirmed, done, and where it is', async () => {
    await open('Find a bucket, see its points, restore', '&w=24&h=24');
    await page.getByLabel('Bucket').fill('sales/orders');
    await press('Show');
    await picture('1-bucket');
    await press(/^Restore from/);
    await picture('2-form');
    await page.getByLabel('Which files or folders?').fill('2026/11/10/order-1001.json');
    await page.getByLabel('Your name').fill('Ada');
    await page.getByLabel('Why').fill('deleted by mistake');
    await press('Show the plan');
    await picture('3-planning');
    await until(/The plan/);
    expect(await text()).toMatch(/1 file, 790 B/);
    expect(await text()).toMatch(/Read from[\s\S]*prod itself/);
    await picture('4-plan');

    await page.getByLabel('Type restore to start it').fill('yes');
    await press('Start the restore');
    expect(await text()).toContain('Nothing was started: what was typed is not "restore"');
    await picture('5-refused');
    const before = cloud().executions('ozone-dr-restore').length;

    await page.getByLabel('Type restore to start it').fill('restore');
    await press('Start the restore');
    await picture('6-restoring');
    await until(/Restored, and proved equal/);
    await picture('7-result');
    expect(cloud().executions('ozone-dr-restore')).toHaveLength(before + 1);
    const [, url = ''] = /(ofs:\/\/prod\/sales\/orders-restore-\S+)/.exec(await text()) ?? [];
    expect(
      [...(await stage.clusters.tree(url))].filter(([, { type }]) => type === 'file').map(([path]) => path),
    ).toEqual(['2026/11/10/order-1001.json']);
  });
});
