import { z } from 'zod';
import { AwsError, NotEmulated } from '../errors.ts';

/** Command documents, schema 2.2, one `aws:runShellScript` step; a closed list, what else a document may have is refused. */
const parameterSchema = z.strictObject({
  type: z.enum(['String', 'StringList']),
  description: z.string().optional(),
  displayType: z.string().optional(),
  default: z.union([z.string(), z.array(z.string())]).optional(),
  allowedValues: z.array(z.string()).optional(),
  allowedPattern: z
    .string()
    .regex(/^\^[\s\S]*\$$/, 'must be anchored with ^ and $: AWS and the agent search, they do not match whole')
    .optional(),
  minChars: z.int().optional(),
  maxChars: z.int().optional(),
  minItems: z.int().optional(),
  maxItems: z.int().optional(),
  interpolationType: z.enum(['ENV_VAR', 'TEXT']).optional(),
});
const documentSchema = z.strictObject({
  schemaVersion: z.literal('2.2'),
  description: z.string().optional(),
  parameters: z.record(z.string().regex(/^[A-Za-z0-9_]+$/), parameterSchema).optional(),
  mainSteps: z
    .array(
      z.strictObject({
        action: z.literal('aws:runShellScript'),
        name: z.string(),
        precondition: z
          .strictObject({ StringEquals: z.tuple([z.literal('platformType'), z.literal('Linux')]) })
          .optional(),
        inputs: z.strictObject({
          runCommand: z.array(z.string()),
          timeoutSeconds: z.union([z.string(), z.int()]).optional(),
          workingDirectory: z.string().optional(),
        }),
      }),
    )
    .length(1, 'only documents of one step are emulated'),
});

type Parameter = z.infer<typeof parameterSchema>;
export type Parameters = Readonly<Record<string, readonly string[]>>;

/** AWS, "Document data elements": `timeoutSeconds` of aws:runShellScript, 1 hour unless given, at most 48 hours. */
const defaultTimeout = 3600;
const longestTimeout = 172_800;
/** AWS: content of a document, at most 64 KB. */
const mostBytes = 65_536;

export interface CommandDocument {
  readonly name: string;
  readonly stepName: string;
  readonly parameters: Readonly<Record<string, Parameter>>;
  readonly runCommand: readonly string[];
  readonly timeoutSeconds: string;
  readonly workingDirectory: string | undefined;
}

export function readDocument(name: string, content: unknown): CommandDocument {
  if (Buffer.byteLength(JSON.stringify(content)) > mostBytes)
    throw new AwsError('MaxDocumentSizeExceeded', 'The size limit of a document is 64 KB.');
  const parsed = documentSchema.safeParse(content);
  if (!parsed.success) {
    throw new NotEmulated(
      `document ${name}: ${parsed.error.issues.map((issue) => `${issue.path.join('/')} ${issue.message}`).join('; ')}`,
    );
  }
  const [step] = parsed.data.mainSteps;
  if (!step) throw new NotEmulated(`document ${name} has no step`);
  const parameters = parsed.data.parameters ?? {};
  const text = step.inputs.runCommand.join('\n');
  for (const [parameter, { interpolationType }] of Object.entries(parameters)) {
    if (interpolationType === 'ENV_VAR' && mentions(text, parameter)) {
      throw new NotEmulated(`document ${name}: runCommand mentions {{ ${parameter} }}, which is passed by ENV_VAR`);
    }
  }
  return {
    name,
    stepName: step.name,
    parameters,
    runCommand: step.inputs.runCommand,
    timeoutSeconds: String(step.inputs.timeoutSeconds ?? defaultTimeout),
    workingDirectory: step.inputs.workingDirectory,
  };
}

const placeholder = (name: string): RegExp => new RegExp(`\\{\\{\\s*${name}\\s*\\}\\}`, 'g');
const mentions = (text: string, name: string): boolean => placeholder(name).test(text);

/** Checks a command's parameters as SendCommand does and adds the defaults. */
export function resolveParameters(document: CommandDocument, given: Parameters): Parameters {
  const invalid = (message: string) => new AwsError('InvalidParameters', message);
  for (const name of Object.keys(given)) {
    if (!(name in document.parameters)) throw invalid(`document ${document.name} has no parameter ${name}`);
  }
  const resolved: Record<string, readonly string[]> = {};
  for (const [name, rule] of Object.entries(document.parameters)) {
    const values = given[name] ?? (rule.default === undefined ? undefined : [rule.default].flat());
    if (values === undefined) throw invalid(`document ${document.name} requires parameter ${name}`);
    if (rule.type === 'String' && values.length !== 1) throw invalid(`parameter ${name} takes one value`);
    if (values.length < (rule.minItems ?? 0) || values.length > (rule.maxItems ?? Number.POSITIVE_INFINITY))
      throw invalid(`parameter ${name}: number of values`);
    for (const value of values) {
      const long = value.length < (rule.minChars ?? 0) || value.length > (rule.maxChars ?? Number.POSITIVE_INFINITY);
      if (long) throw invalid(`parameter ${name}: length ${value.length}`);
      if (rule.allowedValues && !rule.allowedValues.includes(value))
        throw invalid(`parameter ${name} is not one of the allowed values`);
      if (rule.allowedPattern !== undefined && !new RegExp(rule.allowedPattern).test(value)) {
        throw invalid(`parameter ${name} does not match the allowed pattern ${rule.allowedPattern}`);
      }
    }
    resolved[name] = values;
  }
  return resolved;
}

/** What an agent runs: the script's lines, its time limit and the variables that carry parameters. */
export interface Rendered {
  readonly script: string;
  readonly timeoutSeconds: number;
  readonly workingDirectory: string | undefined;
  readonly environment: Readonly<Record<string, string>>;
}

/**
 * Fills a document in as the agent does. An agent older than 3.3.2746.0 knows no `interpolationType`: it sets no
 * variables.
 */
export function render(document: CommandDocument, parameters: Parameters, agentKnowsEnvironment: boolean): Rendered {
  const fill = (text: string): string =>
    Object.entries(parameters).reduce(
      (filled, [name, values]) => filled.replace(placeholder(name), () => parameterText(document, name, values)),
      text,
    );
  const environment: Record<string, string> = {};
  for (const [name, values] of Object.entries(parameters)) {
    if (agentKnowsEnvironment && document.parameters[name]?.interpolationType === 'ENV_VAR')
      environment[`SSM_${name}`] = parameterText(document, name, values);
  }
  const timeout = Number(fill(document.timeoutSeconds));
  return {
    script: fill(document.runCommand.join('\n')),
    timeoutSeconds: Number.isInteger(timeout) && timeout >= 1 && timeout <= longestTimeout ? timeout : defaultTimeout,
    workingDirectory: document.workingDirectory === undefined ? undefined : fill(document.workingDirectory),
    environment,
  };
}

export const parameterText = (document: CommandDocument, name: string, values: readonly string[]): string =>
  document.parameters[name]?.type === 'StringList' ? JSON.stringify(values) : (values[0] ?? '');
