import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const project = (path: string): string => fileURLToPath(new URL(`../../${path}`, import.meta.url));

export interface Resource {
  readonly Type: string;
  readonly Properties: Readonly<Record<string, unknown>>;
  readonly DeletionPolicy?: string;
  readonly UpdateReplacePolicy?: string;
}

export interface Template {
  readonly Resources: Readonly<Record<string, Resource>>;
  readonly Outputs?: Readonly<Record<string, { readonly Value: unknown }>>;
}

/** Calls `use` with a folder that is gone afterwards. */
export const inFolder = <R>(use: (folder: string) => R): R => {
  const folder = mkdtempSync(join(tmpdir(), 'ozone-dr-infra-'));
  try {
    return use(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
};

export const ofType = (template: Template, type: string): readonly (readonly [string, Resource])[] => {
  const found = Object.entries(template.Resources).filter(([, resource]) => resource.Type === type);
  if (found.length === 0) throw new Error(`the template has no ${type}`);
  return found;
};

/** Intrinsic functions as text: `<AWS::Region>` for a Ref, `<Id.Arn>` for an attribute, joined strings as they are. */
export const text = (value: unknown): string => {
  if (typeof value === 'string') return value;
  if (typeof value === 'object' && value !== null) {
    if ('Ref' in value) return `<${value.Ref}>`;
    if ('Fn::GetAtt' in value && Array.isArray(value['Fn::GetAtt'])) return `<${value['Fn::GetAtt'].join('.')}>`;
    if ('Fn::Join' in value && Array.isArray(value['Fn::Join'])) {
      const [separator, parts] = value['Fn::Join'];
      return parts.map(text).join(separator);
    }
    if ('Fn::Sub' in value) return String(value['Fn::Sub']);
  }
  throw new Error(`not text: ${JSON.stringify(value)}`);
};

export interface Statement {
  readonly Sid?: string;
  readonly Effect: string;
  readonly Action: string | readonly string[];
  readonly Resource: unknown;
  readonly Principal?: unknown;
  readonly Condition?: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
}

export const listed = <T>(value: T | readonly T[]): readonly T[] => (Array.isArray(value) ? value : [value as T]);

export const statementsOf = (resource: Resource): readonly Statement[] =>
  (resource.Properties.PolicyDocument as { readonly Statement: readonly Statement[] }).Statement;

/** What the inline policies of a role allow: resource, without the account's own prefix, to sorted actions. */
export const permissionsOf = (template: Template, roleId: string): Readonly<Record<string, readonly string[]>> => {
  const allowed = new Map<string, Set<string>>();
  for (const [, policy] of ofType(template, 'AWS::IAM::Policy')) {
    if (!listed(policy.Properties.Roles).some((role) => text(role) === `<${roleId}>`)) continue;
    for (const statement of statementsOf(policy)) {
      if (statement.Effect !== 'Allow') throw new Error(`${roleId} has a ${statement.Effect}`);
      for (const resource of listed(statement.Resource)) {
        const actions = allowed.get(short(text(resource))) ?? new Set();
        for (const action of listed(statement.Action)) actions.add(action);
        allowed.set(short(text(resource)), actions);
      }
    }
  }
  return Object.fromEntries([...allowed].map(([resource, actions]) => [resource, [...actions].sort()]));
};

const short = (arn: string): string =>
  arn.replace('arn:<AWS::Partition>:', '').replace(':<AWS::Region>:<AWS::AccountId>:', ':');
