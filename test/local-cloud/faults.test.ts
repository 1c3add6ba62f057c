import { GetObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { CancelCommandCommand, ListCommandsCommand, SSMClient } from '@aws-sdk/client-ssm';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { virtualClock } from './clock.ts';
import { Faults } from './faults.ts';
import { aHost, builtAssembly, hostId } from './fixture/index.ts';
import { type FaultRule, type LocalCloud, startLocalCloud } from './index.ts';

let built: Awaited<ReturnType<typeof builtAssembly>>;
let cloud: LocalCloud;
let edge: ReturnType<typeof aHost>;
const from = new Date('2026-11-20T18:00:00Z');
beforeAll(async () => {
  built = await builtAssembly();
  edge = aHost({ duration: () => 60 });
  cloud = await startLocalCloud({ assembly: built.assembly, clock: { virtualFrom: from }, hosts: [edge.host] });
});
afterEach(() => cloud.faults.clear());
afterAll(async () => {
  await cloud.close();
  edge.remove();
  built.remove();
});

const run = async () => {
  const before = cloud.commands().length;
  const begun = cloud.clock.now();
  const ended = await cloud.executionEnded(cloud.startExecution('Machine', { text: 'hello', host: hostId }));
  return { ...ended, seconds: (cloud.clock.now() - begun) / 1000, commands: cloud.commands().length - before };
};
const settlements = () => cloud.counters()['lambda.invocations.settle'] ?? 0;
const faults = (...rules: readonly FaultRule[]) => cloud.faults.add(...rules);

describe('a plan of faults', () => {
  const strikes = (seed: number) => {
    const world = { clock: virtualClock(0), tell: () => {} };
    const plan = new Faults(seed, world, () => ({ disconnect() {}, crash() {}, connect() {} }));
    plan.add({ on: 'schedule', schedule: 'n*', fault: 'lost', probability: 0.3, after: 2, times: 20 });
    return Array.from({ length: 200 }, () => plan.schedule('nightly') !== undefined);
  };
  it('is the same for the same seed, another for another', () => {
    expect(strikes(7)).toEqual(strikes(7));
    expect(strikes(7)).not.toEqual(strikes(8));
    expect(strikes(7).filter(Boolean)).toHaveLength(20);
    expect(strikes(7).slice(0, 2)).toEqual([false, false]);
  });
  it('strikes about as often as it says', () => {
    const plan = new Faults(3, { clock: virtualClock(0), tell: () => {} }, () => ({
      disconnect() {},
      crash() {},
      connect() {},
    }));
    plan.add({ on: 'schedule', schedule: '*', fault: 'lost', probability: 0.25 });
    const struck = Array.from({ length: 4000 }, () => plan.schedule('a')).filter(Boolean).length;
    expect(struck / 4000).toBeCloseTo(0.25, 1);
  });
});

describe('faults of calls', () => {
  const client = () => new SSMClient(cloud.clientSettings);
  const listed = () => client().send(new ListCommandsCommand({}));
  it('throttled, once, then not', async () => {
    faults({ on: 'call', action: 'ssm:List*', fault: 'throttled', times: 1 });
    await expect(listed()).rejects.toMatchObject({ name: 'ThrottlingException' });
    expect((await listed()).Commands).toBeDefined();
    const s3 = new S3Client({ ...cloud.clientSettings, forcePathStyle: true });
    faults({ on: 'call', action: 's3:GetObject', fault: 'throttled' });
    await expect(s3.send(new GetObjectCommand({ Bucket: 'b', Key: 'k' }))).rejects.toMatchObject({ name: 'SlowDown' });
  });
  it('of one caller only', async () => {
    faults({ on: 'call', action: 'ssm:*', caller: '*SettleRole*', fault: 'throttled' });
    expect((await listed()).Commands).toBeDefined();
  });
  it('before its effect: nothing was sent', async () => {
    faults({ on: 'call', action: 'ssm:SendCommand', fault: 'before-effect', error: 'InvalidInstanceId' });
    expect(await run()).toMatchObject({ status: 'FAILED', error: 'InvalidInstanceId', commands: 0 });
  });
  it('after its effect: it was', async () => {
    faults({ on: 'call', action: 'ssm:SendCommand', fault: 'after-effect', error: 'InvalidInstanceId' });
    expect(await run()).toMatchObject({ status: 'FAILED', error: 'InvalidInstanceId', commands: 1 });
    await cloud.advanceBy(120);
  });
  it('an error of the service is one that the SDK repeats', async () => {
    faults({ on: 'call', action: 'ssm:SendCommand', fault: 'after-effect', times: 1 });
    expect(await run()).toMatchObject({ commands: 2 });
    await cloud.advanceBy(120);
  });
  it('slow', async () => {
    faults({ on: 'call', action: 'ssm:ListCommands', fault: 'slow', milliseconds: 120 });
    const begun = performance.now();
    await listed();
    expect(performance.now() - begun).toBeGreaterThanOrEqual(115);
  });
  it('what nobody asked for still works', async () => {
    const [last] = cloud.commands().slice(-1);
    await client().send(new CancelCommandCommand({ CommandId: last?.id ?? '' }));
    expect(cloud.faults.strikes.length).toBeGreaterThan(0);
  });
});

describe('faults of events', () => {
  const event = (fault: Extract<FaultRule, { on: 'event' }>['fault'], seconds?: number): FaultRule => ({
    on: 'event',
    detailType: 'EC2 Command Invocation*',
    fault,
    times: 1,
    ...(seconds === undefined ? {} : { seconds }),
  });
  it('without any, the run ends with its command', async () => {
    expect(await run()).toMatchObject({ status: 'SUCCEEDED', seconds: 62 });
  });
  it('lost: nobody settles, the heartbeat runs out', async () => {
    faults(event('lost'));
    expect(await run()).toMatchObject({ status: 'FAILED', error: 'States.HeartbeatTimeout', seconds: 600 });
  });
  it('doubled: it is settled twice', async () => {
    faults(event('doubled', 5));
    const before = settlements();
    expect(await run()).toMatchObject({ status: 'SUCCEEDED' });
    await cloud.advanceBy(30);
    expect(settlements() - before).toBe(2);
    // The second one fails on the closed token, and Lambda tries it twice more.
    await cloud.advanceBy(300);
    expect(settlements() - before).toBe(4);
  });
  it('late', async () => {
    faults(event('late', 100));
    expect(await run()).toMatchObject({ status: 'SUCCEEDED', seconds: 162 });
  });
  it('reordered: the next one overtakes it', async () => {
    faults(event('reordered'));
    const first = cloud.startExecution('Machine', { text: 'a', host: hostId });
    await cloud.advanceBy(10);
    const second = cloud.startExecution('Machine', { text: 'b', host: hostId });
    await cloud.executionEnded(first);
    await cloud.executionEnded(second);
    const [one, other] = [first, second].map((arn) => cloud.stepFunctions.execution(arn).stopDate ?? 0);
    expect(one).toBeGreaterThan(other ?? 0);
  });
  it('early: the API does not know the end yet', async () => {
    faults({ on: 'event', detailType: '*Command Status*', fault: 'early', seconds: 20 });
    expect(await run()).toMatchObject({ status: 'FAILED', error: 'CommandFailed', cause: 'InProgress' });
    await cloud.advanceBy(120);
  });
});

describe('faults of schedules, functions and hosts', () => {
  const ticks = () => cloud.counters()['lambda.invocations.echo'] ?? 0;
  it('a schedule that fires twice, and one that does not', async () => {
    await cloud.advanceBy(600);
    const before = ticks();
    faults({ on: 'schedule', schedule: 'often', fault: 'twice', times: 1 });
    await cloud.advanceBy(600);
    expect(ticks() - before).toBe(2);
    faults({ on: 'schedule', schedule: 'often', fault: 'lost', times: 1 });
    await cloud.advanceBy(600);
    expect(ticks() - before).toBe(2);
  });
  it('a function that timed out after its effect', async () => {
    faults({ on: 'function', function: 'start', fault: 'time-out-after-effect', times: 1 });
    expect(await run()).toMatchObject({ status: 'FAILED', error: 'Sandbox.Timedout', commands: 1 });
    await cloud.advanceBy(120);
  });
  it('an answer that Lambda lost, and a call that it throttled', async () => {
    faults({ on: 'function', function: 'start', fault: 'answer-lost', times: 1 });
    expect(await run()).toMatchObject({ error: 'Lambda.ServiceException', commands: 1 });
    faults({ on: 'function', function: 'start', fault: 'throttled', times: 1 });
    expect(await run()).toMatchObject({ error: 'Lambda.TooManyRequestsException', commands: 0 });
    await cloud.advanceBy(120);
  });
  it('a host that is lost for a time', async () => {
    faults({ on: 'host', host: hostId, fault: 'disconnected', afterSeconds: 10, seconds: 200 });
    expect(await run()).toMatchObject({ status: 'SUCCEEDED', seconds: 211 });
  });
});
