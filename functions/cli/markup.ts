import { escaped } from '../core/domain/text.ts';

/** What the pages of this product look like: light and dark, and in print. `--tone` is the colour of a class below. */
const STYLE = `
  :root { color-scheme: light dark; --page: #fbfbfa; --card: #fff; --text: #1d242e; --soft: #5b6675; --line: #d5dae1;
    --good: #18794e; --repair: #a85a00; --bad: #c2321f; }
  @media (prefers-color-scheme: dark) { :root { --page: #14181e; --card: #1c222b; --text: #e7ebf0; --soft: #9aa6b4;
    --line: #343d49; --good: #4ec28d; --repair: #e5a33d; --bad: #ff7d6e; } }
  body { margin: 0 auto; max-width: 1240px; padding: 24px 20px 60px; background: var(--page); color: var(--text);
    font: 15px/1.5 system-ui, sans-serif; }
  h1 { font-size: 22px; margin: 0; } h2 { font-size: 16px; margin: 0; }
  p { margin: 4px 0 12px; } .soft { color: var(--soft); }
  .good { --tone: var(--good); } .repair { --tone: var(--repair); } .bad { --tone: var(--bad); } .none { --tone: var(--soft); }
  article { background: var(--card); border: 1px solid var(--line); border-left: 4px solid var(--tone); border-radius: 8px;
    padding: 12px 16px; margin: 12px 0; }
  .badge { color: var(--tone); font-weight: 600; font-size: 14px; margin-left: 8px; }
  dl { display: grid; grid-template-columns: 130px 1fr; gap: 2px 12px; margin: 8px 0; } dt { color: var(--soft); }
  dd { margin: 0; overflow-wrap: anywhere; } code { font: 13px ui-monospace, monospace; }
  table { border-collapse: collapse; width: 100%; margin-top: 6px; font-size: 13px; } summary { cursor: pointer; color: var(--soft); }
  th, td { text-align: left; padding: 3px 10px 3px 0; border-top: 1px solid var(--line); vertical-align: top; overflow-wrap: anywhere; }
  th { font-weight: 500; color: var(--soft); } td.number { white-space: nowrap; }
  .picture { overflow-x: auto; background: var(--card); border: 1px solid var(--line); border-radius: 8px; margin: 16px 0 8px; }
  svg { display: block; font: 12px system-ui, sans-serif; } svg text { fill: var(--text); } svg .soft { fill: var(--soft); }
  svg .toned { fill: var(--tone); }
  @media print { :root { color-scheme: light; --page: #fff; --card: #fff; --text: #000; --soft: #444; --line: #bbb;
    --good: #18794e; --repair: #a85a00; --bad: #c2321f; } body { max-width: none; padding: 0; font-size: 11px; }
    article { break-inside: avoid-page; } thead { display: table-header-group; } }
`;

/**
 * A whole page: no scripts, nothing loaded, well-formed as XML too. `title` is text, `body` and `style` are markup of
 * the caller.
 */
export const page = ({
  title,
  style = '',
  body,
}: {
  readonly title: string;
  readonly style?: string;
  readonly body: string;
}): string => `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8" />
<meta name="viewport" content="width=device-width, initial-scale=1" />
<title>${escaped(title)}</title>
<style>${STYLE}${style}</style>
</head>
<body>
${body}
</body>
</html>
`;
