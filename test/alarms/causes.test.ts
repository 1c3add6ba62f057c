import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ALARM_IDS, type AlarmId, factsOf } from '../../functions/core/domain/alarms.ts';
import type { Newest } from '../../functions/core/domain/clocks.ts';
import { PolicyName } from '../../functions/core/domain/names.ts';
import { type AlarmWorld, BUCKET, openWorld, policiesOf, REPLICA_HOST } from './world.ts';

const HOUR = 3_600_000;
const from = new Date('2026-11-20T06:30:00Z');

interface Cause {
  /** Minutes until it must be told of. */
  readonly within: number;
  readonly make: (world: AlarmWorld) => Promise<void>;
  readonly mend: (world: AlarmWorld) => Promise<void>;
  /** Minutes until it must be over: CloudWatch looks back further than one window while values are missing. */
  readonly over: number;
  /** Alarms that the cause needs, and that are told of when it is over. */
  readonly also?: readonly AlarmId[];
}

const nothing = async (): Promise<void> => undefined;
const backedUp = async ({ backUp }: AlarmWorld): Promise<void> => {
  expect(await backUp()).toMatchObject({ status: 'SUCCEEDED' });
};
const failing = async ({ backUp }: AlarmWorld, error: string): Promise<void> => {
  expect(await backUp()).toMatchObject({ status: 'FAILED', error });
};
/** A counter of AWS's own, or of ours. */
const measured =
  (
    namespace: string,
    name: string,
    dimensions: (world: AlarmWorld) => Readonly<Record<string, string>>,
    value: number,
  ) =>
  async (world: AlarmWorld): Promise<void> =>
    world.cloud.cloudWatch.metrics.put(
      { namespace, name, dimensions: dimensions(world) },
      [value],
      world.cloud.clock.now(),
    );
const ours = () => ({ service: 'ozone-dr' });
const functionNamed = (name: string) => () => ({ FunctionName: `ozone-dr-${name}` });

/** Lets the pair remember something else, as if runs had left it so; `mend` brings back what was. */
const remembering = (change: (now: Newest, at: number) => Newest, kind: 'dr' | 'drill' = 'dr') => {
  let before: unknown;
  return {
    make: async (world: AlarmWorld) => {
      const { newest } = await world.pair(kind);
      before = newest;
      const known: Newest | undefined = newest?.[PolicyName.parse('nightly')];
      if (!known) throw new Error('the pair remembers nothing');
      await world.set('newest', { nightly: change(known, world.cloud.clock.now()) }, kind);
    },
    mend: async (world: AlarmWorld) => world.set('newest', before, kind),
  };
};
const older = (point: { readonly name: unknown; readonly at: number } | null | undefined, at: number, hours: number) =>
  (point ? { ...point, at: at - hours * HOUR } : null) as never;
const clockCause = (clock: 'taken' | 'replicated' | 'verified', hours: number): Cause => ({
  ...remembering((now, at) => ({
    ...now,
    ...(clock === 'taken' ? { taken: older(now.taken, at, hours) } : {}),
    verified: clock === 'taken' ? now.verified : { listing: older(now.verified.listing, at, hours) },
  })),
  within: 30,
  over: 30,
});
/** The last drill was so long ago. */
const drillCause = (hours: number): Cause => {
  let before: Awaited<ReturnType<AlarmWorld['pair']>>['lastDrill'] = null;
  return {
    make: async (world) => {
      before = (await world.pair('drill')).lastDrill;
      const at = world.cloud.clock.now() - hours * HOUR;
      await world.set('lastDrill', { ...before, drill: { ...before?.drill, at } }, 'drill');
    },
    mend: async (world) => world.set('lastDrill', before, 'drill'),
    within: 30,
    over: 30,
  };
};
const runCause = (run: 'backup' | 'prune', change: object): Cause => ({
  ...remembering((now, at) => ({
    ...now,
    runs: { ...now.runs, [run]: { ...(now.runs.backup ?? {}), ...change, at } as never },
  })),
  within: 12,
  over: 25,
});
const stopped = (machine: string, input: object): Cause => ({
  make: async ({ cloud }) => {
    const arn = cloud.startExecution(machine, JSON.parse(JSON.stringify(input)));
    await cloud.advanceBy(3);
    cloud.stepFunctions.stop(cloud.stepFunctions.execution(arn), 'Stopped', 'by hand');
  },
  mend: nothing,
  within: 6,
  over: 20,
});
const inQueue = (id: string): Cause => ({
  make: async ({ cloud }) => cloud.messages.send(queueOf(cloud, id), { lost: true }),
  mend: async ({ cloud }) => cloud.messages.purge(queueOf(cloud, id)),
  within: 8,
  over: 10,
});
const queueOf = (cloud: AlarmWorld['cloud'], id: string): string =>
  `arn:aws:sqs:eu-central-1:123456789012:${cloud.resource('AWS::SQS::Queue', id).name}`;
const scheduleLost = (schedule: string, within: number): Cause => ({
  make: async ({ cloud }) => cloud.faults.add({ on: 'schedule', schedule, fault: 'lost' }),
  mend: async ({ cloud }) => cloud.faults.clear(),
  within,
  over: 25,
});
const ofBucket = { policy: 'nightly', bucket: BUCKET };

/** Of every alarm the thing that raises it, and what ends that. */
const CAUSES: Readonly<Record<AlarmId, Cause>> = {
  'snapshot-failed': {
    make: async (world) => {
      world.ozone.setFaults([{ id: 'limit', effect: { kind: 'snapshot-limit', service: 'prod', limit: 0 } }]);
      await failing(world, 'BudgetExceeded');
      world.ozone.setFaults([]);
    },
    mend: backedUp,
    within: 3,
    over: 20,
  },
  'replication-failed': {
    make: async (world) => {
      world.ozone.setFaults([
        { id: 'copy', match: { program: 'hadoop' }, effect: { kind: 'quota-full', service: 'dr' } },
      ]);
      world.ozone.change(`ofs://prod/${BUCKET}`, [{ op: 'put', path: 'four', size: 400, seed: 4 }]);
      expect(await world.backUp()).toMatchObject({ status: 'FAILED' });
      world.ozone.setFaults([]);
    },
    mend: backedUp,
    within: 3,
    over: 20,
  },
  'cluster-unreachable': {
    make: async (world) => {
      world.ozone.setFaults([{ id: 'away', effect: { kind: 'unreachable', service: 'dr' } }]);
      await failing(world, 'ReplicaUnreachable');
      world.ozone.setFaults([]);
    },
    mend: backedUp,
    within: 3,
    over: 20,
  },
  'anomaly-held': {
    make: async (world) => {
      world.ozone.change(`ofs://prod/${BUCKET}`, [
        { op: 'rm', path: 'a/one' },
        { op: 'rm', path: 'two' },
        { op: 'rm', path: 'three' },
      ]);
      await failing(world, 'AnomalousChange');
    },
    mend: async (world) => {
      const held = (await world.pair()).hold?.target ?? '';
      const decision = `accept ${BUCKET} ${held}`;
      expect(await world.run('ozone-dr-decision', { ...ofBucket, decision, by: 'Ada', reason: 'meant' })).toBe(
        'SUCCEEDED',
      );
      await backedUp(world);
    },
    within: 3,
    over: 45,
  },
  'verification-differs': runCause('backup', { status: 'failed', error: 'ReplicaDiffers', kind: 'differs' }),
  'prune-refused': runCause('prune', { status: 'failed', error: 'PruneRefused', kind: 'prune' }),
  'prune-over-cap': runCause('prune', { overCap: 12 }),
  'drill-failed': stopped('ozone-dr-drill', ofBucket),
  'restore-failed': stopped('ozone-dr-restore', {
    ...ofBucket,
    point: 'odr-nightly-none',
    by: 'Ada',
    reason: 'a test',
  }),
  'failover-failed': stopped('ozone-dr-failover', { ...ofBucket, kind: 'planned', by: 'Ada', reason: 'a test' }),
  'failed-over': {
    make: async (world) =>
      world.set('role', {
        primary: 'replica',
        epoch: 1,
        state: 'settled',
        point: 'odr-nightly-20261120t060000z-1',
        since: world.cloud.clock.now(),
        by: `prod/${BUCKET}#dr#failover.nightly#20261120t060000z`,
        opened: null,
      }),
    mend: async (world) => world.set('role', null),
    within: 12,
    over: 25,
  },
  // What is before it takes three hours from now, it has to begin within one.
  'objective-unreachable': {
    make: async (world) => world.waiting(3600, 3 * 3600),
    mend: async (world) => world.waiting(3600, 0),
    within: 17,
    over: 25,
  },
  'bucket-vanished': {
    make: async (world) => world.listed(false),
    mend: async (world) => world.listed(true),
    within: 12,
    over: 25,
  },
  'backup-failed': stopped('ozone-dr-backup', ofBucket),
  'prune-failed': stopped('ozone-dr-prune', ofBucket),
  'doctor-failed': stopped('ozone-dr-doctor', {}),
  'backup-fleet-failed': {
    make: async ({ run }) =>
      expect(await run('ozone-dr-backup-fleet', { policy: 'nobody', slot: '2026-11-20T06:00:00Z' })).toBe('FAILED'),
    mend: nothing,
    within: 6,
    over: 20,
  },
  'failover-not-ready': {
    make: async (world) => {
      // Each minute: the assessor puts its zeros beside these, and no period of five minutes may have only a zero.
      for (let minute = 0; minute < 30; minute++) {
        await measured('OzoneDr', 'NotReadyOverdue', ours, 1)(world);
        await world.minutes(1);
      }
    },
    mend: nothing,
    within: 6,
    over: 30,
  },
  'question-failed': {
    make: async ({ run }) =>
      expect(await run('ozone-dr-decision', { ...ofBucket, decision: 'yes', by: 'Ada', reason: 'why not' })).toBe(
        'FAILED',
      ),
    mend: nothing,
    within: 6,
    over: 20,
  },
  'host-offline': {
    make: async ({ cloud }) => cloud.host(REPLICA_HOST).disconnect(),
    mend: async ({ cloud }) => cloud.host(REPLICA_HOST).connect(),
    within: 20,
    over: 15,
  },
  'sweeper-not-running': scheduleLost('sweep-operations', 8),
  'assessor-not-running': scheduleLost('assess-objectives', 60),
  'taken-late': clockCause('taken', 50),
  'taken-stale': clockCause('taken', 80),
  // The objective is over long before two intervals are: what tells of it comes first, and alone.
  'replicated-late': clockCause('replicated', 50),
  'replicated-stale': clockCause('replicated', 80),
  'verified-late': clockCause('verified', 50),
  'verified-stale': clockCause('verified', 80),
  'drilled-late': drillCause(7 * 24),
  'drilled-stale': drillCause(10 * 24),
  'objective-breached': clockCause('replicated', 27),
  'schedule-undelivered': inQueue('SchedulesUndelivered'),
  'event-undelivered': inQueue('EventsUndelivered'),
  'event-not-published': {
    make: async (world) => {
      world.cloud.faults.add({
        on: 'call',
        action: 'events:PutEvents',
        fault: 'before-effect',
        error: 'InternalException',
      });
      await backedUp(world);
    },
    mend: async ({ cloud }) => cloud.faults.clear(),
    within: 3,
    over: 60,
  },
  'announcer-failed': {
    make: async (world) => {
      world.cloud.faults.add({
        on: 'call',
        action: 'sns:Publish',
        fault: 'before-effect',
        error: 'AuthorizationError',
      });
      world.cloud.messages.send(queueOf(world.cloud, 'EventsUndelivered'), { lost: true });
    },
    mend: async ({ cloud }) => {
      cloud.faults.clear();
      cloud.messages.purge(queueOf(cloud, 'EventsUndelivered'));
    },
    within: 20,
    over: 20,
    also: ['event-undelivered'],
  },
  'fence-refused': { make: measured('OzoneDr', 'FenceRefusals', ours, 1), mend: nothing, within: 3, over: 60 },
  'machine-throttled': {
    make: measured(
      'AWS/States',
      'ExecutionThrottled',
      ({ cloud }) => ({ StateMachineArn: cloud.resource('AWS::StepFunctions::StateMachine', 'ozone-dr-backup').ref }),
      3,
    ),
    mend: nothing,
    within: 3,
    over: 20,
  },
  'function-errors': {
    make: measured('AWS/Lambda', 'Errors', functionNamed('decide-backup'), 6),
    mend: nothing,
    within: 3,
    over: 25,
  },
  'snapshot-limit-used': {
    make: measured('OzoneDr', 'SnapshotsOfLimit', ours, 95),
    mend: nothing,
    within: 3,
    over: 26 * 60,
  },
  'snapshot-limit-near': {
    make: measured('OzoneDr', 'DaysUntilSnapshotLimit', ours, 12),
    mend: nothing,
    within: 3,
    over: 26 * 60,
  },
};

/** Alarms of which a graver one tells first. */
const TOLD_BY: Readonly<Partial<Record<AlarmId, AlarmId>>> = {
  'replicated-late': 'objective-breached',
  'replicated-stale': 'objective-breached',
  'verified-late': 'objective-breached',
  'verified-stale': 'objective-breached',
};

describe('each alarm is raised by its own cause, alone, and is over when that is', () => {
  let world: AlarmWorld;
  beforeAll(async () => {
    world = await openWorld(from);
    await backedUp(world);
    expect(await world.run('ozone-dr-drill', ofBucket)).toBe('SUCCEEDED');
    expect(await world.run('ozone-dr-prune', ofBucket)).toBe('SUCCEEDED');
    await world.minutes(30);
    expect(world.told()).toEqual([]);
  }, 600_000);
  afterAll(() => world?.close());

  it.each(ALARM_IDS.filter((id) => !id.startsWith('snapshot-limit')))(
    '%s',
    async (id) => {
      const cause = CAUSES[id];
      await settled(world);
      const before = world.told().length;
      await cause.make(world);
      await world.minutes(cause.within);
      const expected = TOLD_BY[id] ?? id;
      const heard = world.told().slice(before);
      expect(heard.filter(({ kind }) => kind === 'raised').map((it) => it.id)).toEqual([expected]);
      expect(heard[0]?.topic).toBe(factsOf(expected).severity);
      await cause.mend(world);
      await world.minutes(cause.over);
      expect(world.raised()).toEqual([]);
      const after = world
        .told()
        .slice(before)
        .filter((it) => !cause.also?.some((other) => other === it.id));
      expect(after.map((it) => `${it.kind} ${it.id}`)).toEqual([`raised ${expected}`, `over ${expected}`]);
    },
    600_000,
  );

  // Their period is a day, and a window of it has to be over.
  it('snapshot-limit-near and snapshot-limit-used', async () => {
    await world.minutes(25 * 60);
    for (const id of ['snapshot-limit-near', 'snapshot-limit-used'] as const) {
      const before = world.told().length;
      await CAUSES[id].make(world);
      await world.minutes(CAUSES[id].within);
      expect(world.raised()).toEqual([id]);
      await world.minutes(25 * 60);
      expect(world.raised()).toEqual([]);
      const after = world.told().slice(before);
      expect(after.map((it) => `${it.kind} ${it.id}`)).toEqual([`raised ${id}`, `over ${id}`]);
    }
  }, 900_000);
});

/** Nothing is raised, and the nights go on. */
const settled = async (world: AlarmWorld): Promise<void> => {
  if (world.raised().length > 0) await world.minutes(20);
  expect(world.raised()).toEqual([]);
};

describe('when nothing runs', () => {
  it('of a bucket that only people back up, they hear that nothing is there to fail over to', async () => {
    const byHand = policiesOf('Etc/UTC')
      .replace(/schedules: .*/, 'schedules: []')
      .replace(/ +(retention:\n.*|drills: .*)\n/g, '');
    const world = await openWorld(from, 'Etc/UTC', byHand);
    try {
      await world.minutes(26 * 60);
      expect(world.told()).toEqual([]);
      await world.minutes(60);
      expect(world.told().map(({ id, topic, kind }) => [id, topic, kind])).toEqual([
        ['failover-not-ready', 'ticket', 'raised'],
      ]);
      expect(world.told()[0]?.body).toContain(`nightly: ${BUCKET} (no verified point of ${BUCKET} is on dr`);
      await backedUp(world);
      await world.minutes(30);
      expect(world.told().map(({ kind }) => kind)).toEqual(['raised', 'over']);
    } finally {
      await world.close();
    }
  }, 600_000);

  it('but for a failover, people hear of that and of no old points', async () => {
    const world = await openWorld(from);
    const ofPerson = { ...ofBucket, kind: 'unplanned', by: 'Ada', reason: 'a test' };
    try {
      await backedUp(world);
      const planned = world.cloud.startExecution('ozone-dr-failover', ofPerson);
      const { plan, confirmation } = Object((await world.cloud.executionEnded(planned)).output);
      expect(await world.run('ozone-dr-failover', { ...ofPerson, plan, confirmation })).toBe('SUCCEEDED');
      await world.minutes(30 * 60);
      expect(world.told().map(({ id, kind }) => [id, kind])).toEqual([['failed-over', 'raised']]);
      expect(world.told()[0]?.body).toContain('nothing backs it up');
    } finally {
      await world.close();
    }
  }, 600_000);

  it('not at all for a day, people hear that a promise is broken, and that it holds again', async () => {
    const world = await openWorld(from);
    try {
      await backedUp(world);
      await world.minutes(30);
      world.cloud.faults.add({ on: 'schedule', schedule: 'nightly-*', fault: 'lost' });
      await world.minutes(26 * 60 + 30);
      expect(world.told().map((it) => [it.id, it.topic, it.kind])).toEqual([['objective-breached', 'page', 'raised']]);
      const [page] = world.told();
      expect(page?.body).toContain(`nightly: ${BUCKET} (26 h old, 26 h allowed)`);
      world.cloud.faults.clear();
      await backedUp(world);
      await world.minutes(20);
      expect(world.told().map((it) => [it.id, it.kind])).toEqual([
        ['objective-breached', 'raised'],
        ['objective-breached', 'over'],
      ]);
    } finally {
      await world.close();
    }
  }, 600_000);
});
