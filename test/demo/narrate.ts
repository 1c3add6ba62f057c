import * as z from 'zod';
import { visible } from '../../functions/core/domain/text.ts';
import type { CloudEvent } from '../local-cloud/index.ts';
import { secondsText, timeOf, withDays } from './lineage.ts';

/** Where lines go. */
export interface Paper {
  readonly write: (text: string) => void;
  readonly colour: boolean;
  readonly columns: number;
}

const COLOURS = { bold: 1, dim: 2, red: 31, green: 32, yellow: 33, cyan: 36 } as const;
export type Colour = keyof typeof COLOURS;

export const paint = (paper: Pick<Paper, 'colour'>, colour: Colour, text: string): string =>
  paper.colour ? `\u001b[${COLOURS[colour]}m${text}\u001b[0m` : text;

/** Cut at the column with a mark that it was. */
export const cut = (text: string, columns: number): string =>
  text.length <= columns ? text.padEnd(columns) : `${text.slice(0, columns - 1)}…`;

/** Breaks text at blanks. */
export const wrap = (text: string, columns: number): readonly string[] => {
  const lines: string[] = [];
  for (const word of text.split(' ')) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + 1 + word.length <= columns) lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(word);
  }
  return lines;
};

/** What the machine's Decide state hands on: the decision, as its Lambda function returned it. */
const Decided = z
  .string()
  .transform((text): unknown => JSON.parse(text))
  .pipe(
    z.object({
      Payload: z.object({
        kind: z.string(),
        reason: z.string(),
        mode: z.string().optional(),
        host: z.string().optional(),
      }),
    }),
  );

const VERBS: Readonly<Record<string, string>> = {
  survey: 'survey',
  'create-snapshot': 'snapshot',
  'compute-diff': 'diff',
  replicate: 'copy',
  verify: 'compare',
  wait: 'wait',
};

/** Exit codes of the edge host script. */
const OUTCOMES: Readonly<Record<number, string>> = {
  0: 'ok',
  10: 'refused',
  11: 'failed',
  12: 'unreachable',
  13: 'interrupted',
};

/** People hear of it; an alarm that only measures tells nobody. */
export const isTold = (event: CloudEvent): boolean => !/-raw(-\d)?$/.test(String(event.alarm));
/** An alarm's name without the deployment's prefix: that of its runbook. */
export const alarmName = (event: CloudEvent): string => String(event.alarm).replace(/^ozone-dr-/, '');

interface OpenStep {
  readonly began: number;
  readonly beganReal: number;
  outcome: string;
}

/**
 * Tells the steps of backup runs while they happen: when, what, on which cluster's host, why, what came of it, how long
 * in the story and in real milliseconds.
 */
export class Narrator {
  readonly #paper: Paper;
  readonly #clusterOf: Readonly<Record<string, string>>;
  readonly #afterStep: string[] = [];
  #step: OpenStep | undefined;

  /** @param clusterOf names of the clusters by the id of their edge host */
  constructor(paper: Paper, clusterOf: Readonly<Record<string, string>>) {
    this.#paper = paper;
    this.#clusterOf = clusterOf;
  }

  /** A line of its own; while a step is going on, after that. */
  line(text = ''): void {
    if (this.#step) this.#afterStep.push(text);
    else this.#paper.write(`${text}\n`);
  }

  /** A labelled text, wrapped below itself. */
  note(label: string, text: string, colour: Colour = 'dim'): void {
    const lines = wrap(visible(text), this.#paper.columns - 13);
    for (const [index, one] of lines.entries()) {
      this.line(`  ${paint(this.#paper, colour, (index === 0 ? label : '').padEnd(10))} ${one}`);
    }
  }

  heading(text: string, more: string): void {
    this.line();
    this.line(`${paint(this.#paper, 'bold', text)}  ${paint(this.#paper, 'dim', more)}`);
  }

  readonly onEvent = (event: CloudEvent): void => {
    if (event.kind === 'command' && this.#step && typeof event.code === 'number' && event.status !== 'InProgress') {
      this.#step.outcome = OUTCOMES[event.code] ?? String(event.status);
    }
    if (event.kind === 'schedule-refused') this.note('refused', String(event.message), 'red');
    if (event.kind === 'alarm' && event.state === 'ALARM' && isTold(event))
      this.note('ALARM', `${alarmName(event)}: see docs/runbooks/${alarmName(event)}.md`, 'red');
    if (event.kind !== 'history' || !String(event.execution).includes(':ozone-dr-backup:')) return;
    if (event.type === 'TaskStateEntered' && event.name === 'Decide') this.#end(event.at);
    if (event.type === 'TaskStateExited' && event.name === 'Decide') this.#begin(event);
  };

  #begin(event: CloudEvent): void {
    const { kind, reason, mode, host } = Decided.parse(event.output).Payload;
    const verb = VERBS[kind];
    if (verb === undefined) return;
    const where = this.#clusterOf[host ?? ''] ?? '';
    const why = visible(withDays(mode === undefined ? reason : `${mode}: ${reason}`)).replace(/\s/g, ' ');
    const { columns } = this.#paper;
    this.#paper.write(
      `  ${paint(this.#paper, 'dim', timeOf(new Date(event.at)))}   ${paint(this.#paper, 'cyan', verb.padEnd(9))} ` +
        `${where.padEnd(5)} ${cut(why, columns - 58)} `,
    );
    this.#step = { began: event.at, beganReal: performance.now(), outcome: kind === 'wait' ? 'waited' : '' };
  }

  #end(at: number): void {
    const step = this.#step;
    if (!step) return;
    this.#step = undefined;
    const { outcome, began, beganReal } = step;
    const colour = ['ok', 'waited'].includes(outcome) ? 'green' : 'red';
    const story = secondsText((at - began) / 1000);
    const real = `${Math.round(performance.now() - beganReal)} ms`;
    this.#paper.write(
      `${paint(this.#paper, colour, outcome.padEnd(11))} ${story.padStart(9)} ${paint(this.#paper, 'dim', real.padStart(8))}\n`,
    );
    for (const line of this.#afterStep.splice(0)) this.line(line);
  }
}
