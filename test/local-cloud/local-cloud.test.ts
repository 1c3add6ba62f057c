import { DynamoDBClient, GetItemCommand } from '@aws-sdk/client-dynamodb';
import {
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3';
import {
  DescribeExecutionCommand,
  GetExecutionHistoryCommand,
  SFNClient,
  StartExecutionCommand,
} from '@aws-sdk/client-sfn';
import { GetCommand, PutCommand } from '@aws-sdk/lib-dynamodb';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { aHost, builtAssembly, hostId } from './fixture/index.ts';
import { type LocalCloud, startLocalCloud } from './index.ts';

let assembly = '';
let remove = () => {};
beforeAll(async () => {
  ({ assembly, remove } = await builtAssembly());
});
afterAll(() => remove());

describe('an assembly deployed in real time', () => {
  const edge = aHost();
  let cloud: LocalCloud;
  beforeAll(async () => {
    cloud = await startLocalCloud({ assembly, hosts: [edge.host] });
  });
  afterAll(async () => {
    await cloud.close();
    edge.remove();
  });

  it('names, references, exports and conditions of the template are resolved', () => {
    expect(cloud.resource('AWS::StepFunctions::StateMachine', 'Machine').ref).toBe(
      'arn:aws:states:eu-central-1:123456789012:stateMachine:say-it',
    );
    expect(cloud.resource('AWS::S3::Bucket', 'Output').name).toBe('output-123456789012');
    expect(cloud.resources('AWS::S3::Bucket')).toHaveLength(1);
    const functions = cloud.resource('AWS::Lambda::Function', 'start').properties;
    expect(functions).toMatchObject({ Environment: { Variables: { TABLE: cloud.table().name, DOCUMENT: 'say' } } });
  });

  it('a run goes from the machine over a function, a command, its event and a second function back to the machine', async () => {
    const arn = cloud.startExecution('Machine', { text: 'hello', host: hostId }, 'first');
    expect(await cloud.executionEnded(arn)).toMatchObject({ status: 'SUCCEEDED', output: 'said: hello\n' });
    expect(cloud.history(arn).map((event) => event.type)).toEqual([
      'ExecutionStarted',
      'TaskStateEntered',
      'TaskScheduled',
      'TaskStarted',
      'TaskSubmitted',
      'TaskSucceeded',
      'TaskStateExited',
      'TaskStateEntered',
      'LambdaFunctionScheduled',
      'LambdaFunctionStarted',
      'LambdaFunctionSucceeded',
      'TaskStateExited',
      'ExecutionSucceeded',
    ]);
    expect(cloud.counters()).toMatchObject({
      'ssm.commands': 1,
      'states.executions': 1,
      'states.transitions': 2,
      'lambda.invocations.start': 1,
      'dynamodb.PutItem': 1,
    });
    expect(cloud.counters()['dynamodb.capacityUnits']).toBeGreaterThan(0);
  });

  it('the SDK of a person outside starts, describes and reads the history of an execution', async () => {
    const sfn = new SFNClient(cloud.clientSettings);
    const stateMachineArn = cloud.resource('AWS::StepFunctions::StateMachine', 'say-it').ref;
    const started = await sfn.send(
      new StartExecutionCommand({ stateMachineArn, input: JSON.stringify({ text: 'again', host: hostId }) }),
    );
    await cloud.executionEnded(started.executionArn ?? '');
    const described = await sfn.send(new DescribeExecutionCommand({ executionArn: started.executionArn }));
    expect(described).toMatchObject({ status: 'SUCCEEDED', output: '"said: again\\n"' });
    expect(described.startDate).toBeInstanceOf(Date);
    const history = await sfn.send(new GetExecutionHistoryCommand({ executionArn: started.executionArn }));
    expect(history.events?.[1]).toMatchObject({
      id: 2,
      previousEventId: 1,
      type: 'TaskStateEntered',
      stateEnteredEventDetails: { name: 'Run' },
    });
    sfn.destroy();
  });

  it("a handler's error has the name that was thrown, and the trace in its cause", async () => {
    const failed = await cloud.invoke('echo', { mistake: 'on purpose' }).catch((error: unknown) => error);
    expect(failed).toMatchObject({ name: 'Mistake' });
    expect(JSON.parse(failed instanceof Error ? failed.message : '')).toMatchObject({
      errorType: 'Mistake',
      errorMessage: 'on purpose',
    });
  });

  it('a handler over its time limit is ended, and the next call gets a new sandbox', async () => {
    const failed = await cloud.invoke('echo', { forever: true }).catch((error: unknown) => error);
    expect(failed).toMatchObject({ name: 'Sandbox.Timedout' });
    expect(await cloud.invoke('echo', { a: 1 })).toEqual({ a: 1 });
  });

  it('what a handler wrote is in the log of its function when it answers', async () => {
    const lines = Array.from({ length: 1000 }, (_, n) => `line ${n}`);
    await cloud.invoke('echo', { log: lines.join('\n') });
    expect(cloud.functionLogs.map(({ line }) => line).filter((line) => line.startsWith('line '))).toEqual(lines);
  });

  it('a call that the role does not allow fails as on AWS', async () => {
    const role = cloud.resource('AWS::IAM::Role', 'StartRole').name;
    const client = new DynamoDBClient({
      ...cloud.clientSettings,
      credentials: { accessKeyId: role, secretAccessKey: 'x' },
    });
    const call = client.send(
      new GetItemCommand({ TableName: cloud.table().name, Key: { pk: { S: 'a' }, sk: { S: 'b' } } }),
    );
    await expect(call).rejects.toMatchObject({
      name: 'AccessDeniedException',
      message: expect.stringContaining('dynamodb:GetItem'),
    });
    client.destroy();
  });

  it('a command that a condition on the node does not allow is refused', async () => {
    const other = await startLocalCloud({ assembly, hosts: [{ ...edge.host, tags: { project: 'another' } }] });
    try {
      const arn = other.startExecution('Machine', { text: 'hello', host: hostId });
      expect(await other.executionEnded(arn)).toMatchObject({ status: 'FAILED', error: 'AccessDeniedException' });
    } finally {
      await other.close();
    }
  });

  it('the document client reads and writes the table', async () => {
    const { client, name } = cloud.table();
    await client.send(new PutCommand({ TableName: name, Item: { pk: 'p', sk: 's', n: 1 } }));
    expect((await client.send(new GetCommand({ TableName: name, Key: { pk: 'p', sk: 's' } }))).Item).toEqual({
      pk: 'p',
      sk: 's',
      n: 1,
    });
  });

  it('S3 keeps objects under their keys', async () => {
    const s3 = new S3Client({ ...cloud.clientSettings, forcePathStyle: true });
    const Bucket = 'output-123456789012';
    await s3.send(new PutObjectCommand({ Bucket, Key: 'a/b/ü c.txt', Body: 'text' }));
    await s3.send(new PutObjectCommand({ Bucket, Key: 'a/../odd', Body: Buffer.from([1, 2]) }));
    expect(await (await s3.send(new GetObjectCommand({ Bucket, Key: 'a/b/ü c.txt' }))).Body?.transformToString()).toBe(
      'text',
    );
    expect((await s3.send(new HeadObjectCommand({ Bucket, Key: 'a/../odd' }))).ContentLength).toBe(2);
    const listed = await s3.send(new ListObjectsV2Command({ Bucket, Prefix: 'a/' }));
    expect(listed.Contents?.map((one) => one.Key)).toEqual(['a/../odd', 'a/b/ü c.txt']);
    await expect(s3.send(new GetObjectCommand({ Bucket, Key: 'none' }))).rejects.toMatchObject({ name: 'NoSuchKey' });
    s3.destroy();
  });

  it('a schedule fires on request with its time filled in, twice when asked twice', async () => {
    const at = new Date('2026-11-20T01:30:00Z');
    const before = cloud.executions('Machine').length;
    await cloud.fireSchedule('nightly', at);
    await cloud.fireSchedule('nightly', at);
    const started = cloud.executions('Machine').slice(before);
    expect(started.map((one) => one.input)).toEqual([
      { text: 'good night', host: hostId, slot: '2026-11-20T01:30:00Z' },
      { text: 'good night', host: hostId, slot: '2026-11-20T01:30:00Z' },
    ]);
    for (const one of started) await cloud.executionEnded(one.arn);
  });

  it('what a schedule may not call goes to its dead letter queue', async () => {
    await cloud.fireSchedule('refused', new Date());
    expect(cloud.messages.of('arn:aws:sqs:eu-central-1:123456789012:undelivered')).toMatchObject([{ body: '{}' }]);
  });

  it('tells which policy statements nothing has used', () => {
    expect(
      cloud.iam.unusedStatements().some((line) => line.includes('SettlePolicy') || line.includes('SettleRole')),
    ).toBe(false);
  });
});

describe('an assembly deployed in virtual time', () => {
  it('twelve hours pass in moments, and everybody sees them', async () => {
    const edge = aHost({ duration: () => 1800 });
    const cloud = await startLocalCloud({
      assembly,
      clock: { virtualFrom: new Date('2026-11-20T18:00:00Z') },
      hosts: [edge.host],
    });
    try {
      expect(cloud.schedules().find((one) => one.name === 'nightly')?.nextAt).toBe(Date.parse('2026-11-21T01:30:00Z'));
      await cloud.advanceTo(new Date('2026-11-21T01:30:30Z'));
      const [run] = cloud.executions('Machine');
      expect(run?.status).toBe('RUNNING');
      expect(run?.input).toMatchObject({ slot: '2026-11-21T01:30:00Z' });
      await cloud.executionEnded(run?.arn ?? '');
      expect(run?.status).toBe('FAILED');
      expect(run?.error).toBe('States.HeartbeatTimeout');
      await cloud.advanceBy(4 * 3600);
      expect(await cloud.invoke('echo', { now: true })).toMatchObject({
        now: new Date(cloud.clock.now()).toISOString(),
        millis: cloud.clock.now(),
      });
      const ticks = cloud.functionLogs.filter((line) => line.line.startsWith('tick'));
      expect(ticks.length).toBe(Math.floor((cloud.clock.now() - Date.parse('2026-11-20T18:00:00Z')) / 600_000));
      expect(cloud.commands().map((one) => one.status)).toEqual(['Success']);
    } finally {
      await cloud.close();
      edge.remove();
    }
  });

  it('a command shorter than the heartbeat lets the run succeed, at the time that the story says', async () => {
    const edge = aHost({ duration: () => 300 });
    const cloud = await startLocalCloud({
      assembly,
      clock: { virtualFrom: new Date('2026-11-20T18:00:00Z') },
      hosts: [edge.host],
    });
    try {
      const arn = cloud.startExecution('Machine', { text: 'slow', host: hostId });
      expect(await cloud.executionEnded(arn)).toMatchObject({ status: 'SUCCEEDED' });
      expect(cloud.clock.now() - Date.parse('2026-11-20T18:00:00Z')).toBeGreaterThanOrEqual(300_000);
    } finally {
      await cloud.close();
      edge.remove();
    }
  });
});
