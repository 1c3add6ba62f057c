import type { Stage } from './stage.ts';

export type Layout = 'FILE_SYSTEM_OPTIMIZED' | 'LEGACY' | 'OBJECT_STORE';

export interface Scenario {
  /** A sentence about what Ozone does. */
  readonly name: string;
  readonly layout?: Layout;
  play(stage: Stage): Promise<void>;
}
