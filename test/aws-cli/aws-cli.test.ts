import { execFile, execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { builtAssembly } from '../local-cloud/fixture/index.ts';
import { type LocalCloud, startLocalCloud } from '../local-cloud/index.ts';

/** The AWS CLI, installed from PyPI for this project alone (Python 3.9 or newer with pip is needed). */
const version = '1.46.2';
const place = new URL(`../../.cache/aws-cli-${version}/`, import.meta.url).pathname;
const roleArn = 'arn:aws:iam::123456789012:role/machine';

interface Event {
  readonly id: number;
  readonly type: string;
  readonly stateEnteredEventDetails?: { readonly name: string };
}

let cloud: LocalCloud;
const folder = mkdtempSync(join(tmpdir(), 'aws-cli-'));
const removals: (() => void)[] = [() => rmSync(folder, { recursive: true, force: true })];

beforeAll(async () => {
  if (!existsSync(join(place, 'bin/aws'))) {
    const install = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--target', place];
    execFileSync('python3', [...install, `awscli==${version}`], { stdio: ['ignore', 'ignore', 'inherit'] });
  }
  const { assembly, remove } = await builtAssembly();
  removals.push(remove);
  cloud = await startLocalCloud({ assembly, permissions: 'off' });
});

afterAll(async () => {
  await cloud?.close();
  for (const remove of removals) remove();
});

/** `aws stepfunctions <args>`; the answer is its JSON. */
async function stepFunctions<T>(...args: readonly string[]): Promise<T> {
  const environment = {
    PATH: process.env.PATH,
    HOME: folder,
    PYTHONPATH: place,
    AWS_ACCESS_KEY_ID: 'person',
    AWS_SECRET_ACCESS_KEY: 'local',
    AWS_DEFAULT_REGION: 'eu-central-1',
    AWS_ENDPOINT_URL: cloud.endpoint,
    AWS_EC2_METADATA_DISABLED: 'true',
  };
  const command = [join(place, 'bin/aws'), 'stepfunctions', ...args, '--output', 'json'];
  const { stdout } = await promisify(execFile)('python3', command, { env: environment });
  return JSON.parse(stdout === '' ? '{}' : stdout) as T;
}

const fileOf = (name: string, definition: unknown): string => {
  const file = join(folder, name);
  writeFileSync(file, typeof definition === 'string' ? definition : JSON.stringify(definition));
  return `file://${file}`;
};

async function create(name: string, definition: unknown): Promise<string> {
  const created = await stepFunctions<{ stateMachineArn: string }>(
    ...['create-state-machine', '--name', name, '--role-arn', roleArn],
    ...['--definition', fileOf(`${name}.json`, definition)],
  );
  return created.stateMachineArn;
}

interface Described {
  readonly status: string;
  readonly output?: string;
  readonly error?: string;
}

const start = async (machine: string, name: string, input: unknown): Promise<string> => {
  const { executionArn } = await stepFunctions<{ executionArn: string }>(
    ...['start-execution', '--state-machine-arn', machine, '--name', name, '--input', JSON.stringify(input)],
  );
  return executionArn;
};
const describeExecution = (arn: string) => stepFunctions<Described>('describe-execution', '--execution-arn', arn);

/** The execution once it has ended. */
async function ended(arn: string): Promise<Described> {
  for (let attempt = 0; attempt < 20; attempt++) {
    const execution = await describeExecution(arn);
    if (execution.status !== 'RUNNING') return execution;
  }
  throw new Error(`${arn} does not end`);
}

/** The whole history, in pages of 5. */
async function historyOf(arn: string): Promise<readonly Event[]> {
  const { events } = await stepFunctions<{ events: readonly Event[] }>(
    ...['get-execution-history', '--execution-arn', arn, '--page-size', '5'],
  );
  return events;
}

describe('the AWS CLI drives the local cloud', () => {
  it('creates, starts, describes and reads the history of the backup machine', async () => {
    const text = readFileSync(new URL('../../statemachine/backup.asl.json', import.meta.url), 'utf8').replace(
      /\$\{(\w+)\}/g,
      'missing-$1',
    );
    const machine = await create('backup', text);
    const described = await stepFunctions<{ definition: string; status: string; type: string }>(
      ...['describe-state-machine', '--state-machine-arn', machine],
    );
    expect(described).toMatchObject({ definition: text, status: 'ACTIVE', type: 'STANDARD' });

    // There are no functions behind it: it fails, through its own Catch.
    const arn = await start(machine, 'no-functions', { policy: 'p', bucket: 'b', slot: 's' });
    expect(await ended(arn)).toMatchObject({ status: 'FAILED', error: 'RecordingFailed' });
    const events = await historyOf(arn);
    expect(events.map((event) => event.id)).toEqual(events.map((_event, index) => index + 1));
    expect(events[0]?.type).toBe('ExecutionStarted');
    expect(events.at(-1)?.type).toBe('ExecutionFailed');
    expect(events.map((event) => event.type)).toContain('TaskFailed');
    expect(events.flatMap((event) => event.stateEnteredEventDetails?.name ?? [])).toContain('OpenRun');
  });

  it('runs a machine to its output, updates it, redrives, validates and deletes', async () => {
    const definition = (output: unknown) => ({
      QueryLanguage: 'JSONata',
      StartAt: 'Wait',
      States: {
        Wait: { Type: 'Wait', Seconds: 1, Next: 'Each' },
        Each: {
          Type: 'Map',
          Items: '{% $states.input.list %}',
          ItemProcessor: {
            ProcessorConfig: { Mode: 'DISTRIBUTED', ExecutionType: 'STANDARD' },
            StartAt: 'Double',
            States: { Double: { Type: 'Pass', Output: '{% $states.input * 2 %}', End: true } },
          },
          Output: output,
          End: true,
        },
      },
    });
    const machine = await create('small', definition('{% $sum($states.result) %}'));
    const good = await start(machine, 'good', { list: [1, 2, 3] });
    expect(await ended(good)).toMatchObject({ status: 'SUCCEEDED', output: '12' });
    expect((await historyOf(good)).map((event) => event.type)).toEqual([
      'ExecutionStarted',
      'WaitStateEntered',
      'WaitStateExited',
      'MapStateEntered',
      'MapStateStarted',
      'MapRunStarted',
      'MapRunSucceeded',
      'MapStateSucceeded',
      'MapStateExited',
      'ExecutionSucceeded',
    ]);
    const { mapRuns } = await stepFunctions<{ mapRuns: readonly { mapRunArn: string }[] }>(
      ...['list-map-runs', '--execution-arn', good],
    );
    const run = await stepFunctions<{ status: string; itemCounts: unknown }>(
      ...['describe-map-run', '--map-run-arn', mapRuns[0]?.mapRunArn ?? ''],
    );
    expect(run).toMatchObject({ status: 'SUCCEEDED', itemCounts: { total: 3, succeeded: 3 } });

    await stepFunctions(
      ...['update-state-machine', '--state-machine-arn', machine],
      ...['--definition', fileOf('update.json', definition('{% $states.input.nowhere %}'))],
    );
    const bad = await start(machine, 'bad', { list: [] });
    expect(await ended(bad)).toMatchObject({ status: 'FAILED', error: 'States.QueryEvaluationError' });
    await stepFunctions('redrive-execution', '--execution-arn', bad);
    const listed = await stepFunctions<{ executions: readonly { name: string }[] }>(
      ...['list-executions', '--state-machine-arn', machine, '--redrive-filter', 'REDRIVEN'],
    );
    expect(listed.executions.map((one) => one.name)).toEqual(['bad']);

    const dangling = { ...definition(1), StartAt: 'Nowhere' };
    const validated = await stepFunctions<{ result: string }>(
      ...['validate-state-machine-definition', '--definition', fileOf('dangling.json', dangling)],
    );
    expect(validated.result).toBe('FAIL');
    await expect(create('dangling', dangling)).rejects.toThrow(/InvalidDefinition/);
    await stepFunctions('delete-state-machine', '--state-machine-arn', machine);
    await expect(stepFunctions('describe-state-machine', '--state-machine-arn', machine)).rejects.toThrow(
      /StateMachineDoesNotExist/,
    );
  });
});
