/**
 * Expands `*`, `?`, `[…]` and `{a,b}` in the last parts of a path against what `list` finds, as Hadoop's shell does; a
 * backslash takes the meaning from the character behind it.
 */
import { childOf, type OfsPath, type OzoneFileSystem } from './file-system.ts';

export function expand(fs: OzoneFileSystem, path: OfsPath): readonly OfsPath[] {
  const parts = path.key.split('/');
  const first = parts.findIndex((part) => /[*?[{\\]/.test(part));
  if (first < 0) return [path];
  const fixed = parts.slice(0, first).join('/');
  const base = {
    ...path,
    key: fixed,
    uri: path.uri.slice(0, path.uri.length - parts.slice(first).join('/').length).replace(/\/$/, ''),
  };
  return descend(fs, base, parts.slice(first));
}

function descend(fs: OzoneFileSystem, base: OfsPath, patterns: readonly string[]): readonly OfsPath[] {
  const [pattern, ...rest] = patterns;
  if (pattern === undefined) return [base];
  if (!fs.status(base)?.dir) return [];
  if (!/[*?[{]/.test(pattern.replace(/\\./gs, ''))) {
    const child = childOf(base, withoutEscapes(pattern));
    return fs.status(child) ? descend(fs, child, rest) : [];
  }
  const matcher = toExpression(pattern);
  const names = fs.list(base, false).map((status) => status.path.key.slice(status.path.key.lastIndexOf('/') + 1));
  return names.filter((name) => matcher.test(name)).flatMap((name) => descend(fs, childOf(base, name), rest));
}

/** A pattern as the name that it stands for when nothing in it is a wildcard. */
export const withoutEscapes = (pattern: string): string => pattern.replace(/\\(.)/gs, '$1');

function toExpression(pattern: string): RegExp {
  let depth = 0;
  const source = [...pattern.matchAll(/\\?./gs)].map(([c]) => {
    if (c.length > 1) return c.slice(1).replace(/[\\^$.|+*?(){}[\]]/g, '\\$&');
    if (c === '*') return '.*';
    if (c === '?') return '.';
    if (c === '[' || c === ']') return c;
    if (c === '{') {
      depth++;
      return '(?:';
    }
    if (c === '}' && depth > 0) {
      depth--;
      return ')';
    }
    if (c === ',' && depth > 0) return '|';
    return c.replace(/[\\^$.|+()}]/g, '\\$&');
  });
  return new RegExp(`^${source.join('')}$`, 's');
}
