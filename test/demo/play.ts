import { isDeepStrictEqual } from 'node:util';
import type { RecoveryPoint } from '../../functions/core/domain/ledger.ts';
import type { BackupResult, Clusters, Deployment } from '../fixtures/deployment.ts';
import { AwsError } from '../local-cloud/errors.ts';
import type { LocalCloud } from '../local-cloud/index.ts';
import { arnOf } from '../local-cloud/world.ts';
import {
  bytesText,
  dayOf,
  dayOfSnapshot,
  type LineageNight,
  labelOfSlot,
  monthOf,
  secondsText,
  timeOf,
  withDays,
} from './lineage.ts';
import { alarmName, isTold, type Narrator } from './narrate.ts';
import type { Stage } from './stage.ts';
import { BUCKET, type Expected, type Night, slotOf } from './story.ts';

const SOURCE = `ofs://prod/${BUCKET}`;
const REPLICA = `ofs://dr/${BUCKET}`;
const HOUR = 3_600_000;

export interface Played {
  readonly nights: readonly LineageNight[];
  /** What was not as the story says. */
  readonly differences: readonly string[];
}

/**
 * Between two nights the sweeper, which runs every minute, finds nothing open: ten thousand empty calls in a week that
 * would tell nothing. They are left out; while an execution runs, every sweep is played. The same for another function.
 */
export const leaveOutIdleSweeps = (cloud: LocalCloud, sweeper = 'ozone-dr-sweep-operations'): void => {
  const invoke = cloud.functions.invokeAsynchronously.bind(cloud.functions);
  cloud.functions.invokeAsynchronously = async (caller, target, payload) => {
    const isIdle = target.includes(`:${sweeper}`) && cloud.executions().every((it) => it.status !== 'RUNNING');
    if (!isIdle) return invoke(caller, target, payload);
    // The alarm on the sweeper counts its calls.
    cloud.cloudWatch.measure('AWS/Lambda', 'Invocations', { FunctionName: sweeper }, 1);
    cloud.cloudWatch.measure('AWS/Lambda', 'Errors', { FunctionName: sweeper }, 0);
    return { kind: 'returned', payload: null, version: '$LATEST' };
  };
};

/** The alarms that went off so far, by the names of their runbooks. */
export const alarmsOf = (cloud: LocalCloud): string[] => {
  const raised: string[] = [];
  cloud.onEvent((event) => {
    if (event.kind === 'alarm' && event.state === 'ALARM' && isTold(event)) raised.push(alarmName(event));
  });
  return raised;
};

/** Plays the week night by night; each begins where the one before ended. */
export const playWeek = async (
  week: readonly Night[],
  stage: Stage,
  deployment: Deployment,
  narrator: Narrator,
): Promise<Played> => {
  const nights: LineageNight[] = [];
  const differences: string[] = [];
  for (const night of week) {
    const told = await playNight(night, stage, deployment, narrator);
    nights.push(told.night);
    for (const difference of told.differences) {
      narrator.note('DIFFERS', difference, 'red');
      differences.push(`${night.date}: ${difference}`);
    }
  }
  return { nights, differences };
};

const playNight = async (night: Night, stage: Stage, deployment: Deployment, narrator: Narrator) => {
  const { cloud } = deployment;
  const slot = slotOf(night.date);
  narrator.heading(`${dayOf(slot)} ${monthOf(slot)}, ${timeOf(slot).slice(0, 5)}`, night.title);
  if (cloud.clock.kind === 'virtual')
    await cloud.advanceTo(new Date(Math.max(cloud.clock.now(), slot.getTime() - 9 * HOUR)));
  stage.setTime(new Date(cloud.clock.now()));
  for (const { side, what, changes } of night.before) {
    await stage.clusters.change(side === 'source' ? SOURCE : REPLICA, changes);
    narrator.note(side === 'source' ? 'the shop' : 'on dr', what, side === 'source' ? 'dim' : 'yellow');
  }
  if (night.before.length === 0) narrator.note('the shop', 'nothing was sold');

  const endTrouble = await beginTrouble(night, stage, cloud, narrator);
  const began = performance.now();
  const backup = await fireSlot(cloud, slot);
  const realSeconds = (performance.now() - began) / 1000;
  const result = backup ? await deployment.lastBackup() : undefined;
  const points = await deployment.points(BUCKET);
  const point = points.find((it) => it.slot === slot.getTime()) ?? null;

  const unequal = point?.state === 'verified' ? await compare(stage, point, true) : [];
  const sentence = sentenceOf(result, point, unequal, cloud);
  const took = result ? `${secondsText(result.seconds)}, played in ${realSeconds.toFixed(1)} s` : '';
  const kind = point?.state === 'verified' ? 'verified' : result ? 'failed' : 'missed';
  narrator.note(kind, [sentence, took].filter((it) => it !== '').join(' · '), kind === 'verified' ? 'green' : 'red');
  // Time for the alarms of this night; real time passes by itself.
  if (cloud.clock.kind === 'virtual') await cloud.advanceTo(new Date(cloud.clock.now() + HOUR / 4));
  await endTrouble();
  const told: LineageNight = {
    slot,
    title: night.title,
    result: kind,
    sentence,
    point,
    steps: result?.steps ?? [],
    readBack:
      point?.state !== 'verified'
        ? null
        : unequal.length === 0
          ? 'the demo read every byte of both snapshots and of the live replica: equal'
          : unequal.join('; '),
  };
  return { night: told, differences: [...differencesFrom(night.expected, result, point), ...unequal] };
};

/** Makes the trouble of a night; returns what ends it. */
const beginTrouble = async (
  night: Night,
  stage: Stage,
  cloud: LocalCloud,
  narrator: Narrator,
): Promise<() => Promise<void>> => {
  switch (night.trouble) {
    case null:
      return async () => undefined;
    case 'replica-away':
      await stage.replicaGoesAway();
      narrator.note('trouble', 'dr is down: its Ozone Manager answers nobody', 'yellow');
      return async () => {
        await stage.replicaComesBack();
        narrator.note('later', 'dr is up again');
      };
    case 'copy-killed':
      stage.killNextCopy();
      narrator.note('trouble', 'distcp will be killed in the middle of its changes on dr', 'yellow');
      return async () => stage.replicaComesBack();
    case 'schedule-refused': {
      const { stepFunctions } = cloud;
      const start = stepFunctions.start.bind(stepFunctions);
      stepFunctions.start = () => {
        throw new AwsError('AccessDeniedException', 'the schedule’s role may not start executions');
      };
      narrator.note('trouble', 'somebody took the schedule’s permission to start runs away', 'yellow');
      return async () => {
        stepFunctions.start = start;
        narrator.note('later', 'the permission is given back');
      };
    }
  }
};

/** Lets the policy's schedule fire for a slot and waits until its fleet is over; false when nothing was started. */
const fireSlot = async (cloud: LocalCloud, slot: Date): Promise<boolean> => {
  const [fleets, backups] = [
    cloud.executions('ozone-dr-backup-fleet').length,
    cloud.executions('ozone-dr-backup').length,
  ];
  if (cloud.clock.kind === 'virtual') {
    await cloud.advanceTo(slot);
  } else {
    const schedule = cloud.schedules().find((it) => it.name.startsWith('nightly'));
    if (!schedule) throw new Error('the template has no schedule of the policy');
    await cloud.fireSchedule(schedule.name, slot);
  }
  const fleet = cloud.executions('ozone-dr-backup-fleet')[fleets];
  if (!fleet) return false;
  const { status, error, cause } = await cloud.executionEnded(fleet.arn);
  if (cloud.executions('ozone-dr-backup').length === backups)
    throw new Error(`the fleet ended as ${status} without a backup: ${error} ${cause}`);
  return true;
};

const sentenceOf = (
  result: BackupResult | undefined,
  point: RecoveryPoint | null,
  unequal: readonly string[],
  cloud: LocalCloud,
): string => {
  if (!result) return `no run was started; the slot lies in the dead letter queue (${deadLetters(cloud)} there)`;
  if (result.status !== 'SUCCEEDED' || !point)
    return `${result.error}: ${withDays(result.cause ?? '')}.${point ? ' The source’s snapshot of this slot is kept.' : ''}`;
  const { mode, base, changed, filesCopied, bytesCopied } = point;
  const failure = result.steps.flatMap(({ observed }) => (observed?.kind === 'not-done' ? [observed] : [])).at(-1);
  return [
    `${mode}${base ? ` from ${dayOfSnapshot(base)}` : ''}${failure ? ` after ${failure.code} (${withDays(failure.message)})` : ''}`,
    changed === false ? 'nothing had changed' : `${filesCopied} files copied, ${bytesText(bytesCopied ?? 0)}`,
    unequal.length === 0 ? 'both sides read back and equal' : 'but the two sides differ',
  ].join('; ');
};

/** Slots that no execution was started for. */
export const deadLetters = (cloud: LocalCloud): number =>
  cloud
    .resources('AWS::SQS::Queue')
    .filter((it) => it.logicalId.startsWith('SchedulesUndelivered'))
    .reduce((sum, it) => sum + cloud.messages.of(arnOf('sqs', it.name)).length, 0);

/**
 * Compares a point on both sides by reading every byte, with nothing of the product.
 * @param alsoLive also the live replica, which nobody has touched since the copy
 */
export const compare = async (
  { clusters }: { readonly clusters: Pick<Clusters, 'tree'> },
  { name }: Pick<RecoveryPoint, 'name'>,
  alsoLive: boolean,
): Promise<readonly string[]> => {
  const source = await clusters.tree(`${SOURCE}/.snapshot/${name}`);
  const others = [`${REPLICA}/.snapshot/${name}`, ...(alsoLive ? [REPLICA] : [])];
  const equal = await Promise.all(others.map(async (it) => isDeepStrictEqual(await clusters.tree(it), source)));
  return [
    ...(source.size === 0 ? [`${SOURCE} is empty in ${name}`] : []),
    ...others.filter((_, index) => !equal[index]).map((it) => `${it} is not what the source was in ${name}`),
  ];
};

/** What came of a night and is not as the story says. */
export const differencesFrom = (
  expected: Expected,
  result: Pick<BackupResult, 'status' | 'error'> | undefined,
  point: Pick<RecoveryPoint, 'state' | 'mode' | 'base' | 'changed'> | null,
): readonly string[] => {
  const seen = {
    status: result?.status ?? 'not started',
    error: result?.error ?? null,
    state: point?.state ?? null,
    mode: point?.mode ?? null,
    base: point?.base ? dayOfSnapshot(point.base) : null,
    changed: point?.changed ?? null,
  };
  const wanted = wantedOf(expected);
  return isDeepStrictEqual(seen, wanted) ? [] : [`expected ${JSON.stringify(wanted)}, seen ${JSON.stringify(seen)}`];
};

const wantedOf = (expected: Expected) => {
  const nothing = { error: null, state: null, mode: null, base: null, changed: null };
  switch (expected.kind) {
    case 'verified': {
      const { mode, base, changed } = expected;
      return {
        status: 'SUCCEEDED',
        error: null,
        state: 'verified',
        mode,
        base: base ? labelOfSlot(slotOf(base)) : null,
        changed,
      };
    }
    case 'failed':
      return { ...nothing, status: 'FAILED', error: expected.error, state: 'taken' };
    case 'missed':
      return { ...nothing, status: 'not started' };
  }
};
