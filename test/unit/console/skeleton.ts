import { type DefaultTreeAdapterTypes, parseFragment } from 'parse5';

type Node = DefaultTreeAdapterTypes.ChildNode;

/** A markup as a browser sees it. */
export interface Seen {
  /** Its elements with the names of their attributes; no texts, no values. */
  readonly skeleton: string;
  /** What is shown, and what attributes say. */
  readonly texts: string;
  /** The functions that are called. */
  readonly endpoints: readonly string[];
  /** What the buttons send. */
  readonly payloads: readonly Record<string, string>[];
}

const childrenOf = (node: Node): readonly Node[] => ('childNodes' in node ? node.childNodes : []);
const textOf = (node: Node): string => ('value' in node ? node.value : childrenOf(node).map(textOf).join(''));

export const seen = (markup: string): Seen => {
  const texts: string[] = [];
  const endpoints: string[] = [];
  const payloads: Record<string, string>[] = [];
  const walk = (node: Node): string => {
    if ('value' in node) texts.push(node.value);
    if (!('tagName' in node)) return node.nodeName === '#text' ? '' : node.nodeName;
    texts.push(...node.attrs.map(({ value }) => value));
    endpoints.push(...node.attrs.filter(({ name }) => name === 'endpoint').map(({ value }) => value));
    if (node.tagName === 'cwdb-action') payloads.push(JSON.parse(textOf(node)));
    return `<${node.tagName} ${node.attrs.map(({ name }) => name).join(' ')}>${childrenOf(node).map(walk).join('')}</>`;
  };
  const skeleton = parseFragment(markup).childNodes.map(walk).join('');
  return { skeleton, texts: texts.join(''), endpoints, payloads };
};

export const textsOf = (markup: string): string => seen(markup).texts;
export const payloadsOf = (markup: string): Seen['payloads'] => seen(markup).payloads;
