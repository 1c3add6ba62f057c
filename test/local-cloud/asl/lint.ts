import type { Machine, State, StateGraph } from './definition.ts';
import { integrationOf } from './integrations.ts';
import { barePaths, expressionsIn, freeVariables, ownFields, variablesOf } from './variables.ts';

/** House rules for a definition that AWS takes: what goes wrong later, or differs between engines and documents. */
export function lintDefinition(machine: Machine): readonly string[] {
  const warnings: string[] = [];
  lintGraph(machine, '', [], warnings);
  return warnings;
}

function lintGraph(graph: StateGraph, path: string, outer: readonly string[], warnings: string[]): void {
  const visible = [...outer, ...Object.values(graph.States).flatMap(variablesOf)];
  for (const [name, state] of Object.entries(graph.States)) {
    const at = `${path}/States/${name}`;
    lintState(state, at, visible, warnings);
    if (state.Type === 'Map') {
      const distributed = state.ItemProcessor.ProcessorConfig?.Mode === 'DISTRIBUTED';
      lintGraph(state.ItemProcessor, `${at}/ItemProcessor`, distributed ? [] : visible, warnings);
    }
    if (state.Type === 'Parallel') {
      for (const [index, branch] of state.Branches.entries())
        lintGraph(branch, `${at}/Branches/${index}`, visible, warnings);
    }
  }
}

function lintState(state: State, at: string, visible: readonly string[], warnings: string[]): void {
  for (const { path, source } of expressionsIn(ownFields(state))) {
    for (const variable of freeVariables(source)) {
      if (!visible.includes(variable)) warnings.push(`${at}${path}: nothing assigns the variable '${variable}'`);
    }
    for (const name of barePaths(source))
      warnings.push(`${at}${path}: '${name}' has no input document: begin at $states`);
    if (source.includes('\n') || !/^ .* $/.test(source))
      warnings.push(`${at}${path}: write {% … %} on one line, with blanks`);
  }
  if (state.Type === 'Choice' && state.Default === undefined) warnings.push(`${at}: a Choice needs a Default`);
  if (state.Type !== 'Task') return;
  if (state.TimeoutSeconds === undefined) warnings.push(`${at}: a Task needs TimeoutSeconds`);
  const integration = integrationOf(state.Resource);
  if (typeof integration === 'string' || !integration.waitsForToken) return;
  if (state.HeartbeatSeconds === undefined)
    warnings.push(`${at}: a Task that waits for a token needs HeartbeatSeconds`);
  if (!JSON.stringify(state.Arguments ?? null).includes('Task.Token'))
    warnings.push(`${at}: its Arguments do not pass $states.context.Task.Token on`);
  for (const { ErrorEquals: names } of state.Catch ?? []) {
    if (names.includes('States.HeartbeatTimeout') !== names.includes('States.Timeout'))
      warnings.push(`${at}: catch States.HeartbeatTimeout and States.Timeout together`);
  }
}
