import { Logger } from '@aws-lambda-powertools/logger';
import * as z from 'zod';
import { DrError } from '../core/errors.ts';

export const logger = new Logger({ serviceName: 'ozone-dr' });

/** Reads the environment once. @throws EnvMissing naming every variable that is missing or wrong */
export const environment = <S extends z.ZodType>(schema: S): z.output<S> => {
  const parsed = schema.safeParse(process.env);
  if (!parsed.success)
    throw new DrError('EnvMissing', parsed.error.issues.map((it) => `${it.path.join('.')}: ${it.message}`).join('; '));
  return parsed.data;
};

/** One line per call with what was asked and answered, or why it failed; the error goes on to the state machine. */
export const instrument =
  <R>(name: string, handler: (event: unknown) => Promise<R>) =>
  async (event: unknown): Promise<R> => {
    try {
      const result = await handler(event);
      logger.info(name, { event: withoutToken(event), result: { value: result } });
      return result;
    } catch (error) {
      logger.error(`${name} failed`, {
        event: withoutToken(event),
        error: error instanceof Error ? error : String(error),
      });
      throw error;
    }
  };

const PAGE = z.looseObject({ page: z.string().optional() });

/** One line per call with the page that was asked for: what people type, and what they are shown, is not for the log. */
export const instrumentWidget =
  <R>(name: string, handler: (event: unknown) => Promise<R>) =>
  async (event: unknown): Promise<R> => {
    const asked = { page: PAGE.safeParse(event).data?.page?.slice(0, 100) ?? null };
    try {
      const answer = await handler(event);
      logger.info(name, asked);
      return answer;
    } catch (error) {
      logger.error(`${name} failed`, { ...asked, error: error instanceof Error ? error : String(error) });
      throw error;
    }
  };

/** A task token is the right to answer for a Task: it does not belong in a log. */
const withoutToken = (event: unknown): unknown =>
  typeof event === 'object' && event !== null && 'taskToken' in event ? { ...event, taskToken: '…' } : event;
