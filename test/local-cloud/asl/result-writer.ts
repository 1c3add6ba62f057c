import { AwsError } from '../errors.ts';
import { isObject, type Json, type JsonObject } from '../json.ts';
import type { ResultWriter } from './definition.ts';
import { StateError } from './errors.ts';
import type { Execution } from './execution.ts';
import { type Entered, evaluateIn, type Frame } from './frame.ts';
import { type MapRun, type MapUnit, stateOf } from './map-run.ts';

/** A child execution as the result files have it (AWS, "ResultWriter (Map)"); input and output are JSON texts. */
function describeChild(child: Execution): JsonObject {
  const whole = { Included: true };
  return {
    ExecutionArn: child.arn,
    Input: JSON.stringify(child.input),
    InputDetails: whole,
    Name: child.name,
    ...(child.output === undefined ? {} : { Output: JSON.stringify(child.output), OutputDetails: whole }),
    ...(child.error === undefined ? {} : { Error: child.error }),
    ...(child.cause === undefined ? {} : { Cause: child.cause }),
    RedriveCount: child.redriveCount,
    RedriveStatus: child.status === 'SUCCEEDED' ? 'NOT_REDRIVABLE' : 'REDRIVABLE_BY_MAP_RUN',
    StartDate: new Date(child.startDate).toISOString(),
    StateMachineArn: child.machine.arn,
    Status: child.status,
    ...(child.stopDate === undefined ? {} : { StopDate: new Date(child.stopDate).toISOString() }),
  };
}

type Form = NonNullable<ResultWriter['WriterConfig']>['Transformation'];

/** What a child contributes to the results; a failed one is told whole, whatever the form. */
function resultsOf(unit: MapUnit, form: Form): readonly Json[] {
  const { execution } = unit;
  if (!execution) return [{ Input: JSON.stringify(unit.input), Status: 'PENDING' }];
  if (execution.status !== 'SUCCEEDED' || form === 'NONE') return [describeChild(execution)];
  const output = execution.output ?? null;
  return form === 'FLATTEN' && Array.isArray(output) ? output : [output];
}

/** The result of a Map Run that writes nothing: the children's outputs, in the order of the items. */
export const collected = (run: MapRun, config: ResultWriter['WriterConfig']): Json =>
  (run.units ?? []).flatMap((unit) => resultsOf(unit, config?.Transformation ?? 'COMPACT'));

/** Where the results go; evaluated before the first child starts. */
export async function destinationOf(
  frame: Frame,
  entered: Entered,
  writer: ResultWriter | undefined,
): Promise<{ readonly bucket: string; readonly prefix: string } | undefined> {
  if (writer?.Resource === undefined) return undefined;
  const place = await evaluateIn(frame, entered, writer.Arguments, 'ResultWriter/Arguments');
  if (!isObject(place) || typeof place.Bucket !== 'string') {
    throw new StateError('States.ResultWriterFailed', 'ResultWriter needs a Bucket');
  }
  return { bucket: place.Bucket, prefix: typeof place.Prefix === 'string' ? place.Prefix : '' };
}

/** Writes the files by status and their manifest; returns the result of the Map. */
export function writeResults(
  frame: Frame,
  run: MapRun,
  to: { readonly bucket: string; readonly prefix: string },
  config: ResultWriter['WriterConfig'],
): Json {
  const { objects } = frame.surroundings;
  const { role } = frame.execution.machine;
  const folder = `${to.prefix === '' ? '' : `${to.prefix.replace(/\/$/, '')}/`}${run.id}`;
  const files: Record<string, readonly JsonObject[]> = { FAILED: [], PENDING: [], SUCCEEDED: [] };
  const write = (key: string, content: string): number => {
    const body = Buffer.from(content);
    try {
      objects.put(role, to.bucket, key, body);
    } catch (error) {
      if (!(error instanceof AwsError)) throw error;
      throw new StateError('States.ResultWriterFailed', `${error.name}: ${error.message}`);
    }
    return body.length;
  };
  const lines = config?.OutputType === 'JSONL';
  for (const status of ['FAILED', 'PENDING', 'SUCCEEDED']) {
    const units = (run.units ?? []).filter((unit) => fileOf(unit) === status);
    if (units.length === 0) continue;
    const form = status === 'SUCCEEDED' ? (config?.Transformation ?? 'NONE') : 'NONE';
    const results = units.flatMap((unit) => resultsOf(unit, form));
    const key = `${folder}/${status}_0.${lines ? 'jsonl' : 'json'}`;
    const text = lines ? results.map((result) => JSON.stringify(result)).join('\n') : JSON.stringify(results);
    files[status] = [{ Key: key, Size: write(key, text) }];
    run.resultsWritten += units.length;
  }
  const key = `${folder}/manifest.json`;
  write(key, JSON.stringify({ DestinationBucket: to.bucket, MapRunArn: run.arn, ResultFiles: files }));
  return { MapRunArn: run.arn, ResultWriterDetails: { Bucket: to.bucket, Key: key } };
}

/** PENDING holds what was never begun, or was aborted. */
function fileOf(unit: MapUnit): 'SUCCEEDED' | 'FAILED' | 'PENDING' {
  const state = stateOf(unit);
  if (state === 'succeeded') return 'SUCCEEDED';
  return state === 'failed' || state === 'timedOut' ? 'FAILED' : 'PENDING';
}
