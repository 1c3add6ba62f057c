import { DrError } from '../core/errors.ts';
import { button } from './action.ts';
import { describe, type WidgetDocs } from './describe.ts';
import { type Html, html } from './html.ts';
import { notice } from './parts.ts';
import { framed } from './style.ts';
import { readWidgetEvent, type WidgetRequest } from './widget-event.ts';

export interface Page {
  /** What `page` of the event says. */
  readonly name: string;
  /** @throws DrError whose message tells a person what to do: it is shown */
  readonly show: (request: WidgetRequest) => Promise<Html>;
}

export interface Widget extends WidgetDocs {
  /** ARN of the function itself, for the way back. */
  readonly endpoint: string;
  /** The first one is shown when none is asked for. */
  readonly pages: readonly [Page, ...Page[]];
  /** Hears of a page that could not be shown. */
  readonly report: (problem: string, error: unknown) => void;
}

/** A function's answer to a dashboard: HTML, or its documentation. */
export type Answer = string | { readonly markdown: string };

const back = ({ endpoint, pages: [first] }: Widget): Html =>
  button('Back to the start', { endpoint, page: first.name });

const show = async (widget: Widget, request: WidgetRequest): Promise<Html> => {
  const { pages } = widget;
  const page = request.page === undefined ? pages[0] : pages.find(({ name }) => name === request.page);
  if (!page)
    return html`${notice('bad', `There is no page "${request.page}" here. There are: ${pages.map(({ name }) => name).join(', ')}.`)}${back(widget)}`;
  try {
    return await page.show(request);
  } catch (error) {
    widget.report(`the page ${page.name} could not be shown`, error);
    const why =
      error instanceof DrError
        ? `${error.name}: ${error.message}`
        : 'Something failed that should not. The log of this function says what; nothing was changed unless it says so.';
    return html`${notice('bad', why)}${back(widget)}`;
  }
};

/** Answers what a dashboard asks of a widget. @throws EventInvalid when it is no dashboard that asks */
export const answerWidget =
  (widget: Widget) =>
  async (event: unknown): Promise<Answer> => {
    const request = readWidgetEvent(event);
    if (request.isDescribe) return describe(widget);
    return framed(request.view, await show(widget, request));
  };
