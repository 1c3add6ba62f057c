import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { recoveryPlanCommand } from '../../../functions/cli/recovery-plan.ts';

it('docs/recovery-plan.md is what the command writes for the sample policies', async () => {
  const sample = 'cdk/config/samples/two-clusters.yaml';
  let written = '';
  const output = { out: (text: string) => (written += text), err: (text: string) => (written += text) };
  expect(await recoveryPlanCommand(['--offline', '--policies', sample], output)).toBe(0);
  const kept = fileURLToPath(new URL('../../../docs/recovery-plan.md', import.meta.url));
  expect(readFileSync(kept, 'utf8')).toBe(written);
});
