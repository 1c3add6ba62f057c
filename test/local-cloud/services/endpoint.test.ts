import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { builtAssembly } from '../fixture/index.ts';
import { type LocalCloud, startLocalCloud } from '../index.ts';

let built: Awaited<ReturnType<typeof builtAssembly>>;
let cloud: LocalCloud;
beforeAll(async () => {
  built = await builtAssembly();
  cloud = await startLocalCloud({
    assembly: built.assembly,
    clock: { virtualFrom: new Date('2026-11-20T12:00:00Z') },
  });
});
afterAll(async () => {
  await cloud.close();
  built.remove();
});

/** A request as the SDK of a service that is not among the dependencies sends it. */
async function request(
  service: string,
  call: { readonly method?: string; readonly path?: string; readonly target?: string; readonly body?: unknown },
  caller = 'root',
): Promise<{ readonly status: number; readonly body: Record<string, unknown> }> {
  const answer = await fetch(`${cloud.endpoint}${call.path ?? '/'}`, {
    method: call.method ?? 'POST',
    headers: {
      authorization: `AWS4-HMAC-SHA256 Credential=${caller}/20261120/eu-central-1/${service}/aws4_request, Signature=0`,
      ...(call.target === undefined ? {} : { 'x-amz-target': call.target }),
    },
    ...(call.body === undefined ? {} : { body: JSON.stringify(call.body) }),
  });
  return { status: answer.status, body: JSON.parse(await answer.text()) };
}
const role = (id: string) => cloud.resource('AWS::IAM::Role', id).name;

describe('EventBridge', () => {
  const put = (entry: object) => request('events', { target: 'AWSEvents.PutEvents', body: { Entries: [entry] } });
  it('takes events of applications, which rules see', async () => {
    const { body } = await put({ Source: 'my.app', DetailType: 'said', Detail: '{"word":"a"}' });
    expect(body).toMatchObject({ FailedEntryCount: 0, Entries: [{ EventId: expect.any(String) }] });
    expect(cloud.events.seen.at(-1)).toMatchObject({ source: 'my.app', 'detail-type': 'said', detail: { word: 'a' } });
  });
  it.each([
    ["a source of AWS's own", { Source: 'aws.ssm', DetailType: 'x', Detail: '{}' }, 'NotAuthorizedForSourceException'],
    ['a detail that is no object', { Source: 'my.app', DetailType: 'x', Detail: '[]' }, 'MalformedDetail'],
    ['an entry without a type', { Source: 'my.app', Detail: '{}' }, 'InvalidArgument'],
  ])('refuses %s, as one entry', async (_what, entry, code) => {
    expect((await put(entry)).body).toMatchObject({ FailedEntryCount: 1, Entries: [{ ErrorCode: code }] });
  });
});

describe('EventBridge Scheduler', () => {
  const schedule = (more: object = {}) => ({
    ScheduleExpression: 'rate(5 minutes)',
    FlexibleTimeWindow: { Mode: 'OFF' },
    Target: {
      Arn: cloud.resource('AWS::Lambda::Function', 'echo').ref.startsWith('arn:')
        ? cloud.resource('AWS::Lambda::Function', 'echo').ref
        : 'arn:aws:lambda:eu-central-1:123456789012:function:echo',
      RoleArn: `arn:aws:iam::123456789012:role/${role('ScheduleRole')}`,
      Input: '{"log":"by api"}',
    },
    ...more,
  });
  const create = (name: string, more: object = {}, caller = 'root') =>
    request('scheduler', { path: `/schedules/${name}`, body: schedule(more) }, caller);
  const fired = () => cloud.functionLogs.filter((one) => one.line === 'by api').length;

  it('creates, lists, describes, changes and deletes schedules, and they fire', async () => {
    expect((await create('mine')).body).toEqual({
      ScheduleArn: 'arn:aws:scheduler:eu-central-1:123456789012:schedule/default/mine',
    });
    await cloud.advanceBy(11 * 60);
    await expect.poll(fired).toBe(2);
    const { body } = await request('scheduler', { method: 'GET', path: '/schedules?NamePrefix=mi' });
    expect(body.Schedules).toMatchObject([{ Name: 'mine', GroupName: 'default', State: 'ENABLED' }]);
    const changed = await request('scheduler', {
      method: 'PUT',
      path: '/schedules/mine',
      body: schedule({ State: 'DISABLED' }),
    });
    expect(changed.status).toBe(200);
    expect((await request('scheduler', { method: 'GET', path: '/schedules/mine' })).body).toMatchObject({
      State: 'DISABLED',
      ScheduleExpression: 'rate(5 minutes)',
    });
    await cloud.advanceBy(11 * 60);
    expect(fired()).toBe(2);
    expect((await request('scheduler', { method: 'DELETE', path: '/schedules/mine' })).status).toBe(200);
    expect((await request('scheduler', { method: 'GET', path: '/schedules/mine' })).status).toBe(404);
  });

  it('refuses what AWS would', async () => {
    await create('twice');
    expect((await create('twice')).body).toMatchObject({ __type: 'ConflictException' });
    expect((await create('x', { GroupName: 'none' })).body).toMatchObject({ __type: 'ResourceNotFoundException' });
    expect((await create('x', { ScheduleExpression: 'daily' })).body).toMatchObject({ __type: 'ValidationException' });
    expect((await create('x', { KmsKeyArn: 'k' })).body).toMatchObject({ __type: 'ValidationException' });
    const untrusted = {
      Target: { ...schedule().Target, RoleArn: `arn:aws:iam::123456789012:role/${role('EchoRole')}` },
    };
    expect((await create('x', untrusted)).body).toMatchObject({
      __type: 'ValidationException',
      message: expect.stringContaining('must allow AWS EventBridge Scheduler to assume the role'),
    });
    await request('scheduler', { method: 'DELETE', path: '/schedules/twice' });
  });

  it('who hands a role over needs iam:PassRole', async () => {
    const caller = role('EchoRole');
    expect((await create('passed', {}, caller)).body).toMatchObject({ __type: 'AccessDeniedException' });
    const allow = (Action: string) => ({ Effect: 'Allow', Action, Resource: '*' });
    cloud.iam.attach(caller, 'more', { Statement: [allow('scheduler:CreateSchedule')] });
    expect((await create('passed', {}, caller)).body).toMatchObject({
      __type: 'AccessDeniedException',
      message: expect.stringContaining('iam:PassRole'),
    });
    cloud.iam.attach(caller, 'pass', {
      Statement: [
        {
          ...allow('iam:PassRole'),
          Condition: { StringEquals: { 'iam:PassedToService': 'scheduler.amazonaws.com' } },
        },
      ],
    });
    expect((await create('passed', {}, caller)).status).toBe(200);
    await request('scheduler', { method: 'DELETE', path: '/schedules/passed' });
  });
});

describe('CloudWatch', () => {
  const call = (action: string, body: object) =>
    request('monitoring', { target: `GraniteServiceVersion20100801.${action}`, body });
  it('takes metrics and gives them back by period', async () => {
    const at = cloud.clock.now() / 1000;
    const datum = { MetricName: 'Age', Dimensions: [{ Name: 'Bucket', Value: 'a' }] };
    await call('PutMetricData', {
      Namespace: 'App',
      MetricData: [
        { ...datum, Value: 3 },
        { ...datum, Values: [5, 7], Counts: [1, 2] },
      ],
    });
    const queries = ['Sum', 'Maximum', 'SampleCount'].map((Stat, index) => ({
      Id: `m${index}`,
      MetricStat: {
        Metric: { Namespace: 'App', MetricName: 'Age', Dimensions: datum.Dimensions },
        Period: 60,
        Stat,
      },
    }));
    const { body } = await call('GetMetricData', {
      MetricDataQueries: queries,
      StartTime: at - 600,
      EndTime: at + 60,
    });
    expect(body.MetricDataResults).toMatchObject([{ Values: [22] }, { Values: [7] }, { Values: [4] }]);
    expect((await call('PutMetricData', { Namespace: 'AWS/Mine', MetricData: [] })).status).toBe(400);
  });

  it('a failing execution raises the alarm of the template, and a fine time ends it', async () => {
    await cloud.advanceBy(7 * 60);
    expect(cloud.alarm('failed').state).toBe('OK');
    await cloud.executionEnded(cloud.startExecution('Machine', { text: 'a', host: 'i-00000000000000000' }));
    await cloud.advanceBy(90);
    const { body } = await call('DescribeAlarms', { StateValue: 'ALARM' });
    expect(body.MetricAlarms).toMatchObject([
      { AlarmName: 'failed', StateValue: 'ALARM', MetricName: 'ExecutionsFailed' },
    ]);
    const topic = cloud.resource('AWS::SNS::Topic', 'Topic').ref;
    expect(cloud.messages.of(topic).map((one) => one.subject)).toEqual(['ALARM: "failed" in EU (Frankfurt)']);
    // A failure is a data point, no failure is none: the old one counts as long as it is in the evaluation range.
    await cloud.advanceBy(16 * 60);
    expect(cloud.alarms()).toMatchObject([{ name: 'failed', state: 'OK' }]);
  });
});
