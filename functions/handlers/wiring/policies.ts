import { readFileSync } from 'node:fs';
import * as z from 'zod';
import { Policy } from '../../core/domain/policy.ts';

/** The policies that were deployed with this function, beside its bundle. */
export const deployedPolicies = (): readonly Policy[] =>
  z.array(Policy).parse(JSON.parse(readFileSync(new URL('./policies.json', import.meta.url), 'utf8')));
