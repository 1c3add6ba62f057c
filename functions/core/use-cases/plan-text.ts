import { createHash } from 'node:crypto';
import { DeletionPlan } from '../domain/deletion-plan.ts';
import { PlanHash } from '../domain/retention.ts';

const hashOf = (text: string): PlanHash => PlanHash.parse(createHash('sha256').update(text).digest('hex'));

export const asText = (plan: DeletionPlan): { readonly hash: PlanHash; readonly text: string } => {
  const text = JSON.stringify(DeletionPlan.parse(plan));
  return { hash: hashOf(text), text };
};

/** The plan of a hash; undefined when the text is another or cannot be read. */
export const readPlan = (hash: PlanHash, text: string | undefined): DeletionPlan | undefined => {
  if (text === undefined || hashOf(text) !== hash) return undefined;
  const parsed = DeletionPlan.safeParse(JSON.parse(text));
  return parsed.success ? parsed.data : undefined;
};
