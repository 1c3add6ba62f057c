import * as z from 'zod';
import { DrError } from '../core/errors.ts';

/** What a checkbox or a number sends is read as what it shows; anything else was not typed into a form of ours. */
const Typed = z.union([z.string(), z.number(), z.boolean()]).transform(String);

const typedOf = (given: Readonly<Record<string, unknown>>): Readonly<Record<string, string>> =>
  Object.fromEntries(
    Object.entries(given).flatMap(([name, value]) => {
      const typed = Typed.safeParse(value);
      return typed.success ? [[name, typed.data]] : [];
    }),
  );

const Fields = z.record(z.string(), z.unknown());

/** What the dashboard says of the widget (CloudWatch user guide, details about custom widgets). */
const WidgetContext = z.object({
  dashboardName: z.string().max(300).catch(''),
  accountId: z.string().catch(''),
  theme: z.enum(['light', 'dark']).catch('light'),
  /** Of the content, in pixels. */
  width: z.number().positive().catch(600),
  height: z.number().positive().catch(400),
  timezone: z.object({ label: z.string(), offsetInMinutes: z.number() }).catch({ label: 'UTC', offsetInMinutes: 0 }),
  forms: z.object({ all: Fields.catch({}) }).catch({ all: {} }),
});

const WidgetEvent = z.looseObject({
  describe: z.boolean().catch(false),
  page: z.string().max(100).optional(),
  widgetContext: WidgetContext.optional(),
});

/** How it is looked at. */
export interface View {
  readonly theme: 'light' | 'dark';
  /** Pixels. */
  readonly width: number;
  readonly height: number;
  readonly dashboard: string;
}

/** What a widget is asked for. All texts were typed by somebody. */
export interface WidgetRequest {
  /** Documentation of the widget is asked for, nothing else. */
  readonly isDescribe: boolean;
  /** Undefined for the first page of the widget. */
  readonly page: string | undefined;
  /** What the widget is configured with, and what a button gave. */
  readonly fields: Readonly<Record<string, string>>;
  /** What is typed in the forms of the widget. */
  readonly form: Readonly<Record<string, string>>;
  readonly view: View;
}

/** Reads what a dashboard, or somebody who calls the function by hand, sends. @throws EventInvalid */
export const readWidgetEvent = (event: unknown): WidgetRequest => {
  const parsed = WidgetEvent.safeParse(event);
  if (!parsed.success) throw new DrError('EventInvalid', z.prettifyError(parsed.error));
  const { describe, page, widgetContext, ...fields } = parsed.data;
  const context = widgetContext ?? WidgetContext.parse({});
  const { theme, width, height, dashboardName, forms } = context;
  return {
    isDescribe: describe,
    page,
    fields: typedOf(fields),
    form: typedOf(forms.all),
    view: { theme, width, height, dashboard: dashboardName },
  };
};
