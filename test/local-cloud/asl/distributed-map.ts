import { randomUUID } from 'node:crypto';
import { AwsError } from '../errors.ts';
import { asJson, type Json, type JsonObject, sizeOf } from '../json.ts';
import { arnOf } from '../world.ts';
import { mapItemsOf, selected } from './branches.ts';
import type { MapState } from './definition.ts';
import { StateError } from './errors.ts';
import type { Execution } from './execution.ts';
import { checkSize, type Entered, evaluateIn, type Frame, numberIn } from './frame.ts';
import { readItems } from './item-reader.ts';
import { failedUnits, type MapRun, type MapUnit } from './map-run.ts';
import { collected, destinationOf, writeResults } from './result-writer.ts';

/** AWS, "Service quotas": children of one Map Run at once, also when MaxConcurrency is absent or 0. */
const mostChildren = 10_000;

/**
 * One attempt of a distributed Map: a Map Run whose items, alone or in batches, are inputs of child executions. After
 * a redrive the same Map Run goes on with the children that did not succeed.
 */
export async function attemptDistributedMap(frame: Frame, state: MapState, entered: Entered): Promise<Json> {
  const { clock } = frame.surroundings;
  const { history } = frame.execution;
  const known = entered.progress.mapRun;
  const run = known ?? (await openMapRun(frame, state, entered));
  entered.progress.mapRun = run;
  const close = (status: Exclude<MapRun['status'], 'RUNNING'>) => {
    run.status = status;
    run.stopDate = clock.now();
  };
  if (known) {
    known.status = 'RUNNING';
    known.stopDate = undefined;
    known.redriveCount += 1;
    known.redriveDate = clock.now();
    known.resultsWritten = 0;
    for (const unit of failedUnits(known)) unit.pending = true;
    history.add(frame.strand, 'MapRunRedriven', { mapRunArn: run.arn, redriveCount: run.redriveCount });
  } else {
    history.add(frame.strand, 'MapStateStarted');
    history.add(frame.strand, 'MapRunStarted', { mapRunArn: run.arn });
  }
  try {
    const destination = await destinationOf(frame, entered, state.ResultWriter);
    run.units ??= await unitsOf(frame, state, entered);
    const total = run.units.reduce((sum, unit) => sum + unit.items, 0);
    const { toleratedCount: count, toleratedPercentage: percentage } = run;
    const exceeded = (failures: number): boolean =>
      (count === undefined && percentage === undefined && failures > 0) ||
      (count !== undefined && failures > count) ||
      (percentage !== undefined && failures * 100 > percentage * Math.max(1, total));
    const withinTolerance = await runChildren(frame, run, run.units, exceeded);
    const written = destination ? writeResults(frame, run, destination, state.ResultWriter?.WriterConfig) : undefined;
    if (!withinTolerance) {
      throw new StateError(
        'States.ExceedToleratedFailureThreshold',
        'The specified tolerated failure threshold was exceeded',
      );
    }
    const result = written ?? collected(run, state.ResultWriter?.WriterConfig);
    checkSize(result, `The state/task '${entered.name}' returned a result that`);
    close('SUCCEEDED');
    history.add(frame.strand, 'MapRunSucceeded');
    history.add(frame.strand, 'MapStateSucceeded');
    return result;
  } catch (error) {
    if (!(error instanceof StateError)) {
      close('ABORTED');
      history.add(frame.strand, 'MapRunAborted');
      throw error;
    }
    close('FAILED');
    history.add(frame.strand, 'MapRunFailed', { error: error.error, cause: error.cause });
    history.add(frame.strand, 'MapStateFailed');
    throw error;
  }
}

async function openMapRun(frame: Frame, state: MapState, entered: Entered): Promise<MapRun> {
  const { execution, surroundings } = frame;
  const number = (template: number | string | undefined, field: string, to: number, whole = true) =>
    numberIn(frame, entered, template, field, { from: 0, to, whole });
  const limit = await number(state.MaxConcurrency, 'MaxConcurrency', Number.MAX_SAFE_INTEGER);
  const toleratedCount = await number(state.ToleratedFailureCount, 'ToleratedFailureCount', Number.MAX_SAFE_INTEGER);
  const toleratedPercentage = await number(state.ToleratedFailurePercentage, 'ToleratedFailurePercentage', 100, false);
  const config = state.ItemProcessor.ProcessorConfig;
  const label = state.Label ?? entered.name.replace(/[^A-Za-z0-9_-]/g, '').slice(0, 40);
  const id = randomUUID();
  const run: MapRun = {
    arn: arnOf('states', `mapRun:${execution.machine.name}/${label}:${id}`),
    id,
    label,
    parent: execution,
    definition: state.ItemProcessor,
    childType: config?.Mode === 'DISTRIBUTED' ? config.ExecutionType : 'STANDARD',
    maxConcurrency: Math.min(limit || mostChildren, mostChildren),
    toleratedCount,
    toleratedPercentage,
    startDate: surroundings.clock.now(),
    units: undefined,
    status: 'RUNNING',
    stopDate: undefined,
    redriveCount: 0,
    redriveDate: undefined,
    resultsWritten: 0,
  };
  try {
    surroundings.openMapRun(run);
  } catch (error) {
    if (error instanceof AwsError) throw new StateError('States.Permissions', error.message);
    throw error;
  }
  execution.mapRuns.push(run);
  return run;
}

/** Reads, selects and batches the items. */
async function unitsOf(frame: Frame, state: MapState, entered: Entered): Promise<readonly MapUnit[]> {
  const dataset =
    state.ItemReader === undefined
      ? state.Items === undefined
        ? entered.input
        : await evaluateIn(frame, entered, state.Items, 'Items')
      : await readItems(frame, entered, state.ItemReader);
  const inputs: Json[] = [];
  for (const item of mapItemsOf(dataset, entered)) inputs.push(await selected(frame, state, entered, item));
  const unit = (input: Json, items: number): MapUnit => ({
    input: checkSize(input, `The input of a child of '${entered.name}'`),
    items,
    execution: undefined,
    pending: true,
  });
  const { ItemBatcher: batcher } = state;
  if (!batcher) return inputs.map((input) => unit(input, 1));
  const number = (template: number | string | undefined, field: string, to: number) =>
    numberIn(frame, entered, template, `ItemBatcher/${field}`, { from: 1, to });
  const mostItems = await number(batcher.MaxItemsPerBatch, 'MaxItemsPerBatch', Number.MAX_SAFE_INTEGER);
  const mostBytes = await number(batcher.MaxInputBytesPerBatch, 'MaxInputBytesPerBatch', 262_144);
  const head: JsonObject =
    batcher.BatchInput === undefined
      ? {}
      : { BatchInput: await evaluateIn(frame, entered, batcher.BatchInput, 'ItemBatcher/BatchInput') };
  const batches: Json[][] = [];
  for (const input of inputs) {
    const last = batches.at(-1);
    const fits =
      last !== undefined &&
      last.length < (mostItems ?? Number.POSITIVE_INFINITY) &&
      (mostBytes === undefined || sizeOf({ ...head, Items: [...last, input] }) <= mostBytes);
    if (fits) last.push(input);
    else batches.push([input]);
  }
  return batches.map((batch) => unit({ ...head, Items: asJson(batch) }, batch.length));
}

/**
 * Runs what is pending, at most `maxConcurrency` at once; true when all have ended within the tolerance. Beyond it, and
 * when the parent is stopped, the running children are aborted and no more are begun.
 */
function runChildren(
  frame: Frame,
  run: MapRun,
  units: readonly MapUnit[],
  exceeded: (failedItems: number) => boolean,
): Promise<boolean> {
  const { surroundings } = frame;
  const pending = units.filter((unit) => unit.pending);
  const running = new Set<Execution>();
  return frame.strand.pause<boolean>((settle) => {
    let next = 0;
    let failures = 0;
    let over = false;
    const stopRunning = () => {
      over = true;
      for (const child of [...running]) surroundings.stopChild(child);
    };
    const ended = (child: Execution, unit: MapUnit) => {
      running.delete(child);
      if (over) return;
      if (child.status !== 'SUCCEEDED') failures += unit.items;
      if (exceeded(failures)) {
        stopRunning();
        settle(() => false);
      } else begin();
    };
    const begin = () => {
      while (!over && running.size < run.maxConcurrency && next < pending.length) {
        const unit = pending[next++];
        if (!unit) break;
        const child = surroundings.runMapChild(run, unit.input, unit.execution);
        unit.execution = child;
        unit.pending = false;
        running.add(child);
        surroundings.whenEnded(child, () => ended(child, unit));
      }
      if (!over && running.size === 0) {
        over = true;
        settle(() => true);
      }
    };
    begin();
    return stopRunning;
  });
}
