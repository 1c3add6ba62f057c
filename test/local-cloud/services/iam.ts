import { AwsError, NotEmulated } from '../errors.ts';
import { type Authorize, accountId, type Caller, iamArn, root } from '../world.ts';
import {
  type Context,
  matchedAction,
  type Principal,
  readIdentityPolicy,
  readResourcePolicy,
  readTrustPolicy,
  type Statement,
} from './policies.ts';

/** AWS managed policies that a template may name, as AWS publishes them. */
const logs = ['logs:CreateLogGroup', 'logs:CreateLogStream', 'logs:PutLogEvents'];
const xray = ['PutTraceSegments', 'PutTelemetryRecords', 'GetSamplingRules', 'GetSamplingTargets'].map(
  (action) => `xray:${action}`,
);
const managedPolicies: Readonly<Record<string, readonly string[]>> = {
  'arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole': logs,
  'arn:aws:iam::aws:policy/AWSXRayDaemonWriteAccess': xray,
  'arn:aws:iam::aws:policy/AWSXrayWriteOnlyAccess': xray,
};

/** A statement and where it stands. */
interface Held {
  readonly statement: Statement;
  /** The role that has it, or the resource that it is attached to. */
  readonly owner: string;
  readonly policy: string;
  readonly index: number;
  readonly usedActions: Set<string>;
}

/** One action of one statement that a call needed. */
export interface UsedAction {
  readonly owner: string;
  readonly policy: string;
  /** Place of the statement in its policy. */
  readonly index: number;
  /** As the statement spells it. */
  readonly action: string;
}

/** A call of a service in its own name, such as an alarm that publishes to a topic. */
export interface ServiceCall {
  readonly service: string;
  readonly action: string;
  readonly resource: string;
  /** `aws:SourceArn`: on whose behalf. */
  readonly source: string;
  readonly context?: Context;
}

/** Roles of the template, their policies, those of resources, and the judgement over each call. */
export class Iam {
  readonly #roles = new Map<string, Held[]>();
  readonly #trust = new Map<string, Held[]>();
  readonly #resources = new Map<string, Held[]>();
  readonly #enforced: boolean;

  constructor(enforced: boolean) {
    this.#enforced = enforced;
  }

  createRole(name: string, trust?: unknown): void {
    if (!this.#roles.has(name)) this.#roles.set(name, []);
    if (trust !== undefined)
      this.#trust.set(name, held(name, 'trust policy', readTrustPolicy(`trust policy of ${name}`, trust)));
  }

  attach(role: string, policyName: string, document: unknown): void {
    const own = this.#roles.get(role);
    if (!own)
      throw new NotEmulated(`policy ${policyName} is attached to the role ${role}, which is not in the template`);
    own.push(...held(role, policyName, readIdentityPolicy(policyName, document)));
  }

  attachManaged(role: string, policyArn: string): void {
    const actions = managedPolicies[policyArn];
    if (!actions) throw new NotEmulated(`the managed policy ${policyArn} is not emulated`);
    const statement = { Effect: 'Allow', Action: actions, Resource: '*' };
    this.attach(role, policyArn.split('/').at(-1) ?? policyArn, { Statement: [statement] });
  }

  /** A resource policy: of a topic, a queue, a bucket, a function. What is below the resource (objects) has it, too. */
  attachToResource(resourceArn: string, policyName: string, document: unknown): void {
    const all = this.#resources.get(resourceArn) ?? [];
    all.push(...held(resourceArn, policyName, readResourcePolicy(policyName, document)));
    this.#resources.set(resourceArn, all);
  }

  readonly authorize: Authorize = (caller, action, resource, context = {}) => {
    if (!this.#enforced || caller === root) return;
    const own = this.#roles.get(caller) ?? [];
    const verdict = judge([...own, ...this.#policiesOf(resource)], {
      principal: { role: roleArn(caller) },
      action,
      resource,
      context: { ...baseContext, ...context },
    });
    if (verdict === 'allowed') return;
    const why =
      verdict === 'denied'
        ? 'with an explicit deny in a policy'
        : `because no identity-based policy allows the ${action} action`;
    throw new AwsError(
      'AccessDeniedException',
      `User: ${callerArn(caller)} is not authorized to perform: ${action} on resource: ${resource} ${why}`,
    );
  };

  /** Judges a service's own call: it needs a policy on the resource that names the service. */
  authorizeService(call: ServiceCall): void {
    if (!this.#enforced) return;
    const policies = this.#policiesOf(call.resource);
    // A topic without a policy of its own has AWS's default one, which lets this account's resources publish.
    if (policies.length === 0 && call.resource.includes(':sns:')) return;
    const verdict = judge(policies, {
      principal: { service: call.service },
      action: call.action,
      resource: call.resource,
      context: {
        ...baseContext,
        'aws:SourceArn': call.source,
        'aws:SourceAccount': accountId,
        ...call.context,
      },
    });
    if (verdict !== 'allowed')
      throw new AwsError(
        'AccessDeniedException',
        `${call.service} is not authorized to perform: ${call.action} on resource: ${call.resource} for ${call.source}`,
      );
  }

  /** A service takes on a role: only if the role's trust policy names it, for this source. */
  assume(role: string, service: string, source: string): void {
    if (!this.#enforced) return;
    const verdict = judge(this.#trust.get(role) ?? [], {
      principal: { service },
      action: 'sts:AssumeRole',
      resource: roleArn(role),
      context: { ...baseContext, 'aws:SourceArn': source, 'aws:SourceAccount': accountId },
    });
    if (verdict !== 'allowed')
      throw new AwsError('AccessDeniedException', `${service} may not assume the role ${roleArn(role)} for ${source}`);
  }

  /** Who hands a role to a service must be allowed to (`iam:PassRole`). */
  passRole(caller: Caller, role: string, service: string): void {
    this.authorize(caller, 'iam:PassRole', roleArn(role), { 'iam:PassedToService': service });
  }

  /** Takes on all policies of another account, as an update of the template would. */
  adopt(other: Iam): void {
    for (const [own, its] of [
      [this.#roles, other.#roles],
      [this.#trust, other.#trust],
      [this.#resources, other.#resources],
    ] as const) {
      own.clear();
      for (const [name, policies] of its) own.set(name, policies);
    }
  }

  /** Statements that allowed or denied nothing so far: `owner: policy/statement`. */
  unusedStatements(): readonly string[] {
    return this.#all()
      .filter((one) => one.usedActions.size === 0)
      .map((one) => `${one.owner}: ${one.policy}/${one.statement.Sid ?? one.index}`);
  }

  /** Each action of each statement that a call needed so far. */
  usedActions(): readonly UsedAction[] {
    return this.#all().flatMap(({ owner, policy, index, usedActions }) =>
      [...usedActions].map((action) => ({ owner, policy, index, action })),
    );
  }

  #all(): readonly Held[] {
    return [this.#roles, this.#trust, this.#resources].flatMap((map) => [...map.values()].flat());
  }

  #policiesOf(resource: string): readonly Held[] {
    return [...this.#resources].flatMap(([arn, all]) =>
      resource === arn || resource.startsWith(`${arn}/`) || resource.startsWith(`${arn}:`) ? all : [],
    );
  }
}

/** The emulator listens on plain HTTP, on loopback; to policies that is AWS's endpoint, which is TLS. */
const baseContext: Context = { 'aws:SecureTransport': 'true' };

const held = (owner: string, policy: string, statements: readonly Statement[]): Held[] =>
  statements.map((statement, index) => ({ statement, owner, policy, index, usedActions: new Set<string>() }));

function judge(
  policies: readonly Held[],
  call: {
    readonly principal: Principal;
    readonly action: string;
    readonly resource: string;
    readonly context: Context;
  },
): 'allowed' | 'denied' | 'silent' {
  let allowed = false;
  let denied = false;
  for (const one of policies) {
    const action = matchedAction(one.statement, call);
    if (action === undefined) continue;
    one.usedActions.add(action);
    if (one.statement.Effect === 'Deny') denied = true;
    else allowed = true;
  }
  return denied ? 'denied' : allowed ? 'allowed' : 'silent';
}

const callerArn = (caller: Caller): string => `arn:aws:sts::${accountId}:assumed-role/${caller}/local`;
export const roleArn = (name: string): string => iamArn(`role/${name}`);
