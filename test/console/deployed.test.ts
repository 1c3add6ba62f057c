import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { dynamoLedger } from '../../functions/adapters/dynamodb/ledger.ts';
import { policyText, synthesize } from '../fixtures/deployment.ts';
import { type LocalCloud, startLocalCloud } from '../local-cloud/index.ts';
import { BUCKET, lineageOf, nameOf, now } from '../unit/planner/lineage-world.ts';
import { artefact, openBrowser } from './browser.ts';
import { type DashboardHost, startHost } from './host.ts';
import { invoker, widgetsOf } from './stage.ts';

// The deployed dashboard with the deployed functions, under their own permissions; only the points are made up.

const directory = mkdtempSync(join(tmpdir(), 'ozone-dr-console-'));
const facts = lineageOf({ points: 'x* y* z*', base: 'z', previous: 'y', pins: 'x' });
let cloud: LocalCloud;
let host: DashboardHost;
let browser: Browser;

beforeAll(async () => {
  const assembly = join(directory, 'cdk.out');
  synthesize(policyText([BUCKET, 'sales/offers']), assembly);
  cloud = await startLocalCloud({
    assembly,
    directory: join(directory, 'cloud'),
    permissions: 'enforced',
    clock: { virtualFrom: new Date(now) },
  });
  const ledger = dynamoLedger(cloud.table());
  for (const point of facts.points) await ledger.putPoint(facts.pair.pair, point);
  host = await startHost({ ...widgetsOf(cloud), invoke: invoker(cloud) });
  browser = await openBrowser();
});

afterAll(async () => {
  await browser?.close();
  await host?.close();
  await cloud?.close();
  rmSync(directory, { recursive: true, force: true });
});

describe('the dashboard as it is deployed', () => {
  it('has widgets that answer within their permissions, and lead from one to the other', async () => {
    const page = await browser.newPage({ viewport: { width: 1440, height: 1100 } });
    await page.goto(host.url);
    await page.waitForFunction(
      'document.querySelectorAll(".odr").length >= 3 && !document.querySelector("[aria-busy]")',
    );
    expect(await page.locator('.failed').count()).toBe(0);
    await page.screenshot({ path: artefact('deployed.png'), fullPage: true });
    const section = page.locator('section', { has: page.getByRole('heading', { level: 1, name: /^Find a bucket/ }) });
    await section.getByRole('button', { name: BUCKET }).click();
    await section.getByRole('heading', { level: 2, name: BUCKET }).waitFor();
    expect(await section.innerText()).toContain('No, it is late:');
    expect(await section.locator('tbody tr').count()).toBe(3);
    await section.getByRole('button', { name: 'What is running' }).first().click();
    await section.getByText('Nothing is running.').waitFor();
  });

  it('shows what the assessment found, which the deployed functions read and write by the same names', async () => {
    await cloud.invoke('ozone-dr-assess-objectives', {});
    const page = await browser.newPage({ viewport: { width: 1440, height: 1100 } });
    await page.goto(`${host.url}?only=${encodeURIComponent('Is everything safe?')}`);
    await page.getByRole('heading', { level: 2, name: 'Is everything safe?' }).waitFor();
    await page.screenshot({ path: artefact('deployed-overview.png') });
    const text = await page.locator('.content').innerText();
    expect(text).not.toContain('not assessed');
    expect(text).toMatch(/sales\/offers|sales\/orders/);
  });

  it('documents its widgets as CloudWatch asks for it', async () => {
    for (const { endpoint } of widgetsOf(cloud).widgets)
      expect(await invoker(cloud)(endpoint, { describe: true })).toEqual({
        markdown: expect.stringContaining('### Parameters'),
      });
  });

  it('names functions that CloudWatch offers for widgets', () => {
    const { widgets } = widgetsOf(cloud);
    expect(widgets.length).toBeGreaterThanOrEqual(3);
    for (const { endpoint } of widgets) expect(endpoint).toMatch(/:function:customWidget[A-Z]/);
  });

  it('shows no point that was not read: what the ledger has is on the screen', async () => {
    const [widget] = widgetsOf(cloud).widgets;
    const answer = await invoker(cloud)(widget?.endpoint ?? '', { page: 'bucket', bucket: BUCKET });
    for (const letter of ['x', 'y', 'z']) expect(answer).toContain(nameOf(letter));
  });
});
