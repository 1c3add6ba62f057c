import jsonata from 'jsonata';
import { isObject, parseJson } from '../json.ts';
import {
  type Machine,
  type MapState,
  machineSchema,
  type State,
  type StateGraph,
  type TaskState,
} from './definition.ts';
import { expressionIn } from './expressions.ts';
import { integrationOf } from './integrations.ts';
import { expressionsIn, freeVariables, ownFields, variablesOf } from './variables.ts';

/** `CreateStateMachine` answers `InvalidDefinition` with these lines. */
export class InvalidDefinition extends Error {
  override readonly name = 'InvalidDefinition';
  readonly findings: readonly string[];

  constructor(findings: readonly string[]) {
    super(`Invalid State Machine Definition: ${findings.join('; ')}`);
    this.findings = findings;
  }
}

/** What the check depends on besides the definition. */
export interface CheckOptions {
  /** Tasks are mocked: every integration that AWS has is taken, not only the emulated ones. */
  readonly mocked?: boolean;
}

/** What a graph inherits from the machine and from the graphs around it. */
interface Scope {
  readonly path: string;
  readonly names: Set<string>;
  /** Variables of the scopes around it that it can read, and must not assign. */
  readonly outer: readonly string[];
  /** Variables that it cannot read: those outside of a distributed Map. */
  readonly hidden: readonly string[];
  /** JSONata must be said in each state when the machine does not say it. */
  readonly eachSaysJsonata: boolean;
  readonly express: boolean;
  readonly options: CheckOptions;
  readonly findings: string[];
}

/** Reads a definition, or refuses it with everything that is wrong with it. */
export function checkDefinition(definition: string, options: CheckOptions = {}): Machine {
  const value = parseJson(definition);
  if (!isObject(value)) throw new InvalidDefinition(['INVALID_JSON_DESCRIPTION: not a JSON object']);
  if (Buffer.byteLength(definition) > mostDefinition)
    throw new InvalidDefinition(['SCHEMA_VALIDATION_FAILED: larger than 1 MB']);
  const parsed = machineSchema.safeParse(value);
  if (!parsed.success) {
    throw new InvalidDefinition(
      parsed.error.issues.map((issue) => `SCHEMA_VALIDATION_FAILED: /${issue.path.join('/')} ${issue.message}`),
    );
  }
  const findings: string[] = [];
  const eachSaysJsonata = parsed.data.QueryLanguage !== 'JSONata';
  const names = new Set<string>();
  checkGraph(parsed.data, {
    path: '',
    names,
    outer: [],
    hidden: [],
    eachSaysJsonata,
    express: false,
    options,
    findings,
  });
  if (findings.length > 0) throw new InvalidDefinition(findings);
  return parsed.data;
}

/** AWS, "Service quotas": a definition, 1 MB. */
const mostDefinition = 1_048_576;

function checkGraph(graph: StateGraph, scope: Scope): void {
  const { path, names, outer, hidden, findings } = scope;
  if (!Object.hasOwn(graph.States, graph.StartAt))
    findings.push(`MISSING_TRANSITION_TARGET: ${path}/StartAt '${graph.StartAt}'`);
  const reached = new Set<string>([graph.StartAt]);
  const own = Object.values(graph.States).flatMap(variablesOf);
  for (const variable of own) {
    if (variable === 'states') findings.push(`${path}: the variable name 'states' is reserved`);
    if (outer.includes(variable)) findings.push(`${path}: variable '${variable}' is assigned in an outer scope too`);
  }
  for (const [name, state] of Object.entries(graph.States)) {
    const at = `${path}/States/${name}`;
    if (names.has(name)) findings.push(`DUPLICATE_STATE_NAME: ${at}`);
    names.add(name);
    for (const target of targetsOf(state)) {
      reached.add(target);
      if (!Object.hasOwn(graph.States, target)) findings.push(`MISSING_TRANSITION_TARGET: ${at} -> '${target}'`);
    }
    if (scope.eachSaysJsonata && state.QueryLanguage !== 'JSONata')
      findings.push(`${at}: its QueryLanguage is JSONPath, which is not emulated`);
    checkState(state, at, scope);
    for (const { path: field, source } of expressionsIn(ownFields(state))) {
      for (const variable of freeVariables(source)) {
        if (hidden.includes(variable) && !own.includes(variable) && !outer.includes(variable))
          findings.push(`${at}${field}: a child of a distributed Map cannot read the outer variable '${variable}'`);
      }
    }
    const visible = [...outer, ...own];
    if (state.Type === 'Map') {
      const config = state.ItemProcessor.ProcessorConfig;
      const inner = { ...scope, path: `${at}/ItemProcessor` };
      if (config?.Mode === 'DISTRIBUTED') {
        const express = config.ExecutionType === 'EXPRESS';
        checkGraph(state.ItemProcessor, { ...inner, outer: [], hidden: [...hidden, ...visible], express });
      } else checkGraph(state.ItemProcessor, { ...inner, outer: visible });
    }
    if (state.Type === 'Parallel') {
      for (const [index, branch] of state.Branches.entries()) {
        checkGraph(branch, { ...scope, path: `${at}/Branches/${index}`, outer: visible });
      }
    }
  }
  for (const name of Object.keys(graph.States)) {
    if (!reached.has(name)) findings.push(`MISSING_TRANSITION_TARGET: ${path}/States/${name} is not reachable`);
  }
  if (!Object.values(graph.States).some(ends)) findings.push(`NO_TERMINAL_STATE: ${path || '/'}`);
}

const ends = (state: State): boolean =>
  state.Type === 'Succeed' || state.Type === 'Fail' || ('End' in state && state.End === true);

const targetsOf = (state: State): readonly string[] => [
  ...('Next' in state && state.Next !== undefined ? [state.Next] : []),
  ...('Catch' in state ? (state.Catch ?? []).map((catcher) => catcher.Next) : []),
  ...(state.Type === 'Choice' ? state.Choices.map((rule) => rule.Next) : []),
  ...(state.Type === 'Choice' && state.Default !== undefined ? [state.Default] : []),
];

function checkState(state: State, at: string, scope: Scope): void {
  const { findings } = scope;
  if ('Next' in state || 'End' in state || ['Task', 'Pass', 'Wait', 'Map', 'Parallel'].includes(state.Type)) {
    const next = 'Next' in state ? state.Next : undefined;
    const end = 'End' in state ? state.End : undefined;
    if ((next === undefined) === (end !== true)) findings.push(`${at} needs exactly one of Next and End`);
  }
  if (state.Type === 'Wait' && (state.Seconds === undefined) === (state.Timestamp === undefined)) {
    findings.push(`${at} needs exactly one of Seconds and Timestamp`);
  }
  if (state.Type === 'Task') checkTask(state, at, scope);
  if (state.Type === 'Map') checkMap(state, at, scope);
  if ('Retry' in state) checkErrorNames(state.Retry ?? [], `${at}/Retry`, findings);
  if ('Catch' in state) checkErrorNames(state.Catch ?? [], `${at}/Catch`, findings);
  for (const rule of 'Retry' in state ? (state.Retry ?? []) : []) {
    if (rule.MaxDelaySeconds !== undefined && rule.MaxDelaySeconds < (rule.IntervalSeconds ?? 1)) {
      findings.push(`${at}/Retry: MaxDelaySeconds must not be smaller than IntervalSeconds`);
    }
  }
  checkExpressions(state, at, findings);
}

/** Members of `Arguments` that AWS knows and asks for (AWS, "Invoke Lambda", "Start a new execution"). */
const argumentsOf: Readonly<
  Record<string, { readonly needed: string; readonly emulated: readonly string[]; readonly other: readonly string[] }>
> = {
  'lambda-invoke': {
    needed: 'FunctionName',
    emulated: ['FunctionName', 'Payload', 'Qualifier'],
    other: ['ClientContext', 'InvocationType', 'LogType'],
  },
  'start-execution': {
    needed: 'StateMachineArn',
    emulated: ['StateMachineArn', 'Input', 'Name'],
    other: ['TraceHeader'],
  },
};

function checkTask(state: TaskState, at: string, { findings, options, express }: Scope): void {
  const integration = integrationOf(state.Resource);
  if (typeof integration === 'string') findings.push(`${at}/Resource: ${integration}`);
  else {
    if (integration.kind === 'mocked-only' && !options.mocked)
      findings.push(`${at}/Resource: the integration '${state.Resource}' is not emulated`);
    if (express && (integration.sync || integration.waitsForToken))
      findings.push(`${at}/Resource: Express children can neither run a job (.sync) nor wait for a token`);
    const members = argumentsOf[integration.kind];
    if (members && isObject(state.Arguments ?? {})) {
      const given = Object.keys(isObject(state.Arguments) ? state.Arguments : {});
      const taken = [...members.emulated, ...(options.mocked ? members.other : [])];
      if (!given.includes(members.needed)) findings.push(`${at}/Arguments: ${members.needed} is required`);
      for (const name of given) if (!taken.includes(name)) findings.push(`${at}/Arguments: ${name} is not supported`);
    }
  }
  const { TimeoutSeconds: timeout, HeartbeatSeconds: heartbeat } = state;
  if (typeof timeout === 'number' && typeof heartbeat === 'number' && heartbeat >= timeout) {
    findings.push(`${at}: HeartbeatSeconds must be smaller than TimeoutSeconds`);
  }
}

const distributedOnly = [
  'ItemReader',
  'ItemBatcher',
  'ResultWriter',
  'ToleratedFailureCount',
  'ToleratedFailurePercentage',
  'Label',
] as const;

function checkMap(state: MapState, at: string, { findings, express }: Scope): void {
  const config = state.ItemProcessor.ProcessorConfig;
  if (config?.Mode !== 'DISTRIBUTED') {
    for (const field of distributedOnly) {
      if (state[field] !== undefined) findings.push(`${at}/${field} is for a Map in DISTRIBUTED mode`);
    }
    return;
  }
  if (express) findings.push(`${at}: an Express child cannot contain a distributed Map`);
  const { ItemReader: reader, ItemBatcher: batcher, ResultWriter: writer } = state;
  if (reader && state.Items !== undefined) findings.push(`${at} has both Items and ItemReader`);
  if (batcher && batcher.MaxItemsPerBatch === undefined && batcher.MaxInputBytesPerBatch === undefined)
    findings.push(`${at}/ItemBatcher needs MaxItemsPerBatch or MaxInputBytesPerBatch`);
  if (writer && (writer.Resource === undefined) !== (writer.Arguments === undefined))
    findings.push(`${at}/ResultWriter needs Resource and Arguments together`);
  if (writer && writer.Resource === undefined && writer.WriterConfig === undefined)
    findings.push(`${at}/ResultWriter must not be empty`);
  if (writer && writer.Resource === undefined && writer.WriterConfig?.OutputType === 'JSONL')
    findings.push(`${at}/ResultWriter: JSONL as the state's output is not emulated`);
  const csv = reader?.ReaderConfig;
  if (csv && csv.InputType !== 'CSV' && (csv.CSVHeaders ?? csv.CSVHeaderLocation ?? csv.CSVDelimiter) !== undefined)
    findings.push(`${at}/ItemReader: CSV fields are for CSV`);
  if (csv?.InputType === 'CSV' && csv.CSVHeaderLocation === undefined)
    findings.push(`${at}/ItemReader: CSVHeaderLocation is required`);
  if (csv && (csv.CSVHeaderLocation === 'GIVEN') !== (csv.CSVHeaders !== undefined))
    findings.push(`${at}/ItemReader: CSVHeaders go with CSVHeaderLocation GIVEN`);
}

function checkErrorNames(
  rules: readonly { readonly ErrorEquals: readonly string[] }[],
  at: string,
  findings: string[],
): void {
  for (const [index, rule] of rules.entries()) {
    if (!rule.ErrorEquals.includes('States.ALL')) continue;
    if (rule.ErrorEquals.length > 1) findings.push(`${at}/${index}: States.ALL must be alone`);
    if (index < rules.length - 1) findings.push(`${at}/${index}: States.ALL must be in the last rule`);
  }
}

/** Which members of `$states` an expression may read depends on where it stands. */
function checkExpressions(state: State, at: string, findings: string[]): void {
  const hasResult = state.Type === 'Task' || state.Type === 'Map' || state.Type === 'Parallel';
  for (const [field, value] of Object.entries(state)) {
    if (field === 'ItemProcessor' || field === 'Branches' || field === 'Comment') continue;
    if (field === 'Catch' || field === 'Retry' || field === 'Choices') {
      walkExpressions(value, `${at}/${field}`, field === 'Catch' ? ['errorOutput'] : [], findings);
      continue;
    }
    const allowed = hasResult && (field === 'Output' || field === 'Assign') ? ['result'] : [];
    walkExpressions(value, `${at}/${field}`, allowed, findings);
  }
}

function walkExpressions(value: unknown, at: string, allowed: readonly string[], findings: string[]): void {
  if (Array.isArray(value)) {
    for (const [index, member] of value.entries()) walkExpressions(member, `${at}/${index}`, allowed, findings);
  } else if (isObject(value)) {
    for (const [name, member] of Object.entries(value)) {
      if (name.endsWith('.$')) findings.push(`${at}/${name}: the ".$" suffix is JSONPath`);
      walkExpressions(member, `${at}/${name}`, allowed, findings);
    }
  } else if (typeof value === 'string') {
    const source = expressionIn(value);
    if (source === undefined) {
      if (/^\s+\{%|%\}\s+$/.test(value)) findings.push(`${at}: space around {% %}`);
      else if (value.startsWith('{%')) findings.push(`${at}: unterminated {%`);
      return;
    }
    try {
      walkTree(jsonata(source).ast(), at, allowed, findings);
    } catch (error) {
      findings.push(
        `${at}: ${isObject(error) && typeof error.message === 'string' ? error.message : 'JSONata syntax error'}`,
      );
    }
  }
}

function walkTree(node: unknown, at: string, allowed: readonly string[], findings: string[]): void {
  if (Array.isArray(node)) {
    for (const member of node) walkTree(member, at, allowed, findings);
    return;
  }
  if (!isObject(node)) return;
  if (node.type === 'variable' && node.value === 'eval')
    findings.push(`${at}: $eval is not supported by Step Functions`);
  if (node.type === 'bind' && isObject(node.lhs) && node.lhs.value === 'states')
    findings.push(`${at}: states is reserved`);
  if (node.type === 'path' && Array.isArray(node.steps)) {
    const [first, second] = node.steps;
    if (
      isObject(first) &&
      first.type === 'variable' &&
      first.value === 'states' &&
      isObject(second) &&
      second.type === 'name'
    ) {
      const member = String(second.value);
      if (!['input', 'context', ...allowed].includes(member))
        findings.push(`${at}: $states.${member} is not available here`);
    }
  }
  for (const member of Object.values(node)) walkTree(member, at, allowed, findings);
}
