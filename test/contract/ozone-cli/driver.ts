import type { Change, TreeEntry } from '../../ozone-simulator/change.ts';

export type { Change, TreeEntry };

export interface Ran {
  readonly exit: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Two clusters `prod` and `dr` behind the command line of an edge host, simulated or real. */
export interface Driver {
  /** Runs `ozone …` or `hadoop …` as a host would. */
  run(argv: readonly string[], cwd?: string): Promise<Ran>;
  /** The same for what is only preparation; may be cheaper. */
  prepare(argv: readonly string[]): Promise<Ran>;
  change(bucketUrl: string, changes: readonly Change[]): Promise<void>;
  tree(url: string): Promise<ReadonlyMap<string, TreeEntry>>;
  /** An empty folder for a command that writes locally. */
  folder(): Promise<string>;
}
