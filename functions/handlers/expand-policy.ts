import { expandPolicy } from '../core/use-cases/fleet.ts';
import { instrument } from './instrument.ts';
import { deployedPolicies } from './wiring/policies.ts';

export const handler = instrument('expand-policy', expandPolicy({ policies: deployedPolicies() }));
