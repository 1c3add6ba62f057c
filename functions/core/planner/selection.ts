import type { RestoreScope } from '../domain/restore.ts';

/** As Ozone writes a name into JSON; names with control characters are refused before. */
const escaped = (path: string): string => JSON.stringify(path).slice(1, -1);

/** A POSIX regular expression for awk: what could mean something there stands in brackets. */
const literal = (text: string): string => text.replace(/[.[\]|()*+?{}$]/g, '[$&]').replace(/[\\^]/g, '\\$&');

const expressionOf = (glob: string): string =>
  escaped(glob)
    .split(/(\*+)/)
    .map((part) => (part.startsWith('*') ? (part.length > 1 ? '.*' : '[^/]*') : literal(part)))
    .join('');

/**
 * The list of what is restored, as the edge host reads it: a line for each, `l` and a path or `g` and a regular expression
 * over paths, in the order of their bytes; null for the whole bucket.
 */
export const selectionOf = (scope: RestoreScope): string | null => {
  if (scope === 'bucket') return null;
  if ('glob' in scope) return `g\t${expressionOf(scope.glob)}\n`;
  const paths = 'prefix' in scope ? [scope.prefix] : scope.paths;
  const lines = [...new Set(paths)].map((path) => Buffer.from(`l\t${escaped(path)}\n`));
  return Buffer.concat(lines.toSorted(Buffer.compare)).toString('utf8');
};

/** For people: `the whole bucket`, `2026/11 and all below`, `3 paths`. */
export const describeScope = (scope: RestoreScope): string => {
  if (scope === 'bucket') return 'the whole bucket';
  if ('prefix' in scope) return `${scope.prefix} and all below`;
  if ('glob' in scope) return `what matches ${scope.glob}`;
  const [only] = scope.paths;
  return scope.paths.length === 1 && only ? only : `${scope.paths.length} paths`;
};
