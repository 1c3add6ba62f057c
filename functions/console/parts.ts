import { type Html, html, type Value } from './html.ts';

/** How something is: also said in words wherever it is shown, never by the colour alone. */
export type Tone = 'good' | 'warn' | 'bad' | 'none';

export const toned = (tone: Tone, text: Value): Html => html`<strong class="odr-${tone}">${text}</strong>`;

/** A box with something to notice. A bad one is read out at once. */
export const notice = (tone: Tone, body: Value): Html =>
  html`<div class="odr-notice odr-${tone}" role="${tone === 'bad' ? 'alert' : 'note'}">${body}</div>`;

/** Rows under the names of their columns. */
export const table = (caption: string, columns: readonly Value[], rows: readonly (readonly Value[])[]): Html =>
  html`<div class="odr-scroll"><table aria-label="${caption}"><thead><tr>${columns.map(
    (it) => html`<th scope="col">${it}</th>`,
  )}</tr></thead><tbody>${rows.map((row) => html`<tr>${row.map((cell) => html`<td>${cell}</td>`)}</tr>`)}</tbody></table></div>`;

export const facts = (pairs: readonly (readonly [string, Value])[]): Html =>
  html`<dl>${pairs.map(([name, value]) => html`<dt>${name}</dt><dd>${value}</dd>`)}</dl>`;
