import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { App } from 'aws-cdk-lib';
import { SynthesisMessageLevel } from 'aws-cdk-lib/cx-api';
import { loadPolicies, parsePolicies } from '../../cdk/config/load-policies.ts';
import { addStacks } from '../../cdk/stacks/add-stacks.ts';
import type { PolicyFile } from '../../functions/core/domain/policy.ts';
import { inFolder, project, type Template } from './template.ts';

/**
 * The app with the flags of cdk.json; `change` may add to it before it is synthesized. A violation of a rule throws.
 * `policies` are the policies.json of those assets that have one, `warnings` what whoever deploys is shown.
 */
export const synthesize = (
  policyFile: PolicyFile = sample('two-clusters.yaml'),
  change: (stacks: ReturnType<typeof addStacks>) => void = () => undefined,
  prefix = 'ozone-dr',
): {
  readonly state: Template;
  readonly control: Template;
  readonly documents: Template;
  readonly policies: readonly string[];
  readonly warnings: readonly string[];
} =>
  inFolder((outdir) => {
    const { context } = JSON.parse(readFileSync(project('cdk.json'), 'utf8'));
    const app = new App({ context, outdir, analyticsReporting: false });
    const stacks = addStacks(app, { prefix, policyFile });
    change(stacks);
    const assembly = app.synth();
    const assets = readdirSync(outdir).filter((name) => name.startsWith('asset.'));
    const policies = assets
      .map((name) => join(outdir, name, 'policies.json'))
      .filter((path) => existsSync(path))
      .map((path) => readFileSync(path, 'utf8'));
    return {
      state: assembly.getStackByName(`${prefix}-state`).template,
      control: assembly.getStackByName(`${prefix}-control`).template,
      documents: assembly.getStackByName(`${prefix}-documents`).template,
      policies,
      warnings: assembly.stacks
        .flatMap(({ messages }) => messages)
        .filter(({ level }) => level === SynthesisMessageLevel.WARNING)
        .map(({ entry }) => String(entry.data)),
    };
  });

export const sample = (name: string): PolicyFile => loadPolicies(project(`cdk/config/samples/${name}`));

/** A sample with some of its text replaced. */
export const sampleWith = (name: string, ...changes: readonly (readonly [string, string])[]): PolicyFile => {
  let text = readFileSync(project(`cdk/config/samples/${name}`), 'utf8');
  for (const [from, to] of changes) {
    if (!text.includes(from)) throw new Error(`${name} has no ${from}`);
    text = text.replaceAll(from, to);
  }
  return parsePolicies(text, name);
};
