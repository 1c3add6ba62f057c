/** What is measured, and what it may be at most. `of`: the bar is the value of another figure of the same run. */
export interface FigureSpec {
  readonly what: string;
  readonly unit: string;
  readonly bar: number | { readonly of: string };
  /** Why a value beyond the bar is there, and what to try next: printed only then. */
  readonly missed: string;
}

/** In the order of the page and of the line of JSON. A figure appears once something measures it. */
export const FIGURES = {
  smallIncrementRatio: {
    what: 'small increment (10 of 1,000 files) on real clusters: our wall time by that of the same steps typed by hand',
    unit: '×',
    bar: 1.1,
    missed:
      'The checks before the copy and the steps between cost more than the JVM starts save. Next: seal and compare in one command of the host of the replica.',
  },
  batchedRatio: {
    what: 'the same per bucket when 10 such buckets are batched: wall time of their slot by 10, by one typed by hand',
    unit: '×',
    bar: 1,
    missed:
      'The copies are a JVM each and take all cores; what goes together are the looks and the snapshots. Next: submit the differences of a batch together.',
  },
  bytesRatio: {
    what: 'bytes that an increment copied by bytes of the files that were changed',
    unit: '×',
    bar: 1.01,
    missed:
      'distcp copies whole files; what it copied again is in the log of the copy. Next: look for files that it could not keep.',
  },
  renameBytes: {
    what: 'bytes that an increment copied after a directory of 10,000 files was renamed',
    unit: 'bytes',
    bar: 0,
    missed: 'The diff did not show one rename. Next: look at its report.',
  },
  transitions: {
    what: 'state transitions of a backup with changes, its copy of 1 minute',
    unit: '',
    bar: 24,
    missed: 'A step more than there was. Next: decide two steps at once where the second needs no answer of the first.',
  },
  transitionsLongCopy: {
    what: 'the same with a copy of 10 hours',
    unit: '',
    bar: { of: 'transitions' },
    missed: 'Something asks for the copy while it goes on. Next: let its end be told.',
  },
  remoteCommands: {
    what: 'remote commands of a backup with changes',
    unit: '',
    bar: 5,
    missed: 'A command more than there was. Next: do its work in one that goes to the same host.',
  },
  jvmStarts: {
    what: 'JVM starts of it',
    unit: '',
    bar: 7,
    missed: 'A start more than there was. Next: put its commands into the batch of another one.',
  },
  bundleKiB: {
    what: 'the largest bundle of a handler',
    unit: 'KiB',
    bar: 585.9,
    missed: 'Next: `esbuild --metafile` says what is in it.',
  },
  initMsP50: {
    what: 'from the start of a fresh process to the end of the import of a bundle, the slowest handler',
    unit: 'ms',
    bar: 250,
    missed:
      'Compiling and running the modules of the SDK and of zod takes most of it; other work on the machine counts in full (the rows below have CPU time too). Next: build schemas when they are first used.',
  },
  retention1e5Ms: {
    what: 'every rule of retention over 100,000 points, with reasons',
    unit: 'ms',
    bar: 100,
    missed: 'Other work on the machine counts in full. Next: profile the slowest of the rows below.',
  },
  retention1e6Ms: {
    what: 'the same over 1,000,000 points',
    unit: 'ms',
    bar: 1000,
    missed: 'Other work on the machine counts in full. Next: profile the slowest of the rows below.',
  },
  dynamoUnits10: {
    what: 'units of DynamoDB, read and written, of a backup with changes at 10 points of history',
    unit: 'units',
    bar: Number.POSITIVE_INFINITY,
    missed: '',
  },
  dynamoUnits10000: {
    what: 'the same at 10,000 points of history',
    unit: 'units',
    bar: { of: 'dynamoUnits10' },
    missed: 'Something that is read or written has grown with the history. Next: look below for the call that has.',
  },
  fleetMaxLateness: {
    what: 'a simulated night of 10,000 buckets, 5 % of them changed: the worst age of a newest verified point by the objective',
    unit: '×',
    bar: 1,
    missed:
      'Buckets whose copies take hours began too late. Next: which of them waited longest, and behind whom (the reasons of their steps name place and slack).',
  },
  fleetCostUsd: {
    what: 'what a day with that night costs on AWS, at list prices',
    unit: '$',
    bar: 5,
    missed: 'Next: look below for what takes most of it.',
  },
} as const satisfies Readonly<Record<string, FigureSpec>>;

export type Figure = keyof typeof FIGURES;

export interface Measured {
  readonly values: Partial<Readonly<Record<Figure, number>>>;
  /** What the values were made from: lines of Markdown. */
  readonly details: readonly string[];
}

/** One thing that is measured. What has no value yet has no module, and so no figure. */
export interface Module {
  readonly name: string;
  readonly figures: readonly Figure[];
  /** Starts two real clusters: needs a JDK and Maven. */
  readonly onClusters?: true;
  readonly measure: (say: (line: string) => void) => Promise<Measured>;
}

export const median = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;

export const rounded = (value: number, digits: number): number => Number(value.toFixed(digits));
