import { z } from 'zod';
import { NotEmulated } from '../errors.ts';

/**
 * The policy language as far as it is emulated: Allow and Deny, actions and resources with wildcards, principals that are
 * services, accounts, roles or everybody, and the condition operators below. Anything else in a policy (NotAction,
 * NotResource, NotPrincipal, a federated principal, another operator) is refused when the template is loaded: a part
 * that nobody judges must not look as if it were.
 */
const list = z.union([z.string().transform((one) => [one]), z.array(z.string())]);
const operators = [
  'StringEquals',
  'StringNotEquals',
  'StringLike',
  'ForAllValues:StringLike',
  'StringNotLike',
  'ArnEquals',
  'ArnLike',
  'Bool',
  'NumericLessThanEquals',
] as const;
const conditionValues = z.union([z.string(), z.number(), z.boolean()]).transform(String);
const condition = z
  .partialRecord(
    z.enum(operators),
    z.record(z.string(), z.union([conditionValues.transform((one) => [one]), z.array(conditionValues)])),
  )
  .optional();
const common = { Sid: z.string().optional(), Effect: z.enum(['Allow', 'Deny']), Action: list, Condition: condition };
const principal = z.union([
  z.literal('*').transform(() => ({ AWS: ['*'], Service: undefined })),
  z.strictObject({ AWS: list.optional(), Service: list.optional() }),
]);
const oneOrMore = <T extends z.ZodType>(statement: T) =>
  z.union([statement.transform((one) => [one]), z.array(statement)]);
const document = <T extends z.ZodType>(statement: T) =>
  z.strictObject({
    Version: z.literal('2012-10-17').optional(),
    Id: z.string().optional(),
    Statement: oneOrMore(statement),
  });

const identityPolicy = document(z.strictObject({ ...common, Resource: list }));
const resourcePolicy = document(z.strictObject({ ...common, Resource: list, Principal: principal }));
const trustPolicy = document(z.strictObject({ ...common, Principal: principal }));

/** One statement; an identity policy names no principal, a trust policy no resource. */
export interface Statement {
  readonly Sid?: string | undefined;
  readonly Effect: 'Allow' | 'Deny';
  readonly Action: readonly string[];
  readonly Resource?: readonly string[] | undefined;
  readonly Principal?: {
    readonly AWS?: readonly string[] | undefined;
    readonly Service?: readonly string[] | undefined;
  };
  readonly Condition?: Readonly<Record<string, Readonly<Record<string, readonly string[]>> | undefined>> | undefined;
}

const read =
  (schema: z.ZodType<{ readonly Statement: unknown }>) =>
  (name: string, content: unknown): readonly Statement[] => {
    const parsed = schema.safeParse(content);
    if (!parsed.success)
      throw new NotEmulated(
        `policy ${name}: ${parsed.error.issues.map((issue) => `${issue.path.join('/')} ${issue.message}`).join('; ')}`,
      );
    return parsed.data.Statement as readonly Statement[];
  };
export const readIdentityPolicy = read(identityPolicy);
export const readResourcePolicy = read(resourcePolicy);
export const readTrustPolicy = read(trustPolicy);

/** Who calls, as policies see it. */
export type Principal = { readonly service: string } | { readonly role: string };
export type Context = Readonly<Record<string, string>>;

/** The pattern of the statement's actions that matches this call, if the whole statement does. */
export function matchedAction(
  statement: Statement,
  call: {
    readonly principal: Principal;
    readonly action: string;
    readonly resource: string;
    readonly context: Context;
  },
): string | undefined {
  const { principal, action, resource, context } = call;
  if (statement.Principal && !names(statement.Principal, principal)) return undefined;
  if (statement.Resource && !statement.Resource.some((pattern) => like(pattern, resource))) return undefined;
  const holding = Object.entries(statement.Condition ?? {}).every(([operator, keys]) =>
    Object.entries(keys ?? {}).every(([key, wanted]) => holds(operator, wanted, context[key])),
  );
  if (!holding) return undefined;
  return statement.Action.find((pattern) => like(pattern.toLowerCase(), action.toLowerCase()));
}

function names(wanted: NonNullable<Statement['Principal']>, principal: Principal): boolean {
  if ((wanted.AWS ?? []).includes('*')) return true;
  if ('service' in principal) return (wanted.Service ?? []).includes(principal.service);
  const arn = principal.role;
  const account = arn.split(':')[4] ?? '';
  return (wanted.AWS ?? []).some((one) => one === arn || one === account || one === `arn:aws:iam::${account}:root`);
}

/** One condition key. A key that the call does not carry fails the positive operators and satisfies the negated ones. */
function holds(operator: string, wanted: readonly string[], actual: string | undefined): boolean {
  const negated = operator.includes('Not');
  if (actual === undefined) return negated;
  switch (operator) {
    case 'StringEquals':
      return wanted.includes(actual);
    case 'StringNotEquals':
      return !wanted.includes(actual);
    case 'StringLike':
    // Of keys that a call has one value of.
    case 'ForAllValues:StringLike':
    case 'ArnEquals':
    case 'ArnLike':
      return wanted.some((pattern) => like(pattern, actual));
    case 'StringNotLike':
      return !wanted.some((pattern) => like(pattern, actual));
    case 'Bool':
      return wanted.some((value) => value.toLowerCase() === actual.toLowerCase());
    case 'NumericLessThanEquals':
      return wanted.some((value) => Number(actual) <= Number(value));
    default:
      throw new NotEmulated(`condition operator ${operator}`);
  }
}

const patterns = new Map<string, RegExp>();

/** IAM's wildcards: `*` any text, `?` one character. */
export function like(pattern: string, text: string): boolean {
  let compiled = patterns.get(pattern);
  if (!compiled) {
    const source = pattern
      .replace(/[.+^${}()|[\]\\]/g, '\\$&')
      .replaceAll('*', '[\\s\\S]*')
      .replaceAll('?', '[\\s\\S]');
    compiled = new RegExp(`^${source}$`);
    patterns.set(pattern, compiled);
  }
  return compiled.test(text);
}
