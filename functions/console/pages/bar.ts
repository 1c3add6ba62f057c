import { linkButton } from '../action.ts';
import type { Links } from '../endpoints.ts';
import { type Html, html } from '../html.ts';

/** The way to the other pages, first on each of them. */
export const bar = (links: Links, ...more: readonly Html[]): Html =>
  html`<nav class="odr-bar" aria-label="Pages">${[
    linkButton('All policies', links.overview()),
    linkButton('Find a bucket', links.bucket()),
    linkButton('What is running', links.operations()),
    ...more,
  ].map((it) => html`<span>${it}</span>`)}</nav>`;
