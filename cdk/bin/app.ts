import { App } from 'aws-cdk-lib';
import { z } from 'zod';
import { loadPolicies } from '../config/load-policies.ts';
import { addStacks } from '../stacks/add-stacks.ts';

const app = new App();
addStacks(app, {
  prefix: z.string().parse(app.node.tryGetContext('prefix') ?? 'ozone-dr'),
  policyFile: loadPolicies(
    z.string().parse(app.node.tryGetContext('policies') ?? 'cdk/config/samples/two-clusters.yaml'),
  ),
});
