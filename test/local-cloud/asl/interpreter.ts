import type { Json } from '../json.ts';
import { attemptMap, attemptParallel } from './branches.ts';
import type { ChoiceState, FailState, State, StateGraph, WaitState } from './definition.ts';
import { attemptDistributedMap } from './distributed-map.ts';
import { StateError, Stopped } from './errors.ts';
import type { Progress } from './execution.ts';
import { type Entered, evaluateIn, type Frame, type Left, leave, queryError, recordEvaluation } from './frame.ts';
import { dataDetails } from './history.ts';
import { recover } from './recovery.ts';
import { attemptTask } from './task.ts';

/**
 * Runs a graph of states to its end and returns the output; a failure is a `StateError`. `progress` is empty for a new
 * graph; that of an unsuccessful one lets a redrive go on where it was: in the state that it was in, with its input.
 */
export async function runGraph(frame: Frame, graph: StateGraph, input: Json, progress: Progress): Promise<Json> {
  if (progress.output) return progress.output.value;
  let redriven = progress.at;
  let name = redriven?.name ?? graph.StartAt;
  let value = redriven ? redriven.input : input;
  if (redriven) frame.variables = redriven.variables;
  for (;;) {
    frame.strand.checkStopped();
    const state = graph.States[name];
    if (!state) throw new StateError('States.Runtime', `There is no state '${name}'`);
    if (!redriven) {
      progress.at = { name, input: value, variables: frame.variables };
      progress.branches.clear();
      progress.mapRun = undefined;
    }
    const entered: Entered = { name, input: value, at: frame.surroundings.clock.now(), progress, retries: 0 };
    // A redriven Task, Map or Parallel is rescheduled without being entered again.
    if (!redriven || !['Task', 'Map', 'Parallel'].includes(state.Type)) {
      frame.execution.history.add(frame.strand, `${state.Type}StateEntered`, { name, ...dataDetails('input', value) });
    }
    redriven = undefined;
    frame.surroundings.count('states.transitions');
    const left = await runState(frame, state, entered);
    value = left.output;
    if (left.next === undefined) {
      progress.output = { value };
      return value;
    }
    name = left.next;
  }
}

async function runState(frame: Frame, state: State, entered: Entered): Promise<Left> {
  try {
    switch (state.Type) {
      case 'Task':
        return await recover(frame, state, entered, () => attemptTask(frame, state, entered));
      case 'Map':
        return await recover(frame, state, entered, () =>
          state.ItemProcessor.ProcessorConfig?.Mode === 'DISTRIBUTED'
            ? attemptDistributedMap(frame, state, entered)
            : attemptMap(frame, state, entered, runGraph),
        );
      case 'Parallel':
        return await recover(frame, state, entered, () => attemptParallel(frame, state, entered, runGraph));
      case 'Pass':
        return await leaving(frame, entered, () => leave(frame, state, entered, state.Next, entered.input));
      case 'Succeed':
        return await leaving(frame, entered, () => leave(frame, state, entered, undefined, entered.input));
      case 'Choice':
        return await leaving(frame, entered, () => runChoice(frame, state, entered));
      case 'Wait':
        return await leaving(frame, entered, () => runWait(frame, state, entered));
      case 'Fail':
        return await leaving(frame, entered, () => runFail(frame, state, entered));
    }
  } catch (error) {
    if (error instanceof Stopped && ['Task', 'Map', 'Parallel', 'Wait'].includes(state.Type)) {
      frame.execution.history.add(frame.strand, `${state.Type}StateAborted`);
    }
    throw error;
  }
}

/** States without Catch: a failed evaluation is put into the history and fails the graph. */
async function leaving(frame: Frame, entered: Entered, run: () => Promise<Left>): Promise<Left> {
  try {
    return await run();
  } catch (error) {
    recordEvaluation(frame, entered, error);
    throw error;
  }
}

async function runChoice(frame: Frame, state: ChoiceState, entered: Entered): Promise<Left> {
  for (const [index, rule] of state.Choices.entries()) {
    const field = `Choices[${index}]/Condition`;
    const answer = await evaluateIn(frame, entered, rule.Condition, field);
    if (typeof answer !== 'boolean') {
      throw queryError(entered, field, `The condition '${String(rule.Condition)}' did not yield a boolean.`);
    }
    if (answer) return leave(frame, state, entered, rule.Next, entered.input, {}, rule);
  }
  if (state.Default === undefined) {
    throw new StateError(
      'States.NoChoiceMatched',
      `No choice rule of the state '${entered.name}' matched and it has no Default.`,
    );
  }
  return leave(frame, state, entered, state.Default, entered.input);
}

async function runWait(frame: Frame, state: WaitState, entered: Entered): Promise<Left> {
  if (state.Timestamp !== undefined) {
    const timestamp = await evaluateIn(frame, entered, state.Timestamp, 'Timestamp');
    const time =
      typeof timestamp === 'string' && /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/.test(timestamp)
        ? Date.parse(timestamp)
        : Number.NaN;
    if (Number.isNaN(time)) throw queryError(entered, 'Timestamp', 'Timestamp must be an ISO 8601 time');
    await frame.strand.sleepUntil(time);
  } else {
    const seconds = await evaluateIn(frame, entered, state.Seconds, 'Seconds');
    if (typeof seconds !== 'number' || !Number.isInteger(seconds) || seconds < 0 || seconds > 99_999_999) {
      throw queryError(entered, 'Seconds', 'Seconds must be a whole number from 0 to 99999999');
    }
    await frame.strand.sleepUntil(entered.at + seconds * 1000);
  }
  return leave(frame, state, entered, state.Next, entered.input);
}

async function runFail(frame: Frame, state: FailState, entered: Entered): Promise<Left> {
  const text = async (template: string | undefined, field: string): Promise<string> => {
    const value = template === undefined ? '' : await evaluateIn(frame, entered, template, field);
    if (typeof value === 'string') return value;
    throw queryError(entered, field, `${field} must be a string`);
  };
  throw new StateError(await text(state.Error, 'Error'), await text(state.Cause, 'Cause'));
}
