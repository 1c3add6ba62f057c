import { readFileSync } from 'node:fs';
import { type Alias, isNode, LineCounter, parseDocument, visit, type YAMLError } from 'yaml';
import * as z from 'zod';
import { PolicyFile, resolvePolicies } from '../../functions/core/domain/policy.ts';
import { DrError } from '../../functions/core/errors.ts';
import { problemsOfBudget } from '../../functions/core/planner/budget.ts';
import { problemsOfDrills } from '../../functions/core/planner/drill-rota.ts';

/** Aliases that one file may resolve: enough for a person, too few for a file that multiplies itself. */
const MAX_ALIASES = 20;

type Path = readonly PropertyKey[];
type Problem = { readonly line: number; readonly column: number; readonly text: string };

/**
 * Reads a policy file: one YAML 1.2 document that `PolicyFile` accepts.
 *
 * @throws {DrError} PolicyInvalid with one line per problem, `file:line:column: where: what is wrong, remedy`, in the
 * order of the file. Rules between fields (a cluster that a policy names) are checked once every field is right, and
 * what the policies come to together (the budget of snapshots of each cluster, drills that no schedule can keep) once those
 * are.
 */
export function loadPolicies(path: string): PolicyFile {
  return parsePolicies(readText(path), path);
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    throw new DrError('PolicyInvalid', `${path}: cannot be read, name an existing file: -c policies=<path>`, { cause });
  }
}

/** As `loadPolicies`, of text that is already read; `path` only names it in messages. */
export function parsePolicies(text: string, path: string): PolicyFile {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, uniqueKeys: true });
  const at = (offset: number, message: string): Problem => {
    const { line, col } = lines.linePos(offset);
    return { line: Math.max(line, 1), column: Math.max(col, 1), text: message };
  };

  // After a syntax error the parser guesses: what it reports next is mostly a consequence.
  const [first, ...more] = [...document.errors, ...document.warnings];
  if (first) {
    const independent = more.filter((error) => error.code === 'DUPLICATE_KEY' || error.code === 'TAG_RESOLVE_FAILED');
    const text = (error: YAMLError) => YAML_PROBLEMS[error.code] ?? `${firstLine(error.message)}, write it as YAML 1.2`;
    throw invalid(
      path,
      [first, ...independent].map((error) => at(error.pos[0], text(error))),
    );
  }

  const aliases: Alias[] = [];
  visit(document, { Alias: (_key, alias) => void aliases.push(alias) });
  const unknown = aliases.filter((alias) => alias.resolve(document) === undefined);
  if (unknown.length > 0)
    throw invalid(
      path,
      unknown.map((alias) => at(alias.range?.[0] ?? 0, `no anchor &${alias.source} stands above, write the value out`)),
    );
  let content: unknown;
  try {
    content = document.toJS({ maxAliasCount: MAX_ALIASES });
  } catch (cause) {
    const where = aliases[0]?.range?.[0] ?? 0;
    throw invalid(path, [at(where, `aliases repeat too much, write the values out instead`)], cause);
  }
  if (content === null || content === undefined)
    throw invalid(path, [at(0, 'the file is empty, write clusters and policies')]);

  const parsed = PolicyFile.safeParse(content);
  const offsetOf = (where: Path, key?: PropertyKey): number => {
    for (let length = where.length; length >= 0; length--) {
      const node = length === 0 ? document.contents : document.getIn(where.slice(0, length), true);
      if (!isNode(node) || !node.range) continue;
      return (length === where.length && key !== undefined && keyOffset(node, key)) || node.range[0];
    }
    return 0;
  };
  if (parsed.success) {
    const policies = resolvePolicies(parsed.data);
    const together = [...problemsOfBudget(policies), ...problemsOfDrills(policies)];
    if (together.length === 0) return parsed.data;
    throw invalid(
      path,
      together.map(({ path: where, message }) => at(offsetOf(where), `${dotted(where)}: ${message}`)),
    );
  }
  const problems = parsed.error.issues.flatMap((issue) => describe(issue, content));
  throw invalid(
    path,
    problems.map(({ where, key, text: message }) => at(offsetOf(where, key), `${dotted(where, key)}: ${message}`)),
  );
}

const YAML_PROBLEMS: Readonly<Record<string, string>> = {
  DUPLICATE_KEY: 'this key stands above already, write each key once',
  MULTIPLE_DOCS: 'a second document begins here, write one document per file',
  TAG_RESOLVE_FAILED: 'tags mean nothing here, write the plain value',
  TAB_AS_INDENT: 'a tab cannot indent YAML, write blanks',
};

/** Where a key stands inside a mapping, so that a wrong key is marked itself and not its mapping. */
function keyOffset(node: unknown, key: PropertyKey): number | undefined {
  const Mapping = z.object({ items: z.array(z.object({ key: z.object({ value: z.unknown(), range: z.unknown() }) })) });
  const items = Mapping.safeParse(node).data?.items ?? [];
  const range = items.find((item) => item.key.value === key)?.key.range;
  return z.array(z.number()).safeParse(range).data?.[0];
}

type Described = { readonly where: Path; readonly key?: PropertyKey; readonly text: string };

/** What is wrong, then what to write instead: one sentence per issue of the schema. */
function describe(issue: z.core.$ZodIssue, content: unknown): readonly Described[] {
  const where = issue.path;
  const value = valueAt(content, where);
  switch (issue.code) {
    case 'unrecognized_keys':
      return issue.keys.map((key) => ({
        where,
        key,
        text: `is not a field here, write one of ${fieldsAt(where).join(', ')}, or remove it`,
      }));
    case 'invalid_key':
      return [
        {
          where: where.slice(0, -1),
          key: where.at(-1) ?? '',
          text: `is not accepted as a name, ${issue.issues[0]?.message ?? 'write another one'}`,
        },
      ];
    case 'invalid_type': {
      const what = value === undefined ? 'is missing' : `${shown(value)} is not accepted`;
      return [
        {
          where,
          text: `${what}, ${/^Invalid/.test(issue.message) ? `write ${noun(issue.expected)}` : issue.message}`,
        },
      ];
    }
    case 'invalid_value':
      return [{ where, text: `${shown(value)} is not accepted, write one of ${issue.values.map(String).join(', ')}` }];
    case 'too_small':
      return [{ where, text: `${sized(value)} is too small, write at least ${issue.minimum}${unit(issue.origin)}` }];
    case 'too_big':
      return [{ where, text: `${sized(value)} is too large, write at most ${issue.maximum}${unit(issue.origin)}` }];
    default:
      return [{ where, text: `${shown(value)} is not accepted, ${issue.message}` }];
  }
}

const NOUNS: Readonly<Record<string, string>> = {
  object: 'a mapping',
  record: 'a mapping',
  array: 'a list',
  boolean: 'true or false',
  int: 'a whole number',
};
const noun = (expected: string): string => NOUNS[expected] ?? `a ${expected}`;
const unit = (origin: string): string => (origin === 'array' ? ' entry' : origin === 'string' ? ' characters' : '');
const sized = (value: unknown): string => (Array.isArray(value) ? `a list of ${value.length}` : shown(value));
const shown = (value: unknown): string => {
  const text = JSON.stringify(value) ?? 'nothing';
  return text.length > 80 ? `${text.slice(0, 77)}...` : text;
};
const firstLine = (text: string): string => text.split('\n', 1)[0] ?? '';
const dotted = (where: Path, key?: PropertyKey): string =>
  [...where, ...(key === undefined ? [] : [key])].map(String).join('.') || 'the file';

const Mapping = z.record(z.string(), z.unknown());
function valueAt(content: unknown, where: Path): unknown {
  let value = content;
  for (const key of where)
    value = Array.isArray(value) ? value[Number(key)] : Mapping.safeParse(value).data?.[String(key)];
  return value;
}

/** The JSON Schema of the policy file, for editors. Rules between fields are not in it. */
export const policyJsonSchema = () => ({
  title: 'Ozone DR policy file',
  ...z.toJSONSchema(PolicyFile, { io: 'input', target: 'draft-7' }),
});

type SchemaNode = {
  readonly properties?: Readonly<Record<string, SchemaNode>> | undefined;
  readonly additionalProperties?: boolean | SchemaNode | undefined;
  readonly items?: SchemaNode | undefined;
};
const SchemaNode: z.ZodType<SchemaNode> = z.lazy(() =>
  z.object({
    properties: z.record(z.string(), SchemaNode).optional(),
    additionalProperties: z.union([z.boolean(), SchemaNode]).optional(),
    items: SchemaNode.optional(),
  }),
);

/** The names that the schema knows at one place of the file. */
function fieldsAt(where: Path): readonly string[] {
  let node: SchemaNode | undefined = SchemaNode.parse(policyJsonSchema());
  for (const key of where) {
    const rest: boolean | SchemaNode | undefined = node?.additionalProperties;
    node = node?.properties?.[String(key)] ?? node?.items ?? (typeof rest === 'object' ? rest : undefined);
  }
  return Object.keys(node?.properties ?? {});
}

function invalid(path: string, problems: readonly Problem[], cause?: unknown): DrError {
  const lines = [...problems]
    .sort((a, b) => a.line - b.line || a.column - b.column)
    .map((problem) => `${path}:${problem.line}:${problem.column}: ${problem.text}`);
  return new DrError('PolicyInvalid', lines.join('\n'), cause === undefined ? undefined : { cause });
}
