import { asJson, isObject, type Json, type JsonObject } from '../json.ts';
import type { MapState, ParallelState, StateGraph } from './definition.ts';
import { StateError, Stopped } from './errors.ts';
import { newProgress, type Progress } from './execution.ts';
import { type Entered, evaluateIn, type Frame, numberIn, queryError } from './frame.ts';
import type { Strand } from './strand.ts';

/** AWS, "Map workflow state": an inline Map runs at most 40 iterations at once. */
const mostInlineIterations = 40;

/** `runGraph`, handed in: graphs contain Maps and Parallels, which contain graphs. */
export type RunGraph = (frame: Frame, graph: StateGraph, input: Json, progress: Progress) => Promise<Json>;

/** What a Map goes through: the item as the context object has it (`Index`, `Value`, and `Key` for members of an object). */
export function mapItemsOf(value: Json, entered: Entered): readonly JsonObject[] {
  if (Array.isArray(value)) return value.map((item: unknown, index) => ({ Index: index, Value: asJson(item) }));
  if (isObject(value)) {
    return Object.entries(value).map(([key, member], index) => ({ Index: index, Key: key, Value: asJson(member) }));
  }
  throw queryError(entered, 'Items', 'Items must be an array or an object');
}

/** The input of an item's iteration or of its place in a batch. */
export const selected = (frame: Frame, state: MapState, entered: Entered, mapItem: JsonObject): Promise<Json> =>
  state.ItemSelector === undefined
    ? Promise.resolve(asJson(mapItem.Value))
    : evaluateIn(frame, entered, state.ItemSelector, 'ItemSelector', { mapItem });

export async function attemptMap(frame: Frame, state: MapState, entered: Entered, run: RunGraph): Promise<Json> {
  const items = mapItemsOf(
    state.Items === undefined ? entered.input : await evaluateIn(frame, entered, state.Items, 'Items'),
    entered,
  );
  const limit = await numberIn(frame, entered, state.MaxConcurrency, 'MaxConcurrency', {
    from: 0,
    to: Number.MAX_SAFE_INTEGER,
  });
  const { history } = frame.execution;
  history.add(frame.strand, 'MapStateStarted', { length: items.length });
  const runItem = async (index: number, strand: Strand): Promise<Json> => {
    const progress = progressOf(entered, index);
    if (progress.output) return progress.output.value;
    const mapItem = items[index] ?? {};
    const details = { name: entered.name, index };
    history.add(strand, 'MapIterationStarted', details);
    try {
      const input = await selected(frame, state, entered, mapItem);
      const output = await run({ ...frame, strand, mapItem }, state.ItemProcessor, input, progress);
      history.add(strand, 'MapIterationSucceeded', details);
      return output;
    } catch (error) {
      history.add(strand, error instanceof StateError ? 'MapIterationFailed' : 'MapIterationAborted', details);
      throw error;
    }
  };
  const most = limit === undefined || limit === 0 ? mostInlineIterations : Math.min(limit, mostInlineIterations);
  return inParallel(frame, 'Map', items.length, most, runItem);
}

export async function attemptParallel(
  frame: Frame,
  state: ParallelState,
  entered: Entered,
  run: RunGraph,
): Promise<Json> {
  const input =
    state.Arguments === undefined ? entered.input : await evaluateIn(frame, entered, state.Arguments, 'Arguments');
  frame.execution.history.add(frame.strand, 'ParallelStateStarted');
  return inParallel(frame, 'Parallel', state.Branches.length, state.Branches.length, (index, strand) => {
    const branch = state.Branches[index];
    if (!branch) throw new StateError('States.Runtime', `There is no branch ${index}`);
    return run({ ...frame, strand }, branch, input, progressOf(entered, index));
  });
}

function progressOf(entered: Entered, index: number): Progress {
  const known = entered.progress.branches.get(index);
  if (known) return known;
  const fresh = newProgress();
  entered.progress.branches.set(index, fresh);
  return fresh;
}

/** Runs `count` branches, at most `limit` at once; the first failure stops the others and is the result. */
async function inParallel(
  frame: Frame,
  type: 'Map' | 'Parallel',
  count: number,
  limit: number,
  run: (index: number, strand: Strand) => Promise<Json>,
): Promise<Json[]> {
  const outputs: Json[] = Array.from({ length: count }, () => null);
  const strands = new Set<Strand>();
  let next = 0;
  let failed = false;
  const runOne = async (index: number): Promise<void> => {
    const strand = frame.strand.branch();
    strands.add(strand);
    try {
      outputs[index] = await run(index, strand);
    } catch (error) {
      if (!failed) {
        failed = true;
        for (const other of strands) if (other !== strand) other.stop(new Stopped('a sibling failed'));
        throw error;
      }
    } finally {
      strands.delete(strand);
      strand.end();
    }
  };
  const worker = async (): Promise<void> => {
    while (next < count && !failed) await runOne(next++);
  };
  const workers = Promise.allSettled(Array.from({ length: Math.min(limit, count) }, worker));
  const settled = await frame.strand.whileOthersWork(workers);
  for (const result of settled) {
    if (result.status === 'fulfilled') continue;
    if (result.reason instanceof StateError) frame.execution.history.add(frame.strand, `${type}StateFailed`);
    throw result.reason;
  }
  frame.execution.history.add(frame.strand, `${type}StateSucceeded`);
  return outputs;
}
