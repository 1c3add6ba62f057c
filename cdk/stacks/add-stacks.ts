import { type App, Validations } from 'aws-cdk-lib';
import { AwsSolutionsChecks } from 'cdk-nag';
import { type PolicyFile, resolvePolicies } from '../../functions/core/domain/policy.ts';
import { ControlStack } from './control-stack.ts';
import { DocumentsStack } from './documents-stack.ts';
import { Prefix } from './names.ts';
import { StateStack } from './state-stack.ts';

export type Deployment = {
  /** First part of every name, 3 to 20 characters. */
  readonly prefix: string;
  readonly policyFile: PolicyFile;
};

/** The stacks of one deployment, under the AwsSolutions rules: an unexplained violation fails the synthesis. */
export function addStacks(app: App, deployment: Deployment) {
  const prefix = Prefix.parse(deployment.prefix);
  Validations.of(app).addPlugins(new AwsSolutionsChecks(app));
  const state = new StateStack(app, `${prefix}-state`, { prefix });
  const documents = new DocumentsStack(app, `${prefix}-documents`, { prefix });
  const control = new ControlStack(app, `${prefix}-control`, {
    prefix,
    documents,
    policies: resolvePolicies(deployment.policyFile),
  });
  control.addStackDependency(state);
  control.addStackDependency(documents);
  return { state, documents, control } as const;
}
