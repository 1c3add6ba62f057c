import { Html } from './html.ts';
import type { View } from './widget-event.ts';

/** Below these a page leaves out what is not needed at first sight. */
const NARROW = 560;
const LOW = 260;

/**
 * Everything is below `.odr`: the style stands in the page of the dashboard, which has others beside it. `--tone` is
 * the colour of a class below. Nothing is loaded from anywhere.
 */
const STYLE = `
.odr { --page: #ffffff; --card: #f6f7f8; --text: #16191f; --soft: #545b64; --line: #d5dbdb; --accent: #0b5fad;
  --good: #1a7440; --warn: #8a5300; --bad: #b3261e; --on-accent: #ffffff;
  background: var(--page); color: var(--text); font: 14px/1.45 system-ui, sans-serif; padding: 10px 12px; min-height: 100%;
  box-sizing: border-box; overflow-wrap: anywhere; }
.odr.odr-dark { --page: #16202c; --card: #1e2a38; --text: #eaeded; --soft: #a3b1bf; --line: #3b4856; --accent: #6cb8ff;
  --good: #5ccb8c; --warn: #f0b04e; --bad: #ff8a7d; --on-accent: #10161d; }
.odr h2 { font-size: 17px; line-height: 1.3; margin: 0 0 6px; color: var(--text); }
.odr h3 { font-size: 14px; margin: 14px 0 4px; color: var(--text); }
.odr p { margin: 4px 0 8px; } .odr ul { margin: 4px 0 8px; padding-left: 20px; }
.odr code { font: 13px ui-monospace, monospace; background: none; color: inherit; padding: 0; }
.odr a { color: var(--accent); }
.odr .odr-soft, .odr .odr-hint { color: var(--soft); }
.odr .odr-good { --tone: var(--good); } .odr .odr-warn { --tone: var(--warn); } .odr .odr-bad { --tone: var(--bad); } .odr .odr-none { --tone: var(--soft); }
.odr strong.odr-good, .odr strong.odr-warn, .odr strong.odr-bad, .odr strong.odr-none, .odr td.odr-good, .odr td.odr-warn, .odr td.odr-bad { color: var(--tone); }
.odr .odr-notice { background: var(--card); border: 1px solid var(--line); border-left: 4px solid var(--tone, var(--soft)); border-radius: 4px; padding: 8px 12px; margin: 6px 0 10px; }
.odr .odr-scroll { overflow-x: auto; margin-bottom: 10px; }
.odr table { border-collapse: collapse; width: 100%; font-size: 13px; background: none; border: 0; }
.odr th, .odr td { text-align: left; padding: 4px 10px 4px 0; border: 0; border-top: 1px solid var(--line); vertical-align: top; background: none; color: var(--text); white-space: normal; overflow-wrap: break-word; }
.odr td code { overflow-wrap: anywhere; } .odr td button.btn { white-space: nowrap; }
.odr th { font-weight: 600; color: var(--soft); border-top: 0; }
.odr dl { display: grid; grid-template-columns: minmax(90px, 150px) 1fr; gap: 3px 12px; margin: 6px 0; } .odr dt { color: var(--soft); } .odr dd { margin: 0; }
.odr button.btn { font: inherit; font-weight: 600; padding: 4px 14px; margin: 0 8px 6px 0; border: 1px solid var(--accent); border-radius: 4px; background: none; color: var(--accent); cursor: pointer; text-align: left; min-height: 0; line-height: 1.45; white-space: normal; }
.odr button.btn.btn-primary { background: var(--accent); color: var(--on-accent); }
.odr button.btn.odr-link { border: 0; padding: 0; margin: 0; text-decoration: underline; font-weight: inherit; }
.odr button.btn:hover { text-decoration: underline; }
.odr button:focus-visible, .odr input:focus-visible, .odr select:focus-visible, .odr textarea:focus-visible, .odr summary:focus-visible, .odr a:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
.odr .odr-field { margin: 0 0 10px; max-width: 720px; } .odr label { display: block; font-weight: 600; margin-bottom: 2px; }
.odr input[type=text], .odr select, .odr textarea { font: inherit; width: 100%; box-sizing: border-box; padding: 5px 8px; border: 1px solid var(--soft); border-radius: 4px; background: var(--page); color: var(--text); height: auto; }
.odr textarea { font: 13px ui-monospace, monospace; } .odr [aria-invalid] { border-color: var(--bad); }
.odr .odr-buttons { margin: 8px 0 4px; } .odr .odr-bar { display: flex; flex-wrap: wrap; gap: 2px 14px; margin: 0 0 8px; }
.odr summary { cursor: pointer; color: var(--accent); }
.odr .odr-picture { overflow-x: auto; border: 1px solid var(--line); border-radius: 4px; background: var(--card); margin: 8px 0; }
.odr svg { display: block; font: 12px system-ui, sans-serif; } .odr svg text { fill: var(--text); } .odr svg .odr-soft { fill: var(--soft); } .odr svg .odr-toned { fill: var(--tone); }
.odr.odr-narrow { padding: 8px; font-size: 13px; } .odr.odr-narrow h2 { font-size: 15px; }
.odr.odr-narrow .odr-wide, .odr.odr-low .odr-tall { display: none; }
.odr.odr-low { display: flex; flex-direction: column; } .odr.odr-low nav { order: 1; margin-top: 8px; }
.odr.odr-narrow dl { display: block; } .odr.odr-narrow dt { margin-top: 4px; }
`;

/** A whole answer: the page in the colours and for the size of the widget. `body` is markup of ours. */
export const framed = ({ theme, width, height }: View, body: Html): string => {
  const classes = [
    'odr',
    `odr-${theme}`,
    ...(width < NARROW ? ['odr-narrow'] : []),
    ...(height < LOW ? ['odr-low'] : []),
  ];
  return Html.of(`<style>${STYLE}</style><div class="${classes.join(' ')}">${body}</div>`).toString();
};
