import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openBrowser } from './browser.ts';
import { hands } from './hands.ts';
import { type DashboardHost, startHost } from './host.ts';
import { type ConsoleStage, invoker, startStage, widgetsOf } from './stage.ts';

const [PRICES, ORDERS, RETURNS] = ['shop/prices', 'shop/orders', 'shop/returns'] as const;
const BUCKETS = [PRICES, ORDERS, RETURNS];
const OURS = 'user:zoe:rwcld,user:bob:rl[DEFAULT]';

let stage: ConsoleStage;
let host: DashboardHost;
let browser: Browser;
let page: Page;
let before: readonly string[];

const cloud = () => stage.deployment.cloud;

beforeAll(async () => {
  stage = await startStage({ nights: 1, restricting: BUCKETS });
  await stage.clusters.ozone('sh', 'bucket', 'addacl', '-a', OURS, `o3://prod/${ORDERS}`);
  before = await acl();
  host = await startHost({ ...widgetsOf(cloud()), invoke: invoker(cloud()) });
  browser = await openBrowser();
  page = await browser.newPage({ viewport: { width: 1300, height: 1300 } });
  page.setDefaultTimeout(60_000);
}, 600_000);

afterAll(async () => {
  await browser?.close();
  await host?.close();
  await stage?.close();
});

const { text, press, open, picture, until, confirm } = hands('failover-fleet', 200, () => ({
  page,
  host,
  cloud: cloud(),
}));
const fleets = () => cloud().executions('ozone-dr-failover-fleet');
const failovers = () => cloud().executions('ozone-dr-failover');

const acl = async (): Promise<readonly string[]> => {
  const stdout = await stage.clusters.ozone('sh', 'bucket', 'getacl', `o3://prod/${ORDERS}`);
  return JSON.parse(stdout)
    .map((it: { type: string; name: string; aclScope: string; aclList: readonly string[] }) =>
      [it.type, it.name, it.aclList.join(), it.aclScope].join(':'),
    )
    .sort();
};

describe('a failover of several buckets from the dashboard, in a browser', () => {
  it('planned, in the dark theme: two at the same time, after a last backup of each', async () => {
    await open('Is everything safe?', '&theme=dark');
    await press('Policy nightly');
    await press('Which buckets of nightly could be failed over');
    await page.getByLabel('Which buckets, in which order?').fill('sales/orders, people/payroll');
    await page.getByLabel('Your name').fill('Ada');
    await page.getByLabel('Why').fill('prod is moved to another building');
    await press('Show the plan');
    await until(/The plan: fail over 2 buckets of nightly to dr/);
    expect(await text()).toMatch(
      /Nothing will be lost\. Stop what writes[\s\S]*1\s+sales\/orders\s+nothing, after a last backup[\s\S]*1\s+people\/payroll\s+nothing, after a last backup/,
    );
    await picture('plan-dark');
    await confirm('fail over 2 buckets of nightly to dr');
    await until(/Failed over: 0 of 2 buckets, 2 at work\./, 1);
    await press('The failover of sales/orders');
    expect(await text()).toMatch(
      /Failing over sales\/orders[\s\S]*A last backup is made\. The roles have not moved yet\./,
    );
    await press('What is running');
    await press(/^Show the failover-fleet /);
    await picture('progress-dark');
    await until(/2 buckets failed over\./, 30);
    await picture('result-dark');
    for (const bucket of ['sales/orders', 'people/payroll']) {
      const { role } = await stage.deployment.pair(bucket);
      expect(role).toMatchObject({ primary: 'replica', state: 'settled', epoch: 1 });
    }
  }, 300_000);

  it('from the policy to the plan with its words, and stopped as one: what has moved is said, and what has not', async () => {
    await open('Is everything safe?', '&w=24&h=24');
    await press('Policy shop');
    await press('Which buckets of shop could be failed over');
    expect(await text()).toMatch(/3 of 3 buckets could be failed over to dr now\./);
    await picture('form');
    await page.getByLabel('Which kind?').selectOption('unplanned');
    await page.getByLabel('Which buckets, in which order?').fill(BUCKETS.join('\n'));
    await page.getByLabel('Your name').fill('Ada');
    await page.getByLabel('Why').fill('the building burns');
    await press('Show the plan');
    await until(/The plan: fail over 3 buckets of shop to dr/);
    expect(await text()).toMatch(
      /What was written to prod since these points will not be there\.[\s\S]*1\s+shop\/prices\s+the last [\s\S]*2\s+shop\/orders\s+the last [\s\S]*3\s+shop\/returns\s+the last /,
    );
    await picture('plan');
    await page.getByLabel(/^Type fail over/).fill('fail over 3 buckets');
    await press('Fail over');
    expect(await text()).toContain('Nothing was started: what was typed is not "fail over 3 buckets of shop to dr');
    expect(failovers()).toHaveLength(2);
    await confirm('fail over 3 buckets of shop to dr');
    await until(
      /shop\/prices\s+Failed over: dr is its primary, epoch 1[\s\S]*shop\/orders\s+At work, and its roles are on their way[\s\S]*shop\/returns\s+Waits for its turn/,
      2,
    );
    await picture('progress');

    await press('What is running');
    await press(/^Show the failover-fleet /);
    expect(await text()).toMatch(/Failing over the buckets of shop/);
    await press('What is running');
    await picture('running');
    await press(/^Cancel the failover-fleet /);
    expect(await text()).toMatch(
      /Cancel the failover of 3 buckets of shop\?[\s\S]*Failed over: 1 of 3 buckets, 1 at work, 1 not\.[\s\S]*shop\/orders\s+At work, and its roles are on their way/,
    );
    await page.getByLabel('Your name').fill('Ada');
    await page.getByLabel('Why').fill('it burns elsewhere');
    await page.getByLabel('Type cancel').fill('stop');
    await press('Cancel it');
    expect(await text()).toContain('Nothing was cancelled: type cancel.');
    expect(fleets().at(-1)?.status).toBe('RUNNING');
    await page.getByLabel('Type cancel').fill('cancel');
    await picture('cancel');
    await press('Cancel it');
    expect(fleets().at(-1)).toMatchObject({ status: 'ABORTED', cause: 'cancelled by Ada: it burns elsewhere' });
    expect(failovers().map(({ status }) => status)).toEqual(['SUCCEEDED', 'SUCCEEDED', 'SUCCEEDED', 'ABORTED']);
    expect(await text()).toMatch(
      /It was cancelled\. cancelled by Ada: it burns elsewhere[\s\S]*Failed over: 1 of 3 buckets, 1 half moved, 1 not\.[\s\S]*shop\/prices\s+Failed over: [\s\S]*shop\/orders\s+Half moved: nothing backs it up[\s\S]*shop\/returns\s+Not begun: people write to prod as before/,
    );
    await picture('cancelled');
  }, 300_000);

  it('gone on with by a new plan of what is left, to the end; the roles are seen afterwards', async () => {
    await press('Go on with what is left');
    expect(await page.getByLabel('Which buckets, in which order?').inputValue()).toBe(`${ORDERS}\n${RETURNS}`);
    expect(await page.getByLabel('Which kind?').inputValue()).toBe('unplanned');
    expect(await text()).toMatch(/shop\/prices\s+dr\s+epoch 1[\s\S]*shop\/orders\s+on its way/);
    await picture('rest-form');
    await press('Show the plan');
    await until(/The plan: fail over 2 buckets of shop to dr/);
    expect(await text()).toMatch(/1\s+shop\/orders\s+Is half moved: it goes on[\s\S]*2\s+shop\/returns\s+the last /);
    await picture('rest-plan');
    await confirm('fail over 2 buckets of shop to dr');
    await until(/2 buckets failed over\./, 30);
    expect(await text()).toMatch(
      /shop\/orders\s+Failed over: dr is its primary, epoch 1[\s\S]*shop\/returns\s+Failed over: dr/,
    );
    await picture('result');
    await press(`The failover of ${ORDERS}`);
    expect(await text()).toMatch(
      /dr is the primary of shop\/orders now[\s\S]*Right to write\s+the right to write to shop\/orders on prod was taken from everybody in its ACL, which was[\s\S]*user:zoe:rwcld/,
    );
    await picture('restricted');
    for (const bucket of BUCKETS) {
      const [prod, dr] = await Promise.all(['prod', 'dr'].map((it) => stage.clusters.tree(`ofs://${it}/${bucket}`)));
      expect([...(dr ?? [])]).toEqual([...(prod ?? [])]);
      expect((await stage.deployment.pair(bucket)).role).toMatchObject({ primary: 'replica', state: 'settled' });
    }

    await cloud().invoke('ozone-dr-assess-objectives', {});
    await open('Is everything safe?', '&w=24&h=24');
    expect(await text()).toMatch(/3 failed over/);
    await picture('overview-after');
    await press('Policy shop');
    await picture('policy-after');
    await press('Which buckets of shop could be failed over');
    expect(await text()).toMatch(/0 of 3 buckets could be failed over to dr now; 3 there already/);
    expect(await page.getByRole('button', { name: /^Fail shop\/\w+ back$/ }).count()).toBe(3);
    await picture('form-after');
  }, 300_000);
});

describe('what a failover took from the ACL of the old primary, in a browser', () => {
  it('is on the page of the way back, and the switch gives back exactly that', async () => {
    expect((await acl()).filter((it) => /WRITE|ALL|CREATE|DELETE/.test(it))).toEqual([]);
    await press(`Fail ${ORDERS} back`);
    expect(await text()).toMatch(/the right to write to shop\/orders on prod was taken[\s\S]*user:zoe:rwcld/);
    await page.getByLabel('Your name').fill('Ada');
    await page.getByLabel('Why').fill('prod is there again');
    await picture('restricted-way-back');
    await press('Show the plan');
    await until(/The plan: bring shop\/orders back to prod/);
    await confirm('fail back shop/orders to prod', 'Prepare the way back');
    await until(/prod is ready to be the primary of shop\/orders again/);
    await press(`Switch ${ORDERS} back to prod`);
    await page.getByLabel('Your name').fill('Ada');
    await page.getByLabel('Why').fill('prod is ready');
    await press('Show the plan');
    await until(/The plan: fail over shop\/orders to prod/);
    await confirm('fail over shop/orders to prod', 'Switch back');
    await until(/prod is the primary of shop\/orders now/);
    expect(await text()).toMatch(
      /Right to write\s+given back: shop\/orders on prod has the ACL that it had before it was failed over/,
    );
    await picture('given-back');
    expect(await acl()).toEqual(before);
  }, 300_000);
});
