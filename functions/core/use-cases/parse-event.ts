import * as z from 'zod';
import { DrError } from '../errors.ts';

/** Reads an event at the door. @throws EventInvalid with every problem and where it is */
export const parseEvent = <S extends z.ZodType>(schema: S, event: unknown): z.output<S> => {
  const parsed = schema.safeParse(event);
  if (!parsed.success) throw new DrError('EventInvalid', z.prettifyError(parsed.error).slice(0, 2000));
  return parsed.data;
};
