import { escaped } from '../core/domain/text.ts';

/** Markup that was made by {@link html}: the only thing that goes into a page as it is. */
export class Html {
  readonly #text: string;

  private constructor(text: string) {
    this.#text = text;
  }

  toString(): string {
    return this.#text;
  }

  /** For {@link html}, which escapes. */
  static of(text: string): Html {
    return new Html(text);
  }
}

/** What may stand in a template: text is escaped, nothing (`null`, `false`) is left out. */
export type Value = string | number | Html | null | undefined | false | readonly Value[];

const text = (value: Value): string => {
  if (value === null || value === undefined || value === false) return '';
  if (value instanceof Html) return value.toString();
  if (typeof value === 'string') return escaped(value);
  return typeof value === 'number' ? String(value) : value.map(text).join('');
};

/**
 * Markup with values in it: every text is escaped for an element or a quoted attribute.
 * @throws Error where a value would stand as an attribute without quotes: no escaping helps there
 */
export const html = (parts: TemplateStringsArray, ...values: readonly Value[]): Html =>
  Html.of(
    parts
      .map((part, index) => {
        if (index < values.length && /=\s*$/.test(part)) throw new Error(`quote the attribute after ${part.trim()}`);
        return part + text(values[index]);
      })
      .join(''),
  );

export const nothing = html``;
