import type { z } from 'zod';
import { AwsError } from '../errors.ts';
import type { Json, JsonObject } from '../json.ts';
import type { Caller } from '../world.ts';

/** A service behind the endpoint: one function per action that it has. */
export type Actions = Readonly<Record<string, (request: JsonObject, caller: Caller) => Json | Promise<Json>>>;

/**
 * Reads a request with a closed schema: a member that is not emulated is refused with `ValidationException`, as is a
 * value that AWS would not take.
 */
export function parseRequest<T>(schema: z.ZodType<T>, request: JsonObject): T {
  const parsed = schema.safeParse(request);
  if (parsed.success) return parsed.data;
  const issues = parsed.error.issues.map(
    (issue) => `Value at '${issue.path.join('.')}' failed to satisfy constraint: ${issue.message}`,
  );
  throw new AwsError('ValidationException', `${issues.length} validation error detected: ${issues.join('; ')}`);
}

/** One page of a list; the token is the place to go on from. */
export function page<T>(
  list: readonly T[],
  nextToken: string | undefined,
  size: number,
): { readonly items: readonly T[]; readonly nextToken: string | undefined } {
  const from = nextToken === undefined ? 0 : Number(nextToken);
  if (!Number.isInteger(from) || from < 0) throw new AwsError('InvalidNextToken', 'The specified token is not valid.');
  const items = list.slice(from, from + size);
  return { items, nextToken: from + size < list.length ? String(from + size) : undefined };
}
