import { epochMs } from '../../core/domain/units.ts';
import type { Clock } from '../../core/ports.ts';

export const systemClock: Clock = { now: () => epochMs(Date.now()) };
