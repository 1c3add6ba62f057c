import { get } from 'node:http';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { button, popup } from '../../functions/console/action.ts';
import { form } from '../../functions/console/form.ts';
import { html } from '../../functions/console/html.ts';
import { answerWidget } from '../../functions/console/router.ts';
import { chromiumPath, openBrowser } from './browser.ts';
import { type DashboardHost, startHost } from './host.ts';

const OURS = 'arn:aws:lambda:eu-central-1:000000000000:function:customWidgetTest';
const RAW = 'arn:aws:lambda:eu-central-1:000000000000:function:customWidgetRaw';

/** What a widget must not do, each in a way that runs where nothing is filtered. */
const RAW_ANSWER = `<script>window.ran = 1</script><img src="x" onerror="window.ran = 2"><iframe srcdoc="<script>parent.ran = 3</script>"></iframe>
<svg><use href="#a"></use><circle id="a" r="3" onload="window.ran = 4"></circle></svg><a id="link" href="javascript:window.ran=5">go</a>
<style>#styled { color: rgb(1, 2, 3) }</style><p id="styled">shown</p>
<button id="twice">twice</button><cwdb-action event="dblclick">replaced by html</cwdb-action>`;

let browser: Browser;
let host: DashboardHost;
let page: Page;
const asked: unknown[] = [];

beforeAll(async () => {
  const ours = answerWidget({
    title: 'Test',
    about: '',
    params: {},
    example: {},
    endpoint: OURS,
    report: () => undefined,
    pages: [
      {
        name: 'first',
        show: async () =>
          html`${form(
            [
              { kind: 'text', name: 'by', label: 'Your name' },
              { kind: 'lines', name: 'paths', label: 'Paths' },
            ],
            button('Send', { endpoint: OURS, page: 'sent', fields: { what: '</cwdb-action><b>"\'&' } }),
          )}
          ${button('Sure', { endpoint: OURS, page: 'sent', confirmation: 'Really: <now>?' })}${button('Over it', { endpoint: OURS, page: 'sent', display: 'popup' })}${popup('More', html`<p>nothing was called</p>`)}`,
      },
      {
        name: 'sent',
        show: async ({ fields, form: typed }) => html`<p id="sent">${JSON.stringify({ fields, typed })}</p>`,
      },
    ],
  });
  host = await startHost({
    dashboard: 'Tests <1>',
    widgets: [
      { title: 'Ours', endpoint: OURS, params: { policy: 'nightly' }, width: 12, height: 8 },
      { title: 'Raw', endpoint: RAW, params: {}, width: 12, height: 8 },
      { title: 'Broken', endpoint: 'arn:none', params: {}, width: 6, height: 4 },
    ],
    invoke: async (endpoint, event) => {
      asked.push(event);
      if (endpoint === RAW) return RAW_ANSWER;
      if (endpoint === OURS) return ours(event);
      throw new Error('ResourceNotFound: <b>no</b> function');
    },
  });
  browser = await openBrowser();
  page = await browser.newPage();
});

afterAll(async () => {
  await browser?.close();
  await host?.close();
});

const fresh = async (query = ''): Promise<void> => {
  await page.goto(host.url + query);
  await page.locator('.content:not([aria-busy])').first().waitFor();
};

describe('the local dashboard', () => {
  it('runs nothing of an answer, and keeps its style, like CloudWatch', async () => {
    await fresh('?only=Raw');
    await page.locator('#styled').waitFor();
    expect(await page.evaluate('window.ran')).toBeUndefined();
    expect(await page.locator('.content script, .content iframe, .content use').count()).toBe(0);
    expect(await page.locator('#link').getAttribute('href')).toBeNull();
    expect(await page.evaluate('getComputedStyle(document.getElementById("styled")).color')).toBe('rgb(1, 2, 3)');
    await page.locator('#twice').dblclick();
    expect(await page.locator('.content').innerText()).toBe('replaced by html');
  });

  it('sends what is typed and what the button gives', async () => {
    await fresh('?only=Ours');
    await page.getByLabel('Your name').fill('Ada');
    await page.getByLabel('Paths').fill('a\nb');
    await page.getByRole('button', { name: 'Send' }).click();
    expect(JSON.parse(await page.locator('#sent').innerText())).toEqual({
      fields: { what: '</cwdb-action><b>"\'&' },
      typed: { by: 'Ada', paths: 'a\nb' },
    });
    expect(asked.at(-1)).toMatchObject({
      page: 'sent',
      widgetContext: { theme: 'light', params: { policy: 'nightly' } },
    });
  });

  it('does not leave the dashboard when Enter is pressed in a field', async () => {
    await fresh('?only=Ours');
    await page.getByLabel('Your name').fill('Ada');
    await page.getByLabel('Your name').press('Enter');
    expect(await page.getByLabel('Your name').inputValue()).toBe('Ada');
    expect(page.url()).toBe(`${host.url}?only=Ours`);
  });

  it('asks before it calls, and calls nothing when it is told no', async () => {
    await fresh('?only=Ours');
    const questions: string[] = [];
    page.once('dialog', (dialog) => {
      questions.push(dialog.message());
      void dialog.dismiss();
    });
    await page.getByRole('button', { name: 'Sure' }).click();
    expect(await page.locator('#sent').count()).toBe(0);
    page.once('dialog', (dialog) => void dialog.accept());
    await page.getByRole('button', { name: 'Sure' }).click();
    await page.locator('#sent').waitFor();
    expect(questions).toEqual(['Really: <now>?']);
  });

  it('shows an answer over the widget, and markup without a call', async () => {
    await fresh('?only=Ours');
    await page.getByRole('button', { name: 'Over it' }).click();
    await page.locator('dialog #sent').waitFor();
    await page.getByRole('button', { name: 'Close' }).click();
    const calls = asked.length;
    await page.getByRole('button', { name: 'More' }).click();
    expect(await page.locator('dialog').innerText()).toContain('nothing was called');
    expect(asked).toHaveLength(calls);
  });

  it('shows an error of a function as text', async () => {
    await fresh('?only=Broken&theme=dark');
    expect(await page.locator('.failed').innerText()).toContain('ResourceNotFound: <b>no</b> function');
  });

  it('answers no other site', async () => {
    const statusFor = (name: string): Promise<number | undefined> =>
      new Promise((resolve, reject) => {
        get(host.url, { headers: { host: name } }, (response) => resolve(response.resume().statusCode)).once(
          'error',
          reject,
        );
      });
    expect(await statusFor('evil.example')).toBe(403);
    expect(await statusFor('127.0.0.1')).toBe(200);
    const { status } = await fetch(`${host.url}invoke`, { method: 'POST', body: '{}' });
    expect(status).toBe(415);
  });
});

describe('the browser of the tests', () => {
  it('is named by the environment, or looked for; without one it says how to get it', () => {
    expect(() => chromiumPath({ CHROMIUM: '/nowhere/chrome' })).toThrow('CHROMIUM names /nowhere/chrome');
    expect(chromiumPath({ CHROMIUM: process.execPath })).toBe(process.execPath);
  });
});
