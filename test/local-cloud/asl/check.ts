import jsonata from 'jsonata';
import { isObject, parseJson } from '../json.ts';
import { type Machine, machineSchema, type State, type StateGraph } from './definition.ts';
import { expressionIn } from './expressions.ts';
import { integrationOf } from './integrations.ts';

/** `CreateStateMachine` answers `InvalidDefinition` with these lines. */
export class InvalidDefinition extends Error {
  override readonly name = 'InvalidDefinition';
  readonly findings: readonly string[];

  constructor(findings: readonly string[]) {
    super(`Invalid State Machine Definition: ${findings.join('; ')}`);
    this.findings = findings;
  }
}

/** Reads a definition, or refuses it with everything that is wrong with it. */
export function checkDefinition(definition: string): Machine {
  const value = parseJson(definition);
  if (!isObject(value)) throw new InvalidDefinition(['INVALID_JSON_DESCRIPTION: not a JSON object']);
  const parsed = machineSchema.safeParse(value);
  if (!parsed.success) {
    throw new InvalidDefinition(
      parsed.error.issues.map((issue) => `SCHEMA_VALIDATION_FAILED: /${issue.path.join('/')} ${issue.message}`),
    );
  }
  const findings: string[] = [];
  const names = new Set<string>();
  checkGraph(parsed.data, '', names, [], findings);
  if (findings.length > 0) throw new InvalidDefinition(findings);
  return parsed.data;
}

function checkGraph(
  graph: StateGraph,
  path: string,
  names: Set<string>,
  outerVariables: readonly string[],
  findings: string[],
): void {
  if (!(graph.StartAt in graph.States)) findings.push(`MISSING_TRANSITION_TARGET: ${path}/StartAt '${graph.StartAt}'`);
  const reached = new Set<string>([graph.StartAt]);
  const own = Object.values(graph.States).flatMap(variablesOf);
  for (const variable of own) {
    if (outerVariables.includes(variable))
      findings.push(`${path}: variable '${variable}' is assigned in an outer scope too`);
  }
  for (const [name, state] of Object.entries(graph.States)) {
    const at = `${path}/States/${name}`;
    if (names.has(name)) findings.push(`DUPLICATE_STATE_NAME: ${at}`);
    names.add(name);
    for (const target of targetsOf(state)) {
      reached.add(target);
      if (!(target in graph.States)) findings.push(`MISSING_TRANSITION_TARGET: ${at} -> '${target}'`);
    }
    checkState(state, at, findings);
    const inner = [...outerVariables, ...own];
    if (state.Type === 'Map') checkGraph(state.ItemProcessor, `${at}/ItemProcessor`, names, inner, findings);
    if (state.Type === 'Parallel') {
      for (const [index, branch] of state.Branches.entries()) {
        checkGraph(branch, `${at}/Branches/${index}`, names, inner, findings);
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

const variablesOf = (state: State): readonly string[] => [
  ...('Assign' in state ? Object.keys(state.Assign ?? {}) : []),
  ...('Catch' in state ? (state.Catch ?? []).flatMap((catcher) => Object.keys(catcher.Assign ?? {})) : []),
  ...(state.Type === 'Choice' ? state.Choices.flatMap((rule) => Object.keys(rule.Assign ?? {})) : []),
];

const targetsOf = (state: State): readonly string[] => [
  ...('Next' in state && state.Next !== undefined ? [state.Next] : []),
  ...('Catch' in state ? (state.Catch ?? []).map((catcher) => catcher.Next) : []),
  ...(state.Type === 'Choice' ? state.Choices.map((rule) => rule.Next) : []),
  ...(state.Type === 'Choice' && state.Default !== undefined ? [state.Default] : []),
];

function checkState(state: State, at: string, findings: string[]): void {
  if ('Next' in state || 'End' in state || ['Task', 'Pass', 'Wait', 'Map', 'Parallel'].includes(state.Type)) {
    const next = 'Next' in state ? state.Next : undefined;
    const end = 'End' in state ? state.End : undefined;
    if ((next === undefined) === (end === undefined)) findings.push(`${at} needs exactly one of Next and End`);
  }
  if (state.Type === 'Wait' && (state.Seconds === undefined) === (state.Timestamp === undefined)) {
    findings.push(`${at} needs exactly one of Seconds and Timestamp`);
  }
  if (state.Type === 'Task') {
    const integration = integrationOf(state.Resource);
    if (typeof integration === 'string') findings.push(`${at}/Resource: ${integration}`);
    const { TimeoutSeconds: timeout, HeartbeatSeconds: heartbeat } = state;
    if (typeof timeout === 'number' && typeof heartbeat === 'number' && heartbeat >= timeout) {
      findings.push(`${at}: HeartbeatSeconds must be smaller than TimeoutSeconds`);
    }
  }
  if ('Retry' in state) checkErrorNames(state.Retry ?? [], `${at}/Retry`, findings);
  if ('Catch' in state) checkErrorNames(state.Catch ?? [], `${at}/Catch`, findings);
  for (const rule of 'Retry' in state ? (state.Retry ?? []) : []) {
    if (rule.MaxDelaySeconds !== undefined && rule.MaxDelaySeconds <= (rule.IntervalSeconds ?? 1)) {
      findings.push(`${at}/Retry: MaxDelaySeconds must be greater than IntervalSeconds`);
    }
  }
  checkExpressions(state, at, findings);
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
