import type { Page } from 'playwright-core';
import { expect } from 'vitest';
import type { LocalCloud } from '../local-cloud/index.ts';
import { artefact } from './browser.ts';
import type { DashboardHost } from './host.ts';

export interface Seat {
  readonly page: Page;
  readonly host: DashboardHost;
  readonly cloud: LocalCloud;
}

/** What a person does in front of the dashboard. @param name of the pictures. @param most looks until it gives up */
export const hands = (name: string, most: number, seat: () => Seat) => {
  const text = () => seat().page.locator('.content').first().innerText();
  const idle = async () => {
    await seat().page.waitForFunction('document.querySelectorAll(".content[aria-busy]").length === 0');
  };
  const press = async (button: string | RegExp) => {
    await seat()
      .page.getByRole('button', { name: button, exact: typeof button === 'string' })
      .first()
      .click();
    await idle();
  };
  return {
    text,
    press,
    open: async (title: string, more = '') => {
      const { page, host } = seat();
      await page.goto(`${host.url}?only=${encodeURIComponent(title)}${more}`);
      await page.locator('.content .odr').first().waitFor();
      await idle();
    },
    picture: (what: string) => seat().page.screenshot({ path: artefact(`${name}-${what}.png`), fullPage: true }),
    /** Goes on until the page says it, `by` seconds at a time: time goes by only here. */
    until: async (wanted: RegExp, by = 10) => {
      for (let n = 0; n < most; n++) {
        if (wanted.test(await text())) return;
        await seat().cloud.advanceBy(by);
        await press('Look again');
      }
      throw new Error(`it never said ${wanted}: ${await text()}`);
    },
    /** Types the words that the plan asks for. */
    confirm: async (words: string, button = 'Fail over') => {
      const { page } = seat();
      const label = await page.locator('label[for=odr-confirmation]').innerText();
      expect(label).toMatch(new RegExp(`^Type ${words} [0-9a-f]{12} to start it$`));
      await page.getByLabel(label).fill(label.slice('Type '.length, -' to start it'.length));
      await press(button);
    },
  };
};
