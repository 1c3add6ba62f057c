/** Bundles the executables into one file, if the sources are newer. Resolves with its path. */
export function buildSimulator(): Promise<string>;
