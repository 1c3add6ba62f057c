import { createHash } from 'node:crypto';
import type * as z from 'zod';
import { PlanHash } from '../domain/retention.ts';

export const hashOf = (text: string): PlanHash => PlanHash.parse(createHash('sha256').update(text).digest('hex'));

/** A plan as it is stored, under the hash of its text. */
export const asText = <P extends z.ZodType>(
  Plan: P,
  plan: z.input<P>,
): { readonly hash: PlanHash; readonly text: string } => {
  const text = JSON.stringify(Plan.parse(plan));
  return { hash: hashOf(text), text };
};

/** The plan of a hash; undefined when the text is another or cannot be read. */
export const readPlan = <P extends z.ZodType>(
  Plan: P,
  hash: PlanHash,
  text: string | undefined,
): z.output<P> | undefined => {
  if (text === undefined || hashOf(text) !== hash) return undefined;
  const parsed = Plan.safeParse(JSON.parse(text));
  return parsed.success ? parsed.data : undefined;
};
