import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { artefact, openBrowser } from './browser.ts';
import { type DashboardHost, startHost } from './host.ts';
import { type ConsoleStage, invoker, startStage, widgetsOf } from './stage.ts';

let stage: ConsoleStage;
let host: DashboardHost;
let browser: Browser;
let page: Page;

const cloud = () => stage.deployment.cloud;
const text = () => page.locator('.content').first().innerText();

beforeAll(async () => {
  stage = await startStage({ nights: 1 });
  const { dashboard, widgets } = widgetsOf(cloud());
  const endpoint = String(widgets[0]?.endpoint).replace(/View$/, 'Act');
  host = await startHost({
    dashboard,
    widgets: [...widgets, { title: 'Fail over', endpoint, params: { page: 'failover' }, width: 24, height: 24 }],
    invoke: invoker(cloud()),
  });
  browser = await openBrowser();
  page = await browser.newPage({ viewport: { width: 1300, height: 1300 } });
  page.setDefaultTimeout(60_000);
}, 600_000);

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
const picture = (name: string) => page.screenshot({ path: artefact(`failover-${name}.png`), fullPage: true });
const failovers = () => cloud().executions('ozone-dr-failover').length;

/** Goes on until the page does not say any more that it is at work: time goes by only here. */
const until = async (wanted: RegExp) => {
  for (let n = 0; n < 120; n++) {
    if (wanted.test(await text())) return;
    await cloud().advanceBy(10);
    await press('Look again');
  }
  throw new Error(`it never said ${wanted}: ${await text()}`);
};

/** Types the words that the plan asks for. */
const confirm = async (bucket: string) => {
  const label = await page.locator('label[for=odr-confirmation]').innerText();
  expect(label).toMatch(new RegExp(`^Type fail over ${bucket} to dr [0-9a-f]{12} to start it$`));
  await page.getByLabel(label).fill(label.slice('Type '.length, -' to start it'.length));
  await press('Fail over');
};

describe('a failover from the dashboard, in a browser', () => {
  it('planned: seen, planned, refused with wrong words, done with the right ones, and told what has to be repointed', async () => {
    await open('Find a bucket, see its points, restore', '&w=24&h=24');
    await page.getByLabel('Bucket', { exact: true }).fill('sales/orders');
    await press('Show');
    expect(await text()).toMatch(/Could it be failed over\? yes/);
    await picture('bucket');
    await press('Fail sales/orders over to dr');
    expect(await text()).toMatch(/People write to\s+prod; it was never failed over[\s\S]*planned: nothing/);
    await page.getByLabel('Which kind?').selectOption('planned');
    await page.getByLabel('Your name').fill('Ada');
    await page.getByLabel('Why').fill('prod is moved to another building');
    await picture('form');
    await press('Show the plan');
    await until(/The plan: fail over sales\/orders to dr/);
    expect(await text()).toMatch(/Nothing will be lost\.[\s\S]*Stop what writes to prod now/);
    await picture('plan');

    const before = failovers();
    await page.getByLabel(/^Type fail over/).fill('fail over sales/orders');
    await press('Fail over');
    expect(await text()).toContain('Nothing was started: what was typed is not "fail over sales/orders to dr');
    expect(failovers()).toBe(before);
    await picture('wrong-words');

    await confirm('sales/orders');
    expect(failovers()).toBe(before + 1);
    await picture('progress');
    await until(/dr is the primary of sales\/orders now/);
    expect(await text()).toMatch(
      /Nothing was lost\.[\s\S]*ofs:\/\/prod\/sales\/orders\s+to\s+ofs:\/\/dr\/sales\/orders[\s\S]*Nobody may write to prod any more/,
    );
    await picture('result');
    expect([...(await stage.clusters.tree('ofs://dr/sales/orders')).keys()].toSorted()).toEqual(
      [...(await stage.clusters.tree('ofs://prod/sales/orders')).keys()].toSorted(),
    );

    await press('To the bucket');
    expect(await text()).toMatch(/Failed over: dr is the primary since/);
    await picture('bucket-after');
    expect(await page.getByRole('button', { name: 'Fail sales/orders over to dr' }).count()).toBe(0);
    await open('Fail over');
    await page.getByLabel('Which bucket?').fill('sales/orders');
    await press('Go on');
    expect(await text()).toContain('sales/orders is failed over: dr is the primary');
    expect(await page.getByLabel('Which kind?').count()).toBe(0);
  });

  it('unplanned, in the dark theme: what will not be there is said first', async () => {
    await open('Fail over', '&theme=dark');
    await page.getByLabel('Which bucket?').fill('people/payroll');
    await press('Go on');
    await page.getByLabel('Which kind?').selectOption('unplanned');
    await page.getByLabel('Your name').fill('Ada');
    await press('Show the plan');
    expect(await text()).toContain('write why');
    await page.getByLabel('Why').fill('prod is lost');
    await picture('form-dark');
    await press('Show the plan');
    await until(/The plan: fail over people\/payroll to dr/);
    expect(await text()).toMatch(/What was written to prod in the last .* will not be there\./);
    await picture('plan-dark');
    await confirm('people/payroll');
    await until(/dr is the primary of people\/payroll now/);
    await picture('result-dark');

    await cloud().invoke('ozone-dr-assess-objectives', {});
    await open('Is everything safe?', '&theme=dark');
    expect(await text()).toMatch(/2 failed over/);
    await picture('overview-dark');
  });
});
