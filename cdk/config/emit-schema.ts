// Writes policy.schema.json, which editors use for completion and checks. Run after a change of the policy's schema.
import { writeFileSync } from 'node:fs';
import { policyJsonSchema } from './load-policies.ts';

writeFileSync(new URL('policy.schema.json', import.meta.url), `${JSON.stringify(policyJsonSchema(), null, 2)}\n`);
