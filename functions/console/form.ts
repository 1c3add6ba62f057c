import { type Html, html, type Value } from './html.ts';

/** One thing to fill in. `name` is what its value comes back under. */
export type Field = {
  readonly name: string;
  readonly label: string;
  readonly hint?: string;
  /** What was wrong with what was typed. */
  readonly problem?: string | undefined;
} & (
  | { readonly kind: 'text'; readonly value?: string; readonly placeholder?: string }
  | { readonly kind: 'lines'; readonly value?: string; readonly rows?: number; readonly placeholder?: string }
  | { readonly kind: 'choice'; readonly value?: string; readonly options: readonly (readonly [string, string])[] }
);

const control = (field: Field, id: string): Html => {
  const { name, hint, problem } = field;
  const said = hint === undefined && problem === undefined ? null : html` aria-describedby="${id}-hint"`;
  const wrong = problem !== undefined && html` aria-invalid="true"`;
  switch (field.kind) {
    case 'text':
      return html`<input type="text" id="${id}" name="${name}" value="${field.value ?? ''}" placeholder="${field.placeholder ?? ''}" autocomplete="off"${said}${wrong} />`;
    case 'lines':
      // The first line end after the tag is not part of the value (HTML, the textarea element).
      return html`<textarea id="${id}" name="${name}" rows="${field.rows ?? 4}" placeholder="${field.placeholder ?? ''}"${said}${wrong}>
${field.value ?? ''}</textarea>`;
    case 'choice':
      return html`<select id="${id}" name="${name}"${said}${wrong}>${field.options.map(
        ([value, text]) =>
          html`<option value="${value}"${value === field.value && html` selected="selected"`}>${text}</option>`,
      )}</select>`;
  }
};

/** One field with its label; {@link form} puts several into a form. */
export const fieldRow = (field: Field): Html => {
  const id = `odr-${field.name}`;
  const { label, hint, problem } = field;
  return html`<div class="odr-field"><label for="${id}">${label}</label>${control(field, id)}${
    (hint !== undefined || problem !== undefined) &&
    html`<div class="odr-hint" id="${id}-hint">${problem !== undefined && html`<strong class="odr-bad">${problem}</strong> `}${hint}</div>`
  }</div>`;
};

/**
 * Fields, and after them the buttons that send them: the dashboard sends what is typed in any form of the widget with
 * every call. `more` is what else stands in the form, markup of ours. The disabled submit button keeps Enter from sending the form to the page that the dashboard is on.
 */
export const form = (fields: readonly Field[], buttons: Value, more: Value = null): Html =>
  html`<form class="odr-form"><button type="submit" disabled="disabled" hidden="hidden"></button>${fields.map(fieldRow)}${more}</form><div class="odr-buttons">${buttons}</div>`;
