import * as z from 'zod';
import { dynamoLedger } from '../../functions/adapters/dynamodb/ledger.ts';
import { PairId } from '../../functions/core/domain/names.ts';
import { ended, expectHealthy, lastOf, type Path, threePoints } from './paths.ts';
import { BUCKET, check, type Stage } from './stage.ts';

const SOURCE = `ofs://prod/${BUCKET}`;
const REPLICA = `ofs://dr/${BUCKET}`;
const Planned = z.object({ plan: z.string(), confirmation: z.string() });
type Words = z.infer<typeof Planned>;

/** Starts what a person starts; returns when it is over. */
const run = async (stage: Stage, machine: string, request: object) => {
  const arn = start(stage, machine, request);
  await ended(stage, arn);
  return stage.cloud.stepFunctions.execution(arn);
};
const start = (stage: Stage, machine: string, request: object): string =>
  stage.cloud.startExecution(`ozone-dr-${machine}`, {
    policy: 'nightly',
    ...(machine === 'failover-fleet' ? {} : { bucket: BUCKET }),
    by: 'Ada',
    reason: 'a test',
    ...request,
  });
/** The words of a plan. */
const planned = async (stage: Stage, machine: string, request: object): Promise<Words> => {
  const { error, cause, output } = await run(stage, machine, request);
  const words = Planned.safeParse(output).data;
  check(`the ${machine} is planned`, words !== undefined, [error, cause]);
  await stage.cloud.advanceBy(60);
  return words ?? { plan: '', confirmation: '' };
};
const confirmed = async (stage: Stage, machine: string, request: object): Promise<unknown> => {
  const words = await planned(stage, machine, request);
  const { status, error, cause, output } = await run(stage, machine, { ...request, ...words });
  check(`the ${machine} succeeds`, status === 'SUCCEEDED', [error, cause]);
  return output;
};

const primary = async (stage: Stage): Promise<string> =>
  (await dynamoLedger(stage.cloud.table()).loadPair(PairId.parse(`prod/${BUCKET}#dr`))).role?.primary ?? 'source';
const expectPrimary = async (stage: Stage, expected: 'source' | 'replica'): Promise<void> => {
  const found = await primary(stage);
  check(`people write to the ${expected}`, found === expected, found);
};
const files = (stage: Stage, url: string): readonly string[] => [...stage.ozone().tree(url).keys()].sort();
const write = (stage: Stage, url: string, path: string): void =>
  stage.ozone().change(url, [{ op: 'put', path, size: 7, seed: 7 }]);

/** Stops an execution while what it started and follows is at work. */
const stopWith = async (stage: Stage, arn: string, follows: string): Promise<void> => {
  await stage.cloud.advanceBy(60);
  const child = lastOf(stage, follows);
  check(`${follows} is at work`, child?.status === 'RUNNING', child?.status);
  stage.cloud.stepFunctions.stop(stage.cloud.stepFunctions.execution(arn));
  await stage.cloud.advanceBy(60);
  check(`${follows} is stopped with it`, child?.status === 'ABORTED', child?.status);
};

/** Waits for its plan, and is slow from then on. */
const slowAfterPlan = () => {
  let isSlow = false;
  return { duration: () => (isSlow ? 280 : 5), begin: () => (isSlow = true) };
};

const losePlan = (stage: Stage, plan: string): void => {
  const found = stage.cloud
    .resources('AWS::S3::Bucket')
    .flatMap(({ name }) => stage.cloud.s3.keys(name, `plans/${plan}`).map((key) => ({ name, key })));
  check('the plan is kept', found.length === 1, found);
  for (const { name, key } of found) stage.cloud.s3.remove(name, key);
};

const unplanned = { kind: 'unplanned' };
const failedOver = async (stage: Stage): Promise<void> => {
  await threePoints(stage);
  await confirmed(stage, 'failover', unplanned);
  await expectPrimary(stage, 'replica');
};

/** Failovers and failbacks. Each begins with three points. */
export const roles: readonly Path[] = [
  {
    name: 'a bucket is failed over on purpose, after a last backup',
    walk: async (stage) => {
      await stage.reset();
      await threePoints(stage);
      const output = await confirmed(stage, 'failover', { kind: 'planned' });
      check('nothing is lost', JSON.stringify(output).includes('"lossSeconds":0'), output);
      check('all is there', files(stage, REPLICA).includes('more-3'), files(stage, REPLICA));
      await expectPrimary(stage, 'replica');
      await expectHealthy(stage);
    },
  },
  {
    name: 'a failover is stopped during its last backup',
    walk: async (stage) => {
      const story = slowAfterPlan();
      await stage.reset(story);
      await threePoints(stage);
      const words = await planned(stage, 'failover', { kind: 'planned' });
      story.begin();
      await stopWith(stage, start(stage, 'failover', { kind: 'planned', ...words }), 'ozone-dr-backup');
      await expectPrimary(stage, 'source');
      await expectHealthy(stage);
    },
  },
  {
    name: 'a bucket is failed over, and back with what was written on both sides',
    walk: async (stage) => {
      await stage.reset();
      await failedOver(stage);
      write(stage, REPLICA, 'new');
      const prepared = await confirmed(stage, 'failback', { kind: 'prepare' });
      check('what came too late is kept apart', JSON.stringify(prepared).includes('-orphans-'), prepared);
      write(stage, REPLICA, 'newer');
      await confirmed(stage, 'failback', { kind: 'switch' });
      await expectPrimary(stage, 'source');
      const both = [files(stage, SOURCE), files(stage, REPLICA)];
      check(
        'both sides are the same',
        both[0]?.join() === both[1]?.join() && both[0]?.includes('newer') === true,
        both,
      );
      await expectHealthy(stage);
    },
  },
  {
    name: 'a failback is stopped while it brings back',
    walk: async (stage) => {
      const story = slowAfterPlan();
      await stage.reset(story);
      await failedOver(stage);
      write(stage, REPLICA, 'new');
      await confirmed(stage, 'failback', { kind: 'prepare' });
      write(stage, REPLICA, 'newer');
      const words = await planned(stage, 'failback', { kind: 'switch' });
      story.begin();
      await stopWith(stage, start(stage, 'failback', { kind: 'switch', ...words }), 'ozone-dr-backup');
      await expectPrimary(stage, 'replica');
      await expectHealthy(stage);
    },
  },
  {
    name: 'the buckets of a policy are failed over by one plan, once',
    walk: async (stage) => {
      await stage.reset();
      await threePoints(stage);
      const words = await planned(stage, 'failover-fleet', unplanned);
      const fleet = await run(stage, 'failover-fleet', { ...unplanned, ...words });
      check('the fleet succeeds', fleet.status === 'SUCCEEDED', [fleet.error, fleet.cause]);
      await expectPrimary(stage, 'replica');
      await expectHealthy(stage);
    },
  },
  {
    name: 'a fleet of failovers is stopped',
    walk: async (stage) => {
      const story = slowAfterPlan();
      await stage.reset(story);
      await threePoints(stage);
      const words = await planned(stage, 'failover-fleet', unplanned);
      story.begin();
      await stopWith(stage, start(stage, 'failover-fleet', { ...unplanned, ...words }), 'ozone-dr-failover');
      await expectHealthy(stage);
    },
  },
  {
    name: 'the plan of a fleet is not there, so nothing is failed over',
    walk: async (stage) => {
      await stage.reset();
      await threePoints(stage);
      const words = await planned(stage, 'failover-fleet', unplanned);
      losePlan(stage, words.plan);
      const { error, cause } = await run(stage, 'failover-fleet', { ...unplanned, ...words });
      check('it is not confirmed', error === 'NotConfirmed', [error, cause]);
      await expectPrimary(stage, 'source');
      await expectHealthy(stage, ['ozone-dr-order-failovers']);
    },
  },
];
