import { z } from 'zod';
import { AwsError, NotEmulated } from '../errors.ts';
import { type Authorize, accountId, type Caller, iamArn, root } from '../world.ts';

/**
 * Identity policies as far as they are emulated: Allow and Deny, actions and resources with wildcards, and the
 * condition operators below. Anything else in a policy (NotAction, NotResource, another operator) is refused when the
 * template is loaded: a part that nobody judges must not look as if it were.
 */
const list = z.union([z.string().transform((one) => [one]), z.array(z.string())]);
const operators = [
  'StringEquals',
  'StringNotEquals',
  'StringLike',
  'StringNotLike',
  'ArnEquals',
  'ArnLike',
  'Bool',
  'NumericLessThanEquals',
] as const;
const conditionValues = z.union([z.string(), z.number(), z.boolean()]).transform(String);
const statementSchema = z.strictObject({
  Sid: z.string().optional(),
  Effect: z.enum(['Allow', 'Deny']),
  Action: list,
  Resource: list,
  Condition: z
    .partialRecord(
      z.enum(operators),
      z.record(z.string(), z.union([conditionValues.transform((one) => [one]), z.array(conditionValues)])),
    )
    .optional(),
});
export const policySchema = z.strictObject({
  Version: z.literal('2012-10-17').optional(),
  Id: z.string().optional(),
  Statement: z.union([statementSchema.transform((one) => [one]), z.array(statementSchema)]),
});
type Statement = z.infer<typeof statementSchema>;

/** AWS managed policies that a template may name. Those for logs and traces allow nothing that is emulated. */
const managedPolicies = [
  'arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole',
  'arn:aws:iam::aws:policy/AWSXRayDaemonWriteAccess',
  'arn:aws:iam::aws:policy/AWSXrayWriteOnlyAccess',
];

interface Held {
  readonly statement: Statement;
  /** Where the statement stands, for the report of unused ones. */
  readonly source: string;
  used: boolean;
}

/** Roles of the template, their policies, and the judgement over each call. */
export class Iam {
  readonly #roles = new Map<string, Held[]>();
  readonly #enforced: boolean;

  constructor(enforced: boolean) {
    this.#enforced = enforced;
  }

  createRole(name: string): void {
    if (!this.#roles.has(name)) this.#roles.set(name, []);
  }

  attach(role: string, policyName: string, document: unknown): void {
    const parsed = policySchema.safeParse(document);
    if (!parsed.success) {
      throw new NotEmulated(
        `policy ${policyName}: ${parsed.error.issues.map((issue) => `${issue.path.join('/')} ${issue.message}`).join('; ')}`,
      );
    }
    const held = this.#roles.get(role);
    if (!held)
      throw new NotEmulated(`policy ${policyName} is attached to the role ${role}, which is not in the template`);
    for (const [index, statement] of parsed.data.Statement.entries()) {
      held.push({ statement, source: `${policyName}/${statement.Sid ?? index}`, used: false });
    }
  }

  attachManaged(policyArn: string): void {
    if (!managedPolicies.includes(policyArn)) throw new NotEmulated(`the managed policy ${policyArn} is not emulated`);
  }

  readonly authorize: Authorize = (caller, action, resource, context = {}) => {
    if (!this.#enforced || caller === root) return;
    const held = this.#roles.get(caller) ?? [];
    const matching = held.filter(({ statement }) => applies(statement, action, resource, context));
    for (const one of matching) one.used = true;
    const denied = matching.some(({ statement }) => statement.Effect === 'Deny');
    if (!denied && matching.length > 0) return;
    const why = denied
      ? 'with an explicit deny in an identity-based policy'
      : `because no identity-based policy allows the ${action} action`;
    throw new AwsError(
      'AccessDeniedException',
      `User: ${callerArn(caller)} is not authorized to perform: ${action} on resource: ${resource} ${why}`,
    );
  };

  /** Statements that allowed or denied nothing so far: `role: policy/statement`. */
  unusedStatements(): readonly string[] {
    return [...this.#roles].flatMap(([role, held]) =>
      held.filter((one) => !one.used).map((one) => `${role}: ${one.source}`),
    );
  }
}

const callerArn = (caller: Caller): string => `arn:aws:sts::${accountId}:assumed-role/${caller}/local`;
export const roleArn = (name: string): string => iamArn(`role/${name}`);

function applies(
  statement: Statement,
  action: string,
  resource: string,
  context: Readonly<Record<string, string>>,
): boolean {
  return (
    statement.Action.some((pattern) => like(pattern.toLowerCase(), action.toLowerCase())) &&
    statement.Resource.some((pattern) => like(pattern, resource)) &&
    Object.entries(statement.Condition ?? {}).every(([operator, keys]) =>
      Object.entries(keys ?? {}).every(([key, wanted]) => holds(operator, wanted, context[key])),
    )
  );
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

/** IAM's wildcards: `*` any text, `?` one character. */
export function like(pattern: string, text: string): boolean {
  const source = pattern
    .replace(/[.+^${}()|[\]\\]/g, '\\$&')
    .replaceAll('*', '[\\s\\S]*')
    .replaceAll('?', '[\\s\\S]');
  return new RegExp(`^${source}$`).test(text);
}
