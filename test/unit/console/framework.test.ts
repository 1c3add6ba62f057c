import { describe, expect, it } from 'vitest';
import { button, popup } from '../../../functions/console/action.ts';
import { form } from '../../../functions/console/form.ts';
import { html } from '../../../functions/console/html.ts';
import { answerWidget, type Widget } from '../../../functions/console/router.ts';
import { readWidgetEvent } from '../../../functions/console/widget-event.ts';
import { DrError } from '../../../functions/core/errors.ts';

const ENDPOINT = 'arn:aws:lambda:eu-central-1:111122223333:function:customWidgetTest';
const HOSTILE = `</cwdb-action><script>alert(1)</script>"'&<img src=x onerror=alert(1)>`;

const payloadOf = (markup: string): unknown =>
  JSON.parse(/<cwdb-action[^>]*>(.*)<\/cwdb-action>/s.exec(markup)?.[1] ?? '');

describe('markup', () => {
  it('escapes every text, and leaves markup of its own as it is', () => {
    expect(String(html`<p title="${'"a" & b'}">${'<b>'}${html`<i>${1}</i>`}${[html`x`, null, 'y']}</p>`)).toBe(
      '<p title="&quot;a&quot; &amp; b">&lt;b&gt;<i>1</i>xy</p>',
    );
  });

  it('refuses a value that would stand as an attribute without quotes', () => {
    expect(() => html`<p class=${'a'}></p>`).toThrow('quote the attribute');
  });
});

describe('an action', () => {
  it('carries its fields as JSON that reads the same as text and as markup', () => {
    const made = String(button('Go', { endpoint: ENDPOINT, page: 'bucket', fields: { bucket: HOSTILE } }));
    const [, content = ''] = /<cwdb-action[^>]*>(.*)<\/cwdb-action>/s.exec(made) ?? [];
    expect(content).not.toMatch(/[<>&']/);
    expect(payloadOf(made)).toEqual({ bucket: HOSTILE, page: 'bucket' });
  });

  it('belongs to the button just before it, and asks first when it is told to', () => {
    expect(String(button('Go', { endpoint: ENDPOINT, page: 'x', display: 'popup', confirmation: 'Sure "now"?' }))).toBe(
      `<button type="button" class="btn">Go</button><cwdb-action action="call" display="popup" endpoint="${ENDPOINT}" confirmation="Sure &quot;now&quot;?">{"page":"x"}</cwdb-action>`,
    );
  });

  it('cannot be sent to another page by a field of that name', () => {
    expect(payloadOf(String(button('Go', { endpoint: ENDPOINT, page: 'bucket', fields: { page: 'pause' } })))).toEqual({
      page: 'bucket',
    });
  });

  it('shows markup without a call', () => {
    expect(String(popup('more', html`<p>${'<'}</p>`))).toContain(
      '<cwdb-action action="html" display="popup"><p>&lt;</p></cwdb-action>',
    );
  });
});

describe('a form', () => {
  it('labels every field, says what was wrong, and keeps what was typed', () => {
    const made = String(
      form(
        [
          { kind: 'text', name: 'by', label: 'Your name', value: HOSTILE, problem: 'say who' },
          { kind: 'lines', name: 'paths', label: 'Paths', value: '\nfirst is empty' },
          {
            kind: 'choice',
            name: 'from',
            label: 'From',
            value: 'replica',
            options: [
              ['source', 'prod'],
              ['replica', 'dr'],
            ],
          },
        ],
        html`<b>Send</b>`,
      ),
    );
    expect(made).toContain('<label for="odr-by">Your name</label>');
    expect(made).toContain('aria-invalid="true"');
    expect(made).toContain('<strong class="odr-bad">say who</strong>');
    expect(made).toContain('&lt;/cwdb-action&gt;&lt;script&gt;');
    expect(made).not.toContain('<script>');
    expect(made).toContain('>\n\nfirst is empty</textarea>');
    expect(made).toContain('<option value="replica" selected="selected">dr</option>');
    expect(made.indexOf('</form>')).toBeLessThan(made.indexOf('<b>Send</b>'));
  });
});

describe('the event of a widget', () => {
  const context = {
    dashboardName: 'Ozone-DR',
    widgetId: 'widget-16',
    accountId: '111122223333',
    locale: 'en',
    theme: 'dark',
    width: 588,
    height: 369,
    timezone: { label: 'UTC', offsetISO: '+00:00', offsetInMinutes: 0 },
    period: 300,
    isAutoPeriod: true,
    linkCharts: true,
    title: 'x',
    timeRange: { mode: 'relative', start: 1, end: 2, relativeStart: 3 },
    forms: { all: { by: 'Ada', n: 3, sure: true, list: ['not ours'] } },
    params: { policy: 'nightly' },
  };

  it('is read as CloudWatch documents it', () => {
    expect(readWidgetEvent({ page: 'bucket', bucket: 'sales/orders', widgetContext: context })).toEqual({
      isDescribe: false,
      page: 'bucket',
      fields: { bucket: 'sales/orders' },
      form: { by: 'Ada', n: '3', sure: 'true' },
      view: { theme: 'dark', width: 588, height: 369, dashboard: 'Ozone-DR' },
    });
  });

  it('may be nearly empty, and is refused when it is none', () => {
    expect(readWidgetEvent({})).toMatchObject({ isDescribe: false, page: undefined, view: { theme: 'light' } });
    expect(readWidgetEvent({ widgetContext: { theme: 'sepia', width: -1, forms: 7 } }).view).toEqual({
      theme: 'light',
      width: 600,
      height: 400,
      dashboard: '',
    });
    for (const event of [null, 'text', { page: 7 }, { page: 'x'.repeat(101) }])
      expect(() => readWidgetEvent(event)).toThrow(expect.objectContaining({ name: 'EventInvalid' }));
  });
});

describe('a widget', () => {
  const reported: unknown[] = [];
  const widget: Widget = {
    title: 'Test',
    about: 'For tests.',
    params: { policy: 'shows only this one' },
    example: { policy: 'nightly' },
    endpoint: ENDPOINT,
    pages: [
      { name: 'first', show: async ({ fields }) => html`<p>${fields.name ?? 'nobody'}</p>` },
      {
        name: 'refuses',
        show: async () => {
          throw new DrError('NotConfirmed', 'write <it> again');
        },
      },
      {
        name: 'breaks',
        show: async () => {
          throw new TypeError('secret detail');
        },
      },
    ],
    report: (problem, error) => reported.push([problem, error]),
  };
  const ask = answerWidget(widget);

  it('documents itself', async () => {
    expect(await ask({ describe: true })).toEqual({
      markdown: expect.stringContaining('**policy** | shows only this one'),
    });
  });

  it('shows its first page, in the colours and for the size that it has', async () => {
    const small = await ask({ name: '<x>', widgetContext: { theme: 'dark', width: 300, height: 150 } });
    expect(small).toContain('<div class="odr odr-dark odr-narrow odr-low"><p>&lt;x&gt;</p></div>');
    expect(await ask({ widgetContext: { theme: 'light', width: 1400, height: 1000 } })).toContain(
      '<div class="odr odr-light"><p>nobody</p></div>',
    );
  });

  it('says which pages there are when one is not', async () => {
    expect(await ask({ page: HOSTILE.slice(0, 90) })).toMatch(
      /There is no page &quot;&lt;\/cwdb-action&gt;.*There are: first, refuses, breaks\./,
    );
  });

  it('shows what an expected failure says, and of another one only that the log has it', async () => {
    expect(await ask({ page: 'refuses' })).toContain('NotConfirmed: write &lt;it&gt; again');
    const broken = await ask({ page: 'breaks' });
    expect(broken).not.toContain('secret detail');
    expect(broken).toContain('Back to the start');
    expect(reported).toHaveLength(2);
  });

  it('loads nothing from anywhere and runs no script', async () => {
    const page = await ask({});
    expect(page).not.toMatch(/<script|<iframe|<use|<link|@import|url\(|https?:/);
  });
});
