import { z } from 'zod';

/**
 * State machine definitions in Amazon States Language, query language JSONata. The schemas are closed lists: a field
 * that the interpreter does not implement is refused when the machine is created.
 */
const text = z.string();
const count = z.int().nonnegative();
/** `{% … %}` without anything around it (AWS: "transforming data", no leading or trailing space). */
const expression = z.string().regex(/^\{%[\s\S]*%\}$/, 'must be a JSONata expression in {% %}');
const json: z.ZodType<unknown> = z.json();

const assign = z.record(z.string().regex(/^[\p{ID_Start}_]\p{ID_Continue}{0,79}$/u, 'is not a variable name'), json);
const secondsOrExpression = z.union([z.int().min(1).max(99_999_999), expression]);

const retrier = z.strictObject({
  ErrorEquals: z.array(text).min(1),
  IntervalSeconds: z.int().min(1).max(99_999_999).optional(),
  MaxAttempts: z.int().min(0).max(99_999_999).optional(),
  BackoffRate: z.number().min(1).optional(),
  MaxDelaySeconds: z.int().min(1).max(31_622_400).optional(),
  JitterStrategy: z.enum(['FULL', 'NONE']).optional(),
  Comment: text.optional(),
});
const catcher = z.strictObject({
  ErrorEquals: z.array(text).min(1),
  Next: text,
  Output: json.optional(),
  Assign: assign.optional(),
  Comment: text.optional(),
});

const common = { Comment: text.optional(), QueryLanguage: z.literal('JSONata').optional() };
const shaping = { Output: json.optional(), Assign: assign.optional() };
const flow = { Next: text.optional(), End: z.boolean().optional() };
const recovery = { Retry: z.array(retrier).optional(), Catch: z.array(catcher).optional() };

const task = z.strictObject({
  Type: z.literal('Task'),
  ...common,
  ...shaping,
  ...flow,
  ...recovery,
  Resource: text,
  Arguments: z.union([z.record(text, json), expression]).optional(),
  TimeoutSeconds: secondsOrExpression.optional(),
  HeartbeatSeconds: secondsOrExpression.optional(),
});
const pass = z.strictObject({ Type: z.literal('Pass'), ...common, ...shaping, ...flow });
const choice = z.strictObject({
  Type: z.literal('Choice'),
  ...common,
  ...shaping,
  Choices: z
    .array(
      z.strictObject({
        Condition: z.union([expression, z.boolean()]),
        Next: text,
        ...shaping,
        Comment: text.optional(),
      }),
    )
    .min(1),
  Default: text.optional(),
});
const wait = z.strictObject({
  Type: z.literal('Wait'),
  ...common,
  ...shaping,
  ...flow,
  Seconds: z.union([z.int().min(0).max(99_999_999), expression]).optional(),
  Timestamp: text.optional(),
});
const succeed = z.strictObject({ Type: z.literal('Succeed'), ...common, Output: json.optional() });
const fail = z.strictObject({ Type: z.literal('Fail'), ...common, Error: text.optional(), Cause: text.optional() });
const positiveOrExpression = z.union([z.int().min(1), expression]);
/** AWS, "ItemReader (Map)": a dataset in S3. Inventories, Athena manifests, Parquet and listings are not emulated. */
const itemReader = z.strictObject({
  Resource: z.literal('arn:aws:states:::s3:getObject'),
  Arguments: z.union([z.strictObject({ Bucket: text, Key: text }), expression]),
  ReaderConfig: z
    .strictObject({
      InputType: z.enum(['JSON', 'JSONL', 'CSV']),
      CSVHeaderLocation: z.enum(['FIRST_ROW', 'GIVEN']).optional(),
      CSVHeaders: z.array(text).min(1).optional(),
      CSVDelimiter: z.enum(['COMMA', 'PIPE', 'SEMICOLON', 'SPACE', 'TAB']).optional(),
      MaxItems: z.union([z.int().min(1).max(100_000_000), expression]).optional(),
    })
    .optional(),
});
/** AWS, "ItemBatcher (Map)". */
const itemBatcher = z.strictObject({
  MaxItemsPerBatch: positiveOrExpression.optional(),
  MaxInputBytesPerBatch: z.union([z.int().min(1).max(262_144), expression]).optional(),
  BatchInput: json.optional(),
});
/** AWS, "ResultWriter (Map)": a place in S3, a form, or both. */
const resultWriter = z.strictObject({
  Resource: z.literal('arn:aws:states:::s3:putObject').optional(),
  Arguments: z.union([z.strictObject({ Bucket: text, Prefix: text.optional() }), expression]).optional(),
  WriterConfig: z
    .strictObject({ Transformation: z.enum(['NONE', 'COMPACT', 'FLATTEN']), OutputType: z.enum(['JSON', 'JSONL']) })
    .optional(),
});
const processorConfig = z.discriminatedUnion('Mode', [
  z.strictObject({ Mode: z.literal('INLINE') }),
  z.strictObject({ Mode: z.literal('DISTRIBUTED'), ExecutionType: z.enum(['STANDARD', 'EXPRESS']) }),
]);
const map = z.strictObject({
  Type: z.literal('Map'),
  ...common,
  ...shaping,
  ...flow,
  ...recovery,
  Items: z.union([z.array(json), z.record(text, json), expression]).optional(),
  ItemReader: itemReader.optional(),
  ItemSelector: json.optional(),
  ItemBatcher: itemBatcher.optional(),
  ResultWriter: resultWriter.optional(),
  MaxConcurrency: z.union([count, expression]).optional(),
  ToleratedFailureCount: z.union([count, expression]).optional(),
  ToleratedFailurePercentage: z.union([z.number().min(0).max(100), expression]).optional(),
  Label: z
    .string()
    .regex(/^[^\s?*<>{}[\]"#%\\^|~`$&,;:/]{1,40}$/, 'must be 1 to 40 characters without white space or special ones')
    .optional(),
  get ItemProcessor() {
    return z.strictObject({
      ProcessorConfig: processorConfig.optional(),
      Comment: text.optional(),
      StartAt: text,
      States: states,
    });
  },
});
const parallel = z.strictObject({
  Type: z.literal('Parallel'),
  ...common,
  ...shaping,
  ...flow,
  ...recovery,
  Arguments: json.optional(),
  get Branches() {
    return z.array(z.strictObject({ Comment: text.optional(), StartAt: text, States: states })).min(1);
  },
});

const state = z.discriminatedUnion('Type', [task, pass, choice, wait, succeed, fail, map, parallel]);
const states: z.ZodType<Readonly<Record<string, State>>> = z.lazy(() => z.record(text.min(1).max(80), state));

const machine = z.strictObject({
  Comment: text.optional(),
  Version: z.literal('1.0').optional(),
  QueryLanguage: z.enum(['JSONata', 'JSONPath']).optional(),
  TimeoutSeconds: z.int().min(1).max(99_999_999).optional(),
  StartAt: text,
  States: states,
});

export type Retrier = z.infer<typeof retrier>;
export type Catcher = z.infer<typeof catcher>;
export type Shaping = { readonly Output?: unknown; readonly Assign?: Readonly<Record<string, unknown>> | undefined };
export interface StateGraph {
  readonly StartAt: string;
  readonly States: Readonly<Record<string, State>>;
}
export type TaskState = z.infer<typeof task>;
export type PassState = z.infer<typeof pass>;
export type ChoiceState = z.infer<typeof choice>;
export type WaitState = z.infer<typeof wait>;
export type SucceedState = z.infer<typeof succeed>;
export type FailState = z.infer<typeof fail>;
interface Recovery {
  readonly Retry?: readonly Retrier[] | undefined;
  readonly Catch?: readonly Catcher[] | undefined;
}
interface Flow {
  readonly Next?: string | undefined;
  readonly End?: boolean | undefined;
}
export interface MapState extends Shaping, Flow, Recovery {
  readonly Type: 'Map';
  readonly QueryLanguage?: 'JSONata' | undefined;
  readonly Items?: readonly unknown[] | Readonly<Record<string, unknown>> | string | undefined;
  readonly ItemReader?: z.infer<typeof itemReader> | undefined;
  readonly ItemSelector?: unknown;
  readonly ItemBatcher?: z.infer<typeof itemBatcher> | undefined;
  readonly ResultWriter?: z.infer<typeof resultWriter> | undefined;
  readonly MaxConcurrency?: number | string | undefined;
  readonly ToleratedFailureCount?: number | string | undefined;
  readonly ToleratedFailurePercentage?: number | string | undefined;
  readonly Label?: string | undefined;
  readonly ItemProcessor: StateGraph & { readonly ProcessorConfig?: z.infer<typeof processorConfig> | undefined };
}
export interface ParallelState extends Shaping, Flow, Recovery {
  readonly Type: 'Parallel';
  readonly QueryLanguage?: 'JSONata' | undefined;
  readonly Arguments?: unknown;
  readonly Branches: readonly StateGraph[];
}
export type State =
  | TaskState
  | PassState
  | ChoiceState
  | WaitState
  | SucceedState
  | FailState
  | MapState
  | ParallelState;
export type Machine = StateGraph & {
  readonly TimeoutSeconds?: number | undefined;
  readonly QueryLanguage?: 'JSONata' | 'JSONPath' | undefined;
};
export type ItemReader = z.infer<typeof itemReader>;
export type ResultWriter = z.infer<typeof resultWriter>;

export const machineSchema = machine;
