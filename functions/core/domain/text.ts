/** Control characters and halves of characters, which neither a terminal nor XML should meet, become a mark. */
export const visible = (text: string): string => text.replace(/(?![\t\n\r])[\p{Cc}\p{Cs}]|[\ufffe\uffff]/gu, '\ufffd');

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

/** Text for an element or a quoted attribute. */
export const escaped = (text: string): string => visible(text).replace(/[&<>"']/g, (it) => ENTITIES[it] ?? it);
