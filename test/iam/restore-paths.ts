import * as z from 'zod';
import { dynamoLedger } from '../../functions/adapters/dynamodb/ledger.ts';
import { PairId } from '../../functions/core/domain/names.ts';
import {
  ended,
  expectAlarm,
  expectHealthy,
  failedCalls,
  HOUR,
  lastOf,
  lostEvents,
  type Path,
  pointsOn,
  sends,
  threePoints,
} from './paths.ts';
import { BUCKET, check, type Stage } from './stage.ts';

const SOURCE = `ofs://prod/${BUCKET}`;
const STARTER = 'ozone-dr-start-restore';
const oneFile = { scope: { paths: ['a/one'] } };
/** A look, a new bucket, a copy and a comparison. */
const COMMANDS = 4;

const lastPoint = (stage: Stage): string => stage.ozone().snapshots(SOURCE).at(-1)?.name ?? 'none';
const Planned = z.object({ plan: z.string(), confirmation: z.string() });
const Restored = z.object({ kind: z.literal('restored'), target: z.string() });

const start = (stage: Stage, request: object): string =>
  stage.cloud.startExecution('ozone-dr-restore', {
    policy: 'nightly',
    bucket: BUCKET,
    point: lastPoint(stage),
    by: 'Ada',
    reason: 'asked for',
    ...request,
  });
const restore = async (stage: Stage, request: object) => {
  const arn = start(stage, request);
  await ended(stage, arn);
  return stage.cloud.stepFunctions.execution(arn);
};
const pinsLeft = async (stage: Stage): Promise<number> => {
  const points = await dynamoLedger(stage.cloud.table()).livingPoints(PairId.parse(`prod/${BUCKET}#dr`));
  return points.flatMap(({ pins }) => pins).length;
};
const expectRestored = async (
  stage: Stage,
  { status, error, cause, output }: Awaited<ReturnType<typeof restore>>,
  paths: readonly string[],
): Promise<void> => {
  check('the restore succeeds', status === 'SUCCEEDED', [error, cause]);
  const restored = Restored.safeParse(output);
  const [target = ''] = restored.data?.target.split(' on ') ?? [];
  const tree = target === '' ? new Map() : stage.ozone().tree(`ofs://prod/${target}`);
  const found = [...tree].filter(([, entry]) => entry.type === 'file').map(([path]) => path);
  check('what was asked for is there, and nothing else', found.sort().join() === paths.join(), [target, found]);
  const pins = await pinsLeft(stage);
  check('the point may be deleted again', pins === 0, pins);
};

const drill = async (stage: Stage) => {
  const fleet = await stage.fire('drill');
  await ended(stage, fleet);
  return lastOf(stage, 'ozone-dr-drill');
};

/** Restores and drills. Each begins with three points; in the last one are a/one, two, more-1 and more-2. */
export const restores: readonly Path[] = [
  {
    name: 'a person gets a file back beside its bucket',
    walk: async (stage) => {
      await stage.reset();
      await threePoints(stage);
      const before = sends(stage);
      await expectRestored(stage, await restore(stage, oneFile), ['a/one']);
      check('four commands are sent', sends(stage) === before + COMMANDS, sends(stage) - before);
      await expectHealthy(stage);
    },
  },
  {
    name: 'a person gets the bucket back in place, with the words of the plan',
    walk: async (stage) => {
      await stage.reset();
      await threePoints(stage);
      stage.ozone().change(SOURCE, [
        { op: 'rm', path: 'two' },
        { op: 'put', path: 'mine', size: 3, seed: 9 },
      ]);
      const point = lastPoint(stage);
      const request = { point, target: 'in-place', overwrite: 'if-different', deleteExtra: true };
      const planned = await restore(stage, request);
      const words = Planned.safeParse(planned.output).data;
      check('the plan asks for words', words !== undefined, [planned.error, planned.cause]);
      await stage.cloud.advanceBy(60);
      await expectRestored(stage, await restore(stage, { ...request, ...words }), ['a/one', 'more-1', 'more-2', 'two']);
      await stage.cloud.advanceBy(60);
      const again = await restore(stage, { ...request, ...words });
      check('the plan is good for once', again.error === 'NotConfirmed', [again.status, again.error]);
      await expectHealthy(stage, ['ozone-dr-open-restore']);
      check('what was there before is kept', pointsOn(stage, 'prod') === 4, pointsOn(stage, 'prod'));
    },
  },
  {
    name: 'the plan of a restore is not there, so it is not confirmed',
    walk: async (stage) => {
      await stage.reset();
      await threePoints(stage);
      const request = { target: 'in-place', overwrite: 'if-different', deleteExtra: true };
      const words = Planned.safeParse((await restore(stage, request)).output).data;
      const { bucket, key } = stage.cloud
        .resources('AWS::S3::Bucket')
        .flatMap(({ name }) =>
          stage.cloud.s3.keys(name, `plans/${words?.plan}`).map((it) => ({ bucket: name, key: it })),
        )
        .at(0) ?? { bucket: '', key: 'none' };
      check('the plan is kept', key !== 'none');
      stage.cloud.s3.remove(bucket, key);
      await stage.cloud.advanceBy(60);
      const { error, cause } = await restore(stage, { ...request, ...words });
      check('the restore is not confirmed', error === 'NotConfirmed', [error, cause]);
      await expectHealthy(stage, ['ozone-dr-open-restore']);
    },
  },
  {
    name: 'a restore waits for what the bucket is in the hands of',
    walk: async (stage) => {
      let isSlow = false;
      await stage.reset({ duration: () => (isSlow ? 280 : 5) });
      await threePoints(stage);
      isSlow = true;
      await stage.fire();
      await stage.cloud.advanceBy(30);
      isSlow = false;
      const request = { target: 'in-place', overwrite: 'if-different' };
      const { status, error, cause } = await restore(stage, request);
      check('it is planned when the backup is over', status === 'SUCCEEDED', [error, cause]);
      await expectHealthy(stage);
    },
  },
  {
    name: 'a restore whose answers are lost, and the sweeper settles',
    walk: async (stage) => {
      await stage.reset();
      await threePoints(stage);
      stage.faults(lostEvents);
      await expectRestored(stage, await restore(stage, oneFile), ['a/one']);
      await expectHealthy(stage);
    },
  },
  {
    name: 'a restore whose copy is longer than the heartbeat',
    walk: async (stage) => {
      await stage.reset({ duration: ({ verb }) => (verb === 'restore' ? 2400 : 5) });
      await threePoints(stage);
      const before = sends(stage);
      await expectRestored(stage, await restore(stage, oneFile), ['a/one']);
      check('four commands are sent', sends(stage) === before + COMMANDS, sends(stage) - before);
      await expectHealthy(stage);
    },
  },
  {
    name: 'a restore is stopped with a command at work, another one of its slot takes over',
    walk: async (stage) => {
      let isSlow = false;
      await stage.reset({ duration: ({ verb }) => (isSlow && verb === 'restore' ? 1200 : 5) });
      await threePoints(stage);
      isSlow = true;
      const request = { ...oneFile, slot: new Date(stage.cloud.clock.now()).toISOString() };
      const first = start(stage, request);
      await stage.cloud.advanceBy(60);
      stage.cloud.stepFunctions.stop(stage.cloud.stepFunctions.execution(first));
      await stage.cloud.advanceBy(130);
      const command = stage.cloud.commands().at(-1);
      check('its command is cancelled', command?.status === 'Cancelled', command?.status);
      isSlow = false;
      await expectRestored(stage, await restore(stage, request), ['a/one']);
      await expectHealthy(stage);
    },
  },
  {
    name: 'Run Command refuses a host at first (restore)',
    walk: async (stage) => {
      await stage.reset();
      await threePoints(stage);
      stage.faults({
        on: 'call',
        action: 'ssm:SendCommand',
        caller: '*StartRestore*',
        fault: 'before-effect',
        error: 'InvalidInstanceId',
        times: 1,
      });
      await expectRestored(stage, await restore(stage, oneFile), ['a/one']);
      await expectHealthy(stage);
    },
  },
  {
    name: 'the answer of SendCommand is lost (restore)',
    walk: async (stage) => {
      await stage.reset();
      await threePoints(stage);
      stage.faults({
        on: 'call',
        action: 'ssm:SendCommand',
        caller: '*StartRestore*',
        fault: 'after-effect',
        error: 'DuplicateInstanceId',
        times: 1,
      });
      const before = sends(stage);
      await expectRestored(stage, await restore(stage, oneFile), ['a/one']);
      check('no command is sent twice', sends(stage) === before + COMMANDS, sends(stage) - before);
      const failures = failedCalls(stage).filter((name) => name === STARTER).length;
      check('the second attempt finds the command', failures === 1, failures);
      await expectHealthy(stage, [STARTER]);
    },
  },
  {
    name: 'Lambda loses the answer of a start until the command is over (restore)',
    walk: async (stage) => {
      await stage.reset({ duration: () => 1 });
      await threePoints(stage);
      stage.faults({ on: 'function', function: STARTER, fault: 'answer-lost', times: 3 });
      const before = sends(stage);
      await expectRestored(stage, await restore(stage, oneFile), ['a/one']);
      check('no command is sent twice', sends(stage) === before + COMMANDS, sends(stage) - before);
      await expectHealthy(stage);
    },
  },
  {
    name: 'nothing has the paths, so a restore fails and people are told',
    walk: async (stage) => {
      await stage.reset();
      await threePoints(stage);
      const { error, cause } = await restore(stage, { scope: { paths: ['never-there'] } });
      check('the restore fails', error === 'PathsNotFound', [error, cause]);
      const pins = await pinsLeft(stage);
      check('the point may be deleted again', pins === 0, pins);
      await expectHealthy(stage);
      await expectAlarm(stage, 'ozone-dr-restore-failed');
    },
  },
  {
    name: 'a drill by its schedule passes, and marks the point',
    walk: async (stage) => {
      await stage.reset();
      await threePoints(stage);
      const execution = await drill(stage);
      check('the drill passes', execution?.status === 'SUCCEEDED', [execution?.error, execution?.cause]);
      const fleet = lastOf(stage, 'ozone-dr-backup-fleet');
      check('the fleet succeeds', fleet?.status === 'SUCCEEDED', fleet?.error);
      const points = await dynamoLedger(stage.cloud.table()).livingPoints(PairId.parse(`prod/${BUCKET}#dr`));
      const drilled = points.filter((point) => point.drilled !== null).length;
      check('one point is drilled', drilled === 1, drilled);
      const { lastDrill, scratch } = await dynamoLedger(stage.cloud.table()).loadPair(
        PairId.parse(`prod/${BUCKET}#drill-nightly`),
      );
      check('the drills remember it', lastDrill !== null && scratch === null, [lastDrill, scratch]);
      await expectHealthy(stage);
    },
  },
  {
    name: 'a drill is slower than the objective, and people are told',
    walk: async (stage) => {
      await stage.reset({ duration: ({ verb }) => (verb === 'restore' ? 5 * HOUR : 5) });
      await threePoints(stage);
      const arn = stage.cloud.startExecution('ozone-dr-drill', { policy: 'nightly', bucket: BUCKET });
      const { clock } = stage.cloud;
      const limit = clock.now() + 8 * HOUR * 1000;
      const execution = stage.cloud.stepFunctions.execution(arn);
      await clock.runUntil(() => execution.status !== 'RUNNING' || clock.now() > limit);
      check('the drill fails', execution.error === 'RestoreTooSlow', [execution.status, execution.error]);
      await expectHealthy(stage);
      await expectAlarm(stage, 'ozone-dr-drill-failed');
    },
  },
];
