import { summarizeFleet } from '../core/use-cases/fleet.ts';
import { instrument } from './instrument.ts';

export const handler = instrument('summarize-fleet', summarizeFleet());
