const TAG = /<(\/?)([a-z][a-z0-9-]*)((?:\s+[a-zA-Z][a-zA-Z0-9:-]*="[^"<]*")*)\s*(\/?)>/y;
const TEXT = /(?:[^<&]|&(?:amp|lt|gt|quot|#39);)+/y;

/**
 * What keeps a page from being well-formed as XML: a stray `<` or `&`, an attribute without quotes, an element that is
 * not closed. Strict on purpose: the pages are ours. The style element is skipped.
 */
export const problemsOfMarkup = (page: string): readonly string[] => {
  const text = page.replace(/^<!DOCTYPE html>/, '').replace(/<style>[^<]*<\/style>/, '');
  const open: string[] = [];
  let at = 0;
  while (at < text.length) {
    TEXT.lastIndex = at;
    TAG.lastIndex = at;
    const tag = TAG.exec(text);
    if (tag) {
      const [, closing, name = '', , empty] = tag;
      if (closing) {
        const opened = open.pop();
        if (opened !== name) return [`</${name}> closes <${opened}>`];
      } else if (!empty) open.push(name);
      at = TAG.lastIndex;
    } else if (TEXT.test(text)) at = TEXT.lastIndex;
    else return [`not markup: ${text.slice(at, at + 60)}`];
  }
  return open.map((name) => `<${name}> is not closed`);
};
