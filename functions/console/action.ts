import { Html, html, type Value } from './html.ts';

/** A call of one of our functions by the dashboard, with the credentials of whoever looks at it. */
export interface Call {
  /** ARN of the function. */
  readonly endpoint: string;
  readonly page: string;
  /** What the page is told besides its name; what is typed comes with the forms. */
  readonly fields?: Readonly<Record<string, string>>;
  /** Where the answer goes: in place of the widget (default), or over it. */
  readonly display?: 'widget' | 'popup';
  /** What the dashboard asks before it calls. */
  readonly confirmation?: string;
}

/**
 * JSON in which no character means anything to HTML: it reads the same as text and as markup, and nothing in it can end
 * the element that it stands in.
 */
const payload = (fields: Readonly<Record<string, string>>): Html =>
  Html.of(
    JSON.stringify(fields).replace(
      /[<>&'\u2028\u2029]/g,
      (it) => `\\u${it.charCodeAt(0).toString(16).padStart(4, '0')}`,
    ),
  );

/** What happens when the element just before it is chosen: CloudWatch's `cwdb-action` (user guide, custom widgets). */
const action = ({ endpoint, page, fields = {}, display = 'widget', confirmation }: Call): Html =>
  html`<cwdb-action action="call" display="${display}" endpoint="${endpoint}"${
    confirmation === undefined ? null : html` confirmation="${confirmation}"`
  }>${payload({ ...fields, page })}</cwdb-action>`;

export interface ButtonOptions {
  readonly isPrimary?: boolean;
  /** For a button whose text alone does not say which thing it is about. */
  readonly label?: string;
}

/** A button that calls a page. */
export const button = (text: Value, call: Call, { isPrimary = false, label }: ButtonOptions = {}): Html =>
  html`<button type="button" class="btn${isPrimary && ' btn-primary'}"${
    label === undefined ? null : html` aria-label="${label}"`
  }>${text}</button>${action(call)}`;

/** A button that looks like a link, for names in tables. */
export const linkButton = (text: Value, call: Call, label?: string): Html =>
  html`<button type="button" class="btn odr-link"${
    label === undefined ? null : html` aria-label="${label}"`
  }>${text}</button>${action(call)}`;

/** A button that shows more, without a call. `more` is markup of ours. */
export const popup = (text: Value, more: Html): Html =>
  html`<button type="button" class="btn odr-link">${text}</button><cwdb-action action="html" display="popup">${more}</cwdb-action>`;
