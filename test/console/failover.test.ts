import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openBrowser } from './browser.ts';
import { hands } from './hands.ts';
import { type DashboardHost, startHost } from './host.ts';
import { type ConsoleStage, invoker, startStage, widgetsOf } from './stage.ts';

let stage: ConsoleStage;
let host: DashboardHost;
let browser: Browser;
let page: Page;
let endpoint: string;

const cloud = () => stage.deployment.cloud;

beforeAll(async () => {
  stage = await startStage({ nights: 1 });
  const { dashboard, widgets } = widgetsOf(cloud());
  endpoint = String(widgets[0]?.endpoint).replace(/View$/, 'Act');
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

const { text, press, open, picture, until, confirm } = hands('failover', 120, () => ({ page, host, cloud: cloud() }));
const failovers = () => cloud().executions('ozone-dr-failover').length;
const failbacks = () => cloud().executions('ozone-dr-failback').length;

const put = (path: string, seed: number) => ({ op: 'put', path, size: 900, seed }) as const;

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

    await confirm('fail over sales/orders to dr');
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

  it('and back: what both sides changed is seen, what was written on the wrong side is kept apart, and the roles return', async () => {
    const { clusters } = stage;
    await clusters.change('ofs://dr/sales/orders', [put('2026/11/11/on-dr.json', 41), put('both.json', 42)]);
    await clusters.change('ofs://prod/sales/orders', [put('too-late.json', 43), put('both.json', 44)]);
    await press('Fail sales/orders back to prod');
    expect(await text()).toMatch(/People write to\s+dr since .* \(epoch 1\)[\s\S]*not yet: .* Prepare first/);
    await page.getByLabel('Your name').fill('Ada');
    await press('Show the plan');
    expect(await text()).toContain('write why');
    await page.getByLabel('Why').fill('prod is there again');
    await picture('back-form');
    await press('Show the plan');
    await until(/The plan: bring sales\/orders back to prod/);
    expect(await text()).toMatch(
      /Changed on dr, the primary\s+2 files added[\s\S]*on-dr\.json[\s\S]*Left on prod, the old primary\s+2 files added[\s\S]*too-late\.json[\s\S]*Changed on both\s+1 file: what dr has counts\s+both\.json[\s\S]*Is kept apart in\s+sales\/orders-orphans-\S+ on prod/,
    );
    await picture('back-plan');

    const before = failbacks();
    await page.getByLabel(/^Type fail back/).fill('fail back sales/orders');
    await press('Prepare the way back');
    expect(await text()).toContain('Nothing was started: what was typed is not "fail back sales/orders to prod');
    expect(failbacks()).toBe(before);
    // A form that is sent twice: what it carries is taken before it is sent, and sent once more after it.
    const twice = await page.locator('cwdb-action').filter({ hasText: 'failback-start' }).first().textContent();
    const label = await page.locator('label[for=odr-confirmation]').innerText();
    const confirmation = label.slice('Type '.length, -' to start it'.length);
    await confirm('fail back sales/orders to prod', 'Prepare the way back');
    expect(failbacks()).toBe(before + 1);
    const again = await invoker(cloud())(endpoint, {
      ...JSON.parse(twice ?? '{}'),
      widgetContext: { forms: { all: { confirmation } } },
    });
    expect(again).toContain('This form was sent before');
    expect(failbacks()).toBe(before + 1);
    await picture('back-progress');
    await until(/prod is ready to be the primary of sales\/orders again/);
    const orphans = /ofs:\/\/prod\/(sales\/orders-orphans-\S+)/.exec(await text())?.[1];
    expect([...(await clusters.tree(`ofs://prod/${orphans}`)).keys()].filter((it) => it.endsWith('.json'))).toEqual([
      'both.json',
      'too-late.json',
    ]);
    await picture('back-prepared');

    await press('Switch sales/orders back to prod');
    expect(await text()).toMatch(/Can the roles go back now\?\s+yes: prod has what dr was/);
    await picture('switch-form');
    await press('Show the plan');
    await until(/The plan: fail over sales\/orders to prod/);
    expect(await text()).toMatch(/Nothing will be lost\.[\s\S]*Stop what writes to dr now/);
    await confirm('fail over sales/orders to prod', 'Switch back');
    await until(/prod is the primary of sales\/orders now/);
    expect(await text()).toMatch(
      /Nothing was lost\.[\s\S]*ofs:\/\/dr\/sales\/orders\s+to\s+ofs:\/\/prod\/sales\/orders[\s\S]*Epoch\s+2/,
    );
    await picture('switched');
    const [prod, dr] = await Promise.all(['prod', 'dr'].map((it) => clusters.tree(`ofs://${it}/sales/orders`)));
    expect([...(prod ?? [])]).toEqual([...(dr ?? [])]);
    await press('To the bucket');
    expect(await page.getByRole('button', { name: 'Fail sales/orders over to dr' }).count()).toBe(1);
  }, 300_000);

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
    await confirm('fail over people/payroll to dr');
    await until(/dr is the primary of people\/payroll now/);
    await picture('result-dark');

    await cloud().invoke('ozone-dr-assess-objectives', {});
    await open('Is everything safe?', '&theme=dark');
    expect(await text()).toMatch(/1 failed over/);
    await picture('overview-dark');
  });

  it('several at once: how ready each bucket is, and a plan that says what is in the way', async () => {
    await open('Is everything safe?', '&w=24&h=24');
    await press('Policy nightly');
    await press('Which buckets of nightly could be failed over');
    expect(await text()).toMatch(
      /1 of 3 buckets could be failed over to dr now; 1 there already[\s\S]*people\/payroll\s+dr\s+epoch 1/,
    );
    await picture('fleet-form');
    await page.getByLabel('Which buckets, in which order?').fill('sales/orders\ncrm/contacts');
    await page.getByLabel('Your name').fill('Ada');
    await page.getByLabel('Why').fill('the building is closed');
    await press('Show the plan');
    expect(await text()).toMatch(
      /This cannot be done as planned[\s\S]*1\s+sales\/orders\s+nothing, after a last backup[\s\S]*2\s+crm\/contacts\s+It cannot be done now: no verified point/,
    );
    await picture('fleet-plan');
    expect(await page.getByRole('button', { name: 'Fail over', exact: true }).count()).toBe(0);
    await press('Change it');
    expect(await page.getByLabel('Which buckets, in which order?').inputValue()).toBe('sales/orders\ncrm/contacts');
  });
});
