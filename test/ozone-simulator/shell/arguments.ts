/** A usage error as picocli reports it: exit 2, the message, then the command's usage on stderr. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

export interface CommandSpec {
  /** As it stands in the usage line, for example `snapshot create`. */
  readonly path: string;
  readonly about: string;
  /** Option names that take no value. */
  readonly flags: readonly string[];
  /** Option names that take one. */
  readonly valued: readonly string[];
  /** Parameter labels; those in `[]` may be left out. */
  readonly parameters: readonly string[];
}

export interface Parsed {
  has(...names: readonly string[]): boolean;
  value(...names: readonly string[]): string | undefined;
  readonly parameters: readonly string[];
}

/** @param offset how many words of the command line came before `words`, for picocli's "at index". */
export function parseArguments(spec: CommandSpec, words: readonly string[], offset: number): Parsed {
  const flags = new Set<string>();
  const values = new Map<string, string>();
  const parameters: string[] = [];
  let onlyParameters = false;
  for (let i = 0; i < words.length; i++) {
    const word = words[i] ?? '';
    const [name = '', attached] = /^--[^=]+=/.test(word) ? splitOnce(word) : [word];
    if (onlyParameters || !word.startsWith('-') || word === '-') {
      if (parameters.length === spec.parameters.length)
        throw new UsageError(`Unmatched argument at index ${offset + i}: '${word}'`);
      parameters.push(word);
    } else if (word === '--') onlyParameters = true;
    else if (spec.flags.includes(name) || name === '--verbose') flags.add(name);
    else if (spec.valued.includes(name)) {
      const value = attached ?? words[++i];
      if (value === undefined) throw new UsageError(`Missing required parameter for option '${name}'`);
      values.set(name, value);
    } else throw new UsageError(`Unknown option: '${word}'`);
  }
  const missing = spec.parameters[parameters.length];
  if (missing && !missing.startsWith('[')) throw new UsageError(`Missing required parameter: '${missing}'`);
  return {
    has: (...names) => names.some((name) => flags.has(name)),
    value: (...names) => names.map((name) => values.get(name)).find((value) => value !== undefined),
    parameters,
  };
}

const splitOnce = (word: string): readonly string[] => {
  const at = word.indexOf('=');
  return [word.slice(0, at), word.slice(at + 1)];
};

export const usageOf = (spec: CommandSpec): string =>
  `Usage: ozone sh ${spec.path} [-hV] [--verbose]${spec.parameters.map((p) => ` ${p}`).join('')}\n${spec.about}\n` +
  '  -h, --help             Show this help message and exit.\n' +
  '  -V, --version          Print version information and exit.\n' +
  '      --verbose          More verbose output. Show the stack trace of the\n' +
  '                           errors.\n';

/** Splits one `--execute` line into words: blanks separate, quotes keep together. */
export function splitWords(line: string): readonly string[] {
  const words: string[] = [];
  let word = '';
  let open = false;
  let quote = '';
  for (const c of line) {
    if (quote !== '') {
      if (c === quote) quote = '';
      else word += c;
    } else if (c === '"' || c === "'") {
      quote = c;
      open = true;
    } else if (/\s/.test(c)) {
      if (open || word !== '') words.push(word);
      word = '';
      open = false;
    } else word += c;
  }
  if (open || word !== '') words.push(word);
  return words;
}
