import type * as z from 'zod';
import { DrError } from '../core/errors.ts';

/** What a page is told, and what was typed, at the door of the page. @throws EventInvalid that says what to write */
export const readFields = <S extends z.ZodType>(schema: S, given: unknown): z.output<S> => {
  const parsed = schema.safeParse(given);
  if (parsed.success) return parsed.data;
  const problems = parsed.error.issues.map(({ path, message }) =>
    path.length === 0 ? message : `${path.join('.')}: ${message}`,
  );
  throw new DrError('EventInvalid', problems.join('; '));
};
