import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { knownOf, recoveryPlanCommand } from '../../../functions/cli/recovery-plan.ts';
import { emptyPair } from '../../../functions/core/domain/ledger.ts';
import { drillPair } from '../../../functions/core/domain/names.ts';
import { BUCKET, lineageOf, passed, policyOf } from '../planner/lineage-world.ts';
import { nameOf } from '../planner/world.ts';

it('docs/recovery-plan.md is what the command writes for the sample policies', async () => {
  const sample = 'cdk/config/samples/two-clusters.yaml';
  let written = '';
  const output = { out: (text: string) => (written += text), err: (text: string) => (written += text) };
  expect(await recoveryPlanCommand(['--offline', '--policies', sample], output)).toBe(0);
  const kept = fileURLToPath(new URL('../../../docs/recovery-plan.md', import.meta.url));
  expect(readFileSync(kept, 'utf8')).toBe(written);
});

it('a drill that passed is told also when its point is deleted since', async () => {
  const policy = policyOf({});
  const { points } = lineageOf({ points: 'x* y*' });
  const drills = emptyPair(drillPair(policy, BUCKET));
  const ledger = {
    livingPoints: async () => points,
    loadPair: async () => ({ ...drills, lastDrill: { point: nameOf('a'), drill: passed(90, { files: 7 }) } }),
  };
  const { lastDrill, basis } = await knownOf(ledger, policy, BUCKET);
  expect(lastDrill).toContain(`${nameOf('a')} on`);
  expect(basis).toContain(nameOf('a'));
});
