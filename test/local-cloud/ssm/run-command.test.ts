import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  CancelCommandCommand,
  CreateDocumentCommand,
  DescribeDocumentCommand,
  DescribeInstanceInformationCommand,
  GetCommandInvocationCommand,
  GetDocumentCommand,
  ListCommandInvocationsCommand,
  ListCommandsCommand,
  SendCommandCommand,
  type SendCommandCommandInput,
  SSMClient,
} from '@aws-sdk/client-ssm';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { aHost, builtAssembly, hostId } from '../fixture/index.ts';
import { type HostDefinition, type LocalCloud, startLocalCloud } from '../index.ts';

let built: Awaited<ReturnType<typeof builtAssembly>>;
beforeAll(async () => {
  built = await builtAssembly();
});
afterAll(() => built.remove());

const open: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close();
});

async function withHost(more: Partial<HostDefinition> = {}, clock: 'real' | { readonly virtualFrom: Date } = 'real') {
  const edge = aHost(more);
  open.push(edge.remove);
  const cloud = await startLocalCloud({ assembly: built.assembly, hosts: [edge.host], clock });
  open.push(() => cloud.close());
  const ssm = new SSMClient(cloud.clientSettings);
  open.push(() => ssm.destroy());
  const send = async (
    parameters: Readonly<Record<string, string>> = {},
    input: Partial<SendCommandCommandInput> = {},
  ) => {
    const Parameters = Object.fromEntries(
      Object.entries({ text: 'a', ...parameters }).map(([name, value]) => [name, [value]]),
    );
    const sent = await ssm.send(
      new SendCommandCommand({ DocumentName: 'say', InstanceIds: [hostId], Parameters, ...input }),
    );
    return sent.Command?.CommandId ?? '';
  };
  const get = (id: string) => ssm.send(new GetCommandInvocationCommand({ CommandId: id, InstanceId: hostId }));
  const ended = async (id: string) => {
    await cloud.clock.runUntil(() =>
      ['Success', 'Failed', 'TimedOut', 'Cancelled'].includes(
        cloud.commands().find((one) => one.id === id)?.status ?? '',
      ),
    );
    return get(id);
  };
  const journal = () => (existsSync(edge.journal) ? readFileSync(edge.journal, 'utf8') : '');
  /** Lets commands end that were sent with `until: 'told'`. */
  const tell = () => writeFileSync(`${edge.journal}.told`, '');
  return { cloud, ssm, send, get, ended, journal, tell };
}
const eventsOf = (cloud: LocalCloud, type: string) =>
  cloud.events.seen.filter((event) => event['detail-type'] === type).map((event) => event.detail);
const nameOf = (call: Promise<unknown>) =>
  call.then(
    () => 'accepted',
    (error: unknown) => (error instanceof Error ? error.name : String(error)),
  );

describe('Run Command', () => {
  it('a command runs as a process of its own with only the environment of its host, and its output is kept', async () => {
    const { send, ended, ssm } = await withHost();
    const id = await send({ text: "$(id); echo 'x'" }, { Comment: 'a remark' });
    expect(await ended(id)).toMatchObject({
      Status: 'Success',
      StatusDetails: 'Success',
      ResponseCode: 0,
      StandardOutputContent: "said: $(id); echo 'x'\n",
      StandardErrorContent: 'host: edge\n',
      PluginName: 'speak',
      Comment: 'a remark',
    });
    const listed = await ssm.send(new ListCommandInvocationsCommand({ CommandId: id, Details: true }));
    expect(listed.CommandInvocations?.[0]).toMatchObject({ Status: 'Success', Comment: 'a remark' });
    expect(listed.CommandInvocations?.[0]?.CommandPlugins?.[0]?.Output).toBe(
      "said: $(id); echo 'x'\n\n----------ERROR-------\nhost: edge\n",
    );
  });

  it('right after sending the invocation is not known, then pending or running without output, then there', async () => {
    const { send, get, ended, ssm, cloud } = await withHost(
      { duration: () => 60 },
      { virtualFrom: new Date('2026-11-20T00:00:00Z') },
    );
    const id = await send();
    expect(await nameOf(get(id))).toBe('InvocationDoesNotExist');
    expect((await ssm.send(new ListCommandInvocationsCommand({ CommandId: id }))).CommandInvocations).toEqual([]);
    await cloud.advanceBy(5);
    expect(await get(id)).toMatchObject({
      Status: 'InProgress',
      StatusDetails: 'InProgress',
      StandardOutputContent: '',
      ResponseCode: -1,
    });
    expect(await ended(id)).toMatchObject({ Status: 'Success', StandardOutputContent: 'said: a\n' });
  });

  it('a failing script is Failed with its exit code', async () => {
    const { send, ended } = await withHost();
    expect(await ended(await send({ exit: '3' }))).toMatchObject({
      Status: 'Failed',
      StatusDetails: 'Failed',
      ResponseCode: 3,
    });
  });

  it('parameters are checked: unknown, missing, not allowed, too many values', async () => {
    const { ssm, send } = await withHost();
    const raw = (Parameters: Record<string, string[]>) =>
      nameOf(ssm.send(new SendCommandCommand({ DocumentName: 'say', InstanceIds: [hostId], Parameters })));
    expect(await raw({})).toBe('InvalidParameters');
    expect(await raw({ text: ['UPPER'] })).toBe('InvalidParameters');
    expect(await raw({ text: ['a', 'b'] })).toBe('InvalidParameters');
    expect(await raw({ text: ['a'], more: ['b'] })).toBe('InvalidParameters');
    expect(await raw({ text: ['a'], exit: ['5'] })).toBe('InvalidParameters');
    expect(await nameOf(send({}, { InstanceIds: ['mi-00000000000000009'] }))).toBe('InvalidInstanceId');
    expect(await nameOf(send({}, { DocumentName: 'none' }))).toBe('InvalidDocument');
    expect(await nameOf(send({}, { TimeoutSeconds: 5 }))).toBe('ValidationException');
  });

  it('an agent that is too old passes no variables', async () => {
    const { send, ended } = await withHost({ agent: { environmentParameters: false } });
    expect((await ended(await send())).StandardOutputContent).toBe('said: unset\n');
  });

  it('the time limit of the document kills the process group', async () => {
    const { send, ended, journal } = await withHost();
    expect(await ended(await send({ seconds: '6', limit: '4' }))).toMatchObject({
      Status: 'TimedOut',
      StatusDetails: 'ExecutionTimedOut',
      ResponseCode: -1,
    });
    await sleep(2500);
    expect(journal()).toBe('started\n');
  });

  it('cancelling ends the process', async () => {
    const { send, ended, ssm, journal, tell } = await withHost();
    const id = await send({ until: 'told' });
    await expect.poll(journal, { timeout: 30_000 }).toBe('started\n');
    await ssm.send(new CancelCommandCommand({ CommandId: id }));
    expect(await ended(id)).toMatchObject({ Status: 'Cancelled', StatusDetails: 'Cancelled' });
    tell();
    await sleep(1000);
    expect(journal()).toBe('started\n');
  });

  it('a cancel may be reported while the process goes on', async () => {
    const { send, ended, ssm, journal, tell } = await withHost({ agent: { cancelKills: false } });
    const id = await send({ until: 'told' });
    await expect.poll(journal, { timeout: 30_000 }).toBe('started\n');
    await ssm.send(new CancelCommandCommand({ CommandId: id }));
    expect(await ended(id)).toMatchObject({ Status: 'Cancelled' });
    tell();
    await expect.poll(journal, { timeout: 30_000 }).toBe('started\nended\n');
  });

  it('exit 194 restarts the host and runs the script again', async () => {
    const { send, ended, journal } = await withHost();
    expect(await ended(await send({ exit: '194' }))).toMatchObject({ Status: 'Success', ResponseCode: 0 });
    expect(journal()).toBe('started\nended\nstarted\nended\n');
  });

  it('five commands run at once, the sixth waits', async () => {
    const { cloud, send, ended, tell } = await withHost();
    const ids: string[] = [];
    for (let index = 0; index < 6; index++) ids.push(await send({ until: 'told' }));
    await expect
      .poll(() => cloud.commands().map((one) => one.status), { timeout: 30_000 })
      .toEqual([...Array(5).fill('InProgress'), 'Pending']);
    tell();
    for (const id of ids) expect(await ended(id)).toMatchObject({ Status: 'Success' });
  });

  it('output is cut at 24,000 characters, and at 2,500 in the list; the whole goes to S3', async () => {
    const { cloud, send, ended, ssm } = await withHost();
    const id = await send(
      { lines: '30000' },
      { OutputS3BucketName: 'output-123456789012', OutputS3KeyPrefix: 'some/prefix' },
    );
    const { StandardOutputContent: shown = '', StandardOutputUrl: url } = await ended(id);
    expect(shown.length).toBe(24_000);
    expect(shown.endsWith('--output truncated--')).toBe(true);
    const listed = await ssm.send(new ListCommandInvocationsCommand({ CommandId: id, Details: true }));
    expect(listed.CommandInvocations?.[0]?.CommandPlugins?.[0]?.Output?.length).toBe(2500);
    const key = `some/prefix/${id}/${hostId}/awsrunShellScript/speak/stdout`;
    expect(url).toBe(`https://s3.eu-central-1.amazonaws.com/output-123456789012/${key}`);
    expect(cloud.s3.get('output-123456789012', key)?.length).toBe(30_008);
  });

  it('both events tell of every change of status', async () => {
    const { cloud, send, ended } = await withHost();
    const id = await send({ text: 'hello' });
    await ended(id);
    expect(eventsOf(cloud, 'EC2 Command Invocation Status-change Notification')).toMatchObject([
      { 'command-id': id, 'document-name': 'say', 'instance-id': hostId, status: 'InProgress' },
      { 'command-id': id, status: 'Success' },
    ]);
    expect(eventsOf(cloud, 'EC2 Command Status-change Notification')).toMatchObject([
      { 'command-id': id, status: 'InProgress' },
      { 'command-id': id, 'document-name': 'say', status: 'Success', parameters: { text: ['hello'], exit: ['0'] } },
    ]);
  });

  it('commands are found by document, time and status, with their comment', async () => {
    const { send, ended, ssm } = await withHost();
    const before = new Date(Date.now() - 1000).toISOString();
    await ended(await send({}, { Comment: 'find me' }));
    const Filters = [
      { key: 'DocumentName' as const, value: 'say' },
      { key: 'InvokedAfter' as const, value: before },
      { key: 'Status' as const, value: 'Success' },
    ];
    expect((await ssm.send(new ListCommandsCommand({ Filters }))).Commands?.map((one) => one.Comment)).toEqual([
      'find me',
    ]);
    expect(
      (await ssm.send(new ListCommandsCommand({ Filters: [{ key: 'InvokedBefore', value: before }] }))).Commands,
    ).toEqual([]);
  });

  it('a target that matches no node ends as a success', async () => {
    const { ssm } = await withHost();
    const sent = await ssm.send(
      new SendCommandCommand({
        DocumentName: 'say',
        Targets: [{ Key: 'tag:project', Values: ['none'] }],
        Parameters: { text: ['a'] },
      }),
    );
    expect(sent.Command).toMatchObject({ Status: 'Success', StatusDetails: 'NoInstancesInTag', TargetCount: 0 });
  });
});

describe('Run Command in virtual time', () => {
  const start = { virtualFrom: new Date('2026-03-01T00:00:00Z') };

  it('a host that is away gets nothing, and the command ends as not delivered', async () => {
    const { cloud, send, get, ssm } = await withHost({}, start);
    cloud.host(hostId).disconnect();
    expect((await ssm.send(new DescribeInstanceInformationCommand({}))).InstanceInformationList).toMatchObject([
      { InstanceId: hostId, PingStatus: 'ConnectionLost' },
    ]);
    const id = await send({}, { TimeoutSeconds: 600 });
    await cloud.advanceBy(599);
    expect(await get(id)).toMatchObject({ Status: 'Pending' });
    await cloud.advanceBy(2);
    expect(await get(id)).toMatchObject({ Status: 'TimedOut', StatusDetails: 'DeliveryTimedOut', ResponseCode: -1 });
  });

  it('a host that comes back in time gets the command', async () => {
    const { cloud, send, ended } = await withHost({}, start);
    cloud.host(hostId).disconnect();
    const id = await send();
    await cloud.advanceBy(1200);
    cloud.host(hostId).connect();
    expect(await ended(id)).toMatchObject({ Status: 'Success' });
  });

  it('a host that died stays InProgress until delivery and execution time-outs are over', async () => {
    const { cloud, send, get, ended } = await withHost({ duration: () => 1000 }, start);
    const id = await send({ limit: '7200' }, { TimeoutSeconds: 600 });
    await cloud.advanceBy(60);
    cloud.host(hostId).crash();
    await cloud.advanceBy(7200);
    expect(await get(id)).toMatchObject({ Status: 'InProgress' });
    expect(await ended(id)).toMatchObject({ Status: 'TimedOut', StatusDetails: 'DeliveryTimedOut' });
    expect(cloud.clock.now()).toBe(start.virtualFrom.getTime() + 7_801_000);
  });

  it('a command takes the time of the story, and its limit strikes in it', async () => {
    const { cloud, send, ended } = await withHost(
      { duration: ({ parameters }) => (parameters.text?.[0] === 'slow' ? 5000 : 100) },
      start,
    );
    expect(await ended(await send({ text: 'quick' }))).toMatchObject({
      Status: 'Success',
      ExecutionElapsedTime: 'PT100S',
    });
    const before = cloud.clock.now();
    expect(await ended(await send({ text: 'slow', limit: '3600' }))).toMatchObject({
      Status: 'TimedOut',
      StatusDetails: 'ExecutionTimedOut',
    });
    expect(cloud.clock.now() - before).toBe(3_601_000);
  });
});

describe('the rest of Systems Manager', () => {
  it('status details may be spelled with blanks', async () => {
    const edge = aHost();
    open.push(edge.remove);
    const cloud = await startLocalCloud({
      assembly: built.assembly,
      hosts: [edge.host],
      clock: { virtualFrom: new Date('2026-11-20T00:00:00Z') },
      statusDetails: 'spaced',
    });
    open.push(() => cloud.close());
    const ssm = new SSMClient(cloud.clientSettings);
    open.push(() => ssm.destroy());
    cloud.host(hostId).disconnect();
    const sent = await ssm.send(
      new SendCommandCommand({
        DocumentName: 'say',
        InstanceIds: [hostId],
        Parameters: { text: ['a'] },
        TimeoutSeconds: 60,
      }),
    );
    const CommandId = sent.Command?.CommandId ?? '';
    await cloud.advanceBy(70);
    const listed = await ssm.send(new ListCommandInvocationsCommand({ CommandId, Details: true }));
    expect(listed.CommandInvocations).toMatchObject([
      {
        Status: 'TimedOut',
        StatusDetails: 'Delivery Timed Out',
        CommandPlugins: [{ StatusDetails: 'Delivery Timed Out' }],
      },
    ]);
  });

  it('documents are created, described and read; one that is wrong is refused', async () => {
    const { ssm } = await withHost();
    const content = (action: string) =>
      JSON.stringify({
        schemaVersion: '2.2',
        parameters: { word: { type: 'String', default: 'a', description: 'what to say' } },
        mainSteps: [{ action, name: 'say', inputs: { runCommand: ['echo {{ word }}'] } }],
      });
    const create = (Name: string, action: string) =>
      ssm.send(new CreateDocumentCommand({ Name, Content: content(action), DocumentType: 'Command' }));
    const created = await create('echo', 'aws:runShellScript');
    expect(created.DocumentDescription).toMatchObject({ Name: 'echo', Status: 'Active', SchemaVersion: '2.2' });
    const described = await ssm.send(new DescribeDocumentCommand({ Name: 'echo' }));
    expect(described.Document?.Parameters).toEqual([
      { Name: 'word', Type: 'String', Description: 'what to say', DefaultValue: 'a' },
    ]);
    const read = await ssm.send(new GetDocumentCommand({ Name: 'echo' }));
    expect(JSON.parse(read.Content ?? '')).toEqual(JSON.parse(content('aws:runShellScript')));
    expect(await nameOf(create('echo', 'aws:runShellScript'))).toBe('DocumentAlreadyExists');
    expect(await nameOf(create('other', 'aws:downloadContent'))).toBe('InvalidDocumentContent');
    expect(await nameOf(ssm.send(new GetDocumentCommand({ Name: 'none' })))).toBe('InvalidDocument');
  });

  it('a host may do its work inside this process', async () => {
    const { send, ended } = await withHost({
      run: ({ documentName, parameters }) => ({
        exitCode: 3,
        stdout: `${documentName} ${parameters.text} ${parameters.exit}`,
        stderr: '',
      }),
    });
    expect(await ended(await send())).toMatchObject({
      Status: 'Failed',
      ResponseCode: 3,
      StandardOutputContent: 'say a 0',
    });
  });

  it('a host without the permission for the bucket stores no output, and its command succeeds all the same', async () => {
    const Bucket = 'output-123456789012';
    const policy = (resource: string) => ({
      Statement: { Effect: 'Allow', Action: 's3:PutObject', Resource: `arn:aws:s3:::${resource}/*` },
    });
    for (const [resource, keys] of [
      [Bucket, 2],
      ['another', 0],
    ] as const) {
      const { send, ended, cloud } = await withHost({ policy: policy(resource) });
      const id = await send({}, { OutputS3BucketName: Bucket, OutputS3KeyPrefix: 'out' });
      expect(await ended(id)).toMatchObject({ Status: 'Success' });
      expect(cloud.s3.keys(Bucket, 'out/')).toHaveLength(keys);
    }
  });
});
