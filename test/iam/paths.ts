import { setTimeout as sleep } from 'node:timers/promises';
import { dynamoLedger } from '../../functions/adapters/dynamodb/ledger.ts';
import { dynamoRecords } from '../../functions/adapters/dynamodb/records.ts';
import { BucketRef, PairId, PolicyName } from '../../functions/core/domain/names.ts';
import { BlastRadius } from '../../functions/core/domain/operation.ts';
import type { Happening } from '../../functions/core/domain/record.ts';
import { Retention } from '../../functions/core/domain/retention.ts';
import { epochMs, seconds } from '../../functions/core/domain/units.ts';
import type { FaultRule } from '../local-cloud/index.ts';
import { BUCKET, check, type Stage } from './stage.ts';

/** One way through the product, with checks that hold when nothing is missing. */
export interface Path {
  readonly name: string;
  /** @throws CheckFailed */
  readonly walk: (stage: Stage) => Promise<void>;
}

const commandEvents = 'EC2 Command Status-change Notification';
export const lostEvents: FaultRule = { on: 'event', detailType: commandEvents, fault: 'lost' };

/** Calls of a function that failed, by function. */
export const failedCalls = (stage: Stage): readonly string[] =>
  stage.events().flatMap((it) => (it.kind === 'function' && it.ok === false ? [String(it.function)] : []));

/** Apart from those that the path provokes, no call of a function failed, and each wrote its log. */
export const expectHealthy = async (stage: Stage, provoked: readonly string[] = []): Promise<void> => {
  const failed = failedCalls(stage).filter((name) => !provoked.includes(name));
  check('no function failed', failed.length === 0, [...new Set(failed)]);
  const called = new Set(stage.events().flatMap((it) => (it.kind === 'function' ? [String(it.function)] : [])));
  const silent = () => {
    const logged = new Set(stage.events().flatMap((it) => (it.kind === 'log' ? [String(it.function)] : [])));
    return [...called].filter((name) => !logged.has(name));
  };
  // Lines come through a pipe.
  for (let tries = 0; tries < 40 && silent().length > 0; tries++) await sleep(25);
  check('each function that was called has a log', silent().length === 0, silent());
  const untold = stage.events().filter((it) => it.kind === 'log' && String(it.line).includes('EventsNotPublished'));
  check('what happened is told on the bus', untold.length === 0, untold[0]);
};

export const ended = async (stage: Stage, arn: string | undefined) => {
  if (arn === undefined) return check('the schedule starts the fleet', false);
  const { clock } = stage.cloud;
  const limit = clock.now() + 3 * 3600 * 1000;
  const execution = stage.cloud.stepFunctions.execution(arn);
  await clock.runUntil(() => execution.status !== 'RUNNING' || clock.now() > limit);
};

export const lastOf = (stage: Stage, machine: string) =>
  stage.cloud
    .executions(machine)
    .filter((it) => it.startDate >= stage.since())
    .at(-1);
const lastBackup = (stage: Stage) => lastOf(stage, 'ozone-dr-backup');
const backUp = async (stage: Stage) => {
  const arn = stage.cloud.startExecution('ozone-dr-backup', { policy: 'nightly', bucket: BUCKET });
  await ended(stage, arn);
  return stage.cloud.stepFunctions.execution(arn);
};

/** The slot is done, by the schedule. */
const expectBackup = async (stage: Stage, mostSeconds: number): Promise<void> => {
  const from = stage.cloud.clock.now();
  const fleet = await stage.fire();
  await ended(stage, fleet);
  const backup = lastBackup(stage);
  check('the backup succeeds', backup?.status === 'SUCCEEDED', backup?.error);
  const { status, output } = fleet === undefined ? { status: 'none' } : stage.cloud.stepFunctions.execution(fleet);
  check('the fleet succeeds', status === 'SUCCEEDED', status);
  const told = JSON.stringify(output ?? null);
  check('the fleet says how full the clusters are', told.includes('"limit":'), told);
  const seconds = (stage.cloud.clock.now() - from) / 1000;
  check(`it takes at most ${mostSeconds} s`, seconds <= mostSeconds, seconds);
};

const alarmTopics = (stage: Stage): readonly string[] =>
  ['ozone-dr-page', 'ozone-dr-ticket'].flatMap((topic) =>
    stage.cloud.messages.of(stage.cloud.resource('AWS::SNS::Topic', topic).ref).map((it) => it.body),
  );
export const expectAlarm = async (stage: Stage, name: string, minutes = 6): Promise<void> => {
  await stage.cloud.advanceBy(minutes * 60);
  check(
    `the alarm ${name} was raised`,
    stage.events().some((it) => it.kind === 'alarm' && it.alarm === name && it.state === 'ALARM'),
  );
  check(
    `the topic hears of ${name}`,
    alarmTopics(stage).some((it) => it.includes(`Runbook: docs/runbooks/${name.replace('ozone-dr-', '')}.md`)),
    alarmTopics(stage),
  );
  if (bucketsIn.has(name))
    check(
      `what is told of ${name} names the bucket`,
      alarmTopics(stage).some((it) => it.includes(BUCKET)),
      alarmTopics(stage),
    );
};
/** Alarms that are about buckets. */
const bucketsIn: ReadonlySet<string> = new Set(['ozone-dr-snapshot-failed', 'ozone-dr-drill-failed']);
export const queued = (stage: Stage, id: string): number =>
  stage.cloud.messages.of(`arn:aws:sqs:eu-central-1:123456789012:${stage.cloud.resource('AWS::SQS::Queue', id).name}`)
    .length;

/** The source refuses a snapshot: the run fails, and a person is told. */
const snapshotRefused = async (stage: Stage): Promise<void> => {
  stage.ozone().setFaults([{ id: 'limit', effect: { kind: 'snapshot-limit', service: 'prod', limit: 0 } }]);
  await ended(stage, await stage.fire());
  const backup = lastBackup(stage);
  check('the backup fails with BudgetExceeded', backup?.error === 'BudgetExceeded', [backup?.status, backup?.error]);
  const fleet = lastOf(stage, 'ozone-dr-backup-fleet');
  check('the fleet fails with BucketsFailed', fleet?.error === 'BucketsFailed', [fleet?.status, fleet?.error]);
};

/** A survey of so many snapshots that Run Command cuts its output. */
const manySnapshots = (stage: Stage): void => {
  for (let n = 0; n < 240; n++) {
    const made = stage
      .ozone()
      .run('ozone', ['sh', 'snapshot', 'create', `o3://prod/${BUCKET}`, `by-hand-${n}-of-many`]);
    if (made.exit !== 0) throw new Error(made.stderr);
  }
};

const LEFTOVER = 'temp01234567-89ab-cdef-0123-456789abcdefs20261120-120000.000';
const leftovers = (stage: Stage): number => {
  const { stdout } = stage.ozone().run('ozone', ['sh', 'snapshot', 'info', `o3://dr/${BUCKET}`, LEFTOVER]);
  return stdout.includes('SNAPSHOT_ACTIVE') ? 1 : 0;
};

/** Something for each document: the first copy; for `destroy` one more, after a distcp that left its snapshot behind. */
const begin = async (stage: Stage, radius: BlastRadius): Promise<void> => {
  if (radius !== 'destroy') return;
  await expectBackup(stage, 50);
  const made = stage.ozone().run('ozone', ['sh', 'snapshot', 'create', `o3://dr/${BUCKET}`, LEFTOVER]);
  if (made.exit !== 0 || leftovers(stage) === 0) throw new Error(`the path is not what it says: ${made.stderr}`);
};
/** How many commands it takes after `begin`. */
const commandsOf = (radius: BlastRadius): number => (radius === 'destroy' ? 4 + 5 : 4);
const expectTidy = (stage: Stage): void => {
  check('nothing is left on the replica that copies made for a moment', leftovers(stage) === 0, leftovers(stage));
};

const functionOf = (radius: BlastRadius): string => `ozone-dr-start-${radius}`;
const callerOf = (radius: BlastRadius): string => `*Start${radius.slice(0, 1).toUpperCase()}${radius.slice(1)}*`;

/** A large delete on the source, which the replica does not follow. */
const heldBack = async (stage: Stage): Promise<void> => {
  await stage.reset();
  await expectBackup(stage, 50);
  stage.ozone().change(`ofs://prod/${BUCKET}`, [
    { op: 'rm', path: 'a/one' },
    { op: 'rm', path: 'two' },
  ]);
  await stage.cloud.advanceBy(60);
  const { status, error } = await backUp(stage);
  check('the change is held back', error === 'AnomalousChange', [status, error]);
};
const decide = async (stage: Stage, decision: string) => {
  const request = { policy: 'nightly', bucket: BUCKET, decision, by: 'Ada', reason: 'meant' };
  const arn = stage.cloud.startExecution('ozone-dr-decision', request);
  await ended(stage, arn);
  return stage.cloud.stepFunctions.execution(arn);
};
/** Types the words of the last refusal. */
const accept = (stage: Stage) =>
  decide(stage, /"(accept [^"]+)"/.exec(lastBackup(stage)?.cause ?? '')?.[1] ?? 'accept nothing');
/** A decision of which the ledger hears nothing but that it holds the bucket. */
const decisionDies = async (stage: Stage): Promise<void> => {
  stage.faults({
    on: 'call',
    action: 'dynamodb:UpdateItem',
    caller: '*RecordDecision*',
    fault: 'before-effect',
    error: 'ValidationException',
    after: 1,
    times: 2,
  });
  check('the decision dies', (await accept(stage)).status === 'FAILED');
};

const expectCut = (stage: Stage): void => {
  const longest = Math.max(...stage.cloud.commands().flatMap((it) => it.invocations.map((one) => one.stdout.length)));
  if (longest <= 24_000) throw new Error(`the path is not what it says: the longest output has ${longest} characters`);
};

export const sends = (stage: Stage): number => stage.events().filter((it) => it.kind === 'command-sent').length;

export const HOUR = 3600;
const pair = PairId.parse(`prod/${BUCKET}#dr`);
const recorded = async (stage: Stage): Promise<readonly Happening[]> =>
  (await dynamoRecords(stage.cloud.table()).read(pair)).map(({ happening }) => happening);
/** What the record tells of attempts of prunes. */
const prunesOnRecord = async (stage: Stage): Promise<readonly string[]> =>
  (await recorded(stage)).flatMap((it) => (it.kind === 'run-ended' && it.workflow === 'prune' ? [it.status] : []));
export const pointsOn = (stage: Stage, service: string): number =>
  stage.ozone().snapshots(`ofs://${service}/${BUCKET}`).length;

/** The slot of prunes is done, by the schedule. @returns what came of the bucket */
const prune = async (stage: Stage) => {
  const fleet = await stage.fire('prune');
  await ended(stage, fleet);
  const status = fleet === undefined ? 'none' : stage.cloud.stepFunctions.execution(fleet).status;
  return { fleet: status, execution: lastOf(stage, 'ozone-dr-prune') };
};
const expectPrune = async (stage: Stage, expected: object, mostSeconds = 60): Promise<void> => {
  const from = stage.cloud.clock.now();
  const { fleet, execution } = await prune(stage);
  check('the prune succeeds', execution?.status === 'SUCCEEDED', [execution?.error, execution?.cause]);
  check('the fleet succeeds', fleet === 'SUCCEEDED', fleet);
  const output = JSON.stringify(execution?.output ?? null);
  for (const [name, value] of Object.entries(expected))
    check(`the prune says ${name} ${value}`, output.includes(`"${name}":${value}`), output);
  const took = (stage.cloud.clock.now() - from) / 1000;
  check(`it takes at most ${mostSeconds} s`, took <= mostSeconds, took);
};

/** Three points on both sides, of which the oldest is neither the base nor the one before it. */
export const threePoints = async (stage: Stage): Promise<void> => {
  for (const n of [1, 2, 3]) {
    const { status, error } = await backUp(stage);
    check(`backup ${n} succeeds`, status === 'SUCCEEDED', error);
    stage.ozone().change(`ofs://prod/${BUCKET}`, [{ op: 'put', path: `more-${n}`, size: n, seed: n }]);
    await stage.cloud.advanceBy(30);
  }
  check('three points are there', pointsOn(stage, 'prod') === 3 && pointsOn(stage, 'dr') === 3);
  await stage.cloud.advanceBy(HOUR);
};
/** What a policy asked for since an instant, before it became what it is. */
const asked = async (stage: Stage, since: number, keepLast: number, objective: number): Promise<void> => {
  const keeps = { keepLast };
  const retention = Retention.parse({
    zone: 'Etc/UTC',
    source: keeps,
    replica: keeps,
    graceHours: 1,
    coolingOffHours: 0,
  });
  const before = { since: epochMs(since), retention, rpo: seconds(objective), rto: seconds(objective) };
  const policy = PolicyName.parse('nightly');
  const buckets = [BucketRef.parse(BUCKET)];
  await dynamoLedger(stage.cloud.table()).putPolicyState({ policy, revision: 0, versions: [{ ...before, buckets }] });
};
const askedForMore = (stage: Stage): Promise<void> => asked(stage, stage.since() - 1000, 9, HOUR);
/** The same, and the oldest is condemned on both sides for long enough. */
const ripe = async (stage: Stage, story: Parameters<Stage['reset']>[0] = {}): Promise<void> => {
  await stage.reset(story);
  // The first rules of a policy wait; these have been there for long.
  await asked(stage, stage.since() - 100 * HOUR * 1000, 1, 26 * HOUR);
  await threePoints(stage);
  await expectPrune(stage, { condemned: 2, deleted: 0 });
  const condemned = (await recorded(stage)).flatMap((it) => (it.kind === 'condemned' ? it.snapshots : []));
  check('the record tells what was condemned', condemned.length === 2, condemned);
  check('nothing is deleted yet', pointsOn(stage, 'prod') === 3 && pointsOn(stage, 'dr') === 3);
  await stage.cloud.advanceBy(HOUR);
};
const expectDeleted = async (stage: Stage, mostSeconds?: number): Promise<void> => {
  await expectPrune(stage, { deleted: 2, waiting: 0 }, mostSeconds);
  check('one is deleted on each side', pointsOn(stage, 'prod') === 2 && pointsOn(stage, 'dr') === 2);
  const deleted = (await recorded(stage)).flatMap((it) => (it.kind === 'deleted' && it.byUs ? it.snapshots : []));
  check('the record tells what was deleted', deleted.length === 2, deleted);
  const prunes = await prunesOnRecord(stage);
  check('the record tells of both prunes', prunes.filter((it) => it === 'succeeded').length === 2, prunes);
};

const DELETERS = [
  { side: 'replica', name: 'ozone-dr-start-destroy', caller: '*StartDestroyRole*' },
  { side: 'source', name: 'ozone-dr-start-destroy-source', caller: '*StartDestroySource*' },
] as const;

/** Ways of a prune; each begins with three points. */
const prunes: readonly Path[] = [
  {
    name: 'a prune condemns, and an hour later the next one deletes on both sides',
    walk: async (stage) => {
      await ripe(stage);
      await expectDeleted(stage);
      const after = await backUp(stage);
      check('the next backup is an increment', JSON.stringify(after.output).includes('incremental'), after.output);
      await expectHealthy(stage);
    },
  },
  {
    name: 'a bucket has so many snapshots that a prune reads their list from the output of its command',
    walk: async (stage) => {
      await ripe(stage);
      for (let n = 0; n < 100; n++)
        for (const service of ['prod', 'dr'])
          stage.ozone().run('ozone', ['sh', 'snapshot', 'create', `o3://${service}/${BUCKET}`, `of-somebody-${n}`]);
      await expectPrune(stage, { deleted: 2, waiting: 0, kept: 204 });
    },
  },
  {
    name: 'the plan of a prune is gone, so what it condemned is judged anew',
    walk: async (stage) => {
      await ripe(stage);
      const { name } = stage.cloud.resource('AWS::S3::Bucket', 'Records');
      const plans = stage.cloud.s3.keys(name, 'plans/');
      check('the plan is stored', plans.length > 0);
      for (const key of plans) stage.cloud.s3.remove(name, key);
      await expectPrune(stage, { deleted: 0, condemned: 2 });
      check('nothing is deleted', pointsOn(stage, 'prod') === 3 && pointsOn(stage, 'dr') === 3);
      await expectHealthy(stage);
    },
  },
  {
    name: 'a person pins what is condemned, and it stays until it is unpinned',
    walk: async (stage) => {
      await ripe(stage);
      const [oldest] = stage.ozone().snapshots(`ofs://prod/${BUCKET}`);
      const { status, error } = await decide(stage, `pin ${BUCKET} ${oldest?.name}`);
      check('the pin is recorded', status === 'SUCCEEDED', error);
      await expectPrune(stage, { deleted: 0, condemned: 0 });
      const unpinned = await decide(stage, `unpin ${BUCKET} ${oldest?.name}`);
      check('so is its end', unpinned.status === 'SUCCEEDED', unpinned.error);
      await stage.cloud.advanceBy(60);
      await expectPrune(stage, { deleted: 0, condemned: 2 });
      check('nothing is deleted', pointsOn(stage, 'prod') === 3 && pointsOn(stage, 'dr') === 3);
      await expectHealthy(stage);
    },
  },
  {
    name: 'the replica is away, so a prune deletes nothing and people are told',
    walk: async (stage) => {
      await ripe(stage);
      stage.ozone().setFaults([{ id: 'away', effect: { kind: 'unreachable', service: 'dr' } }]);
      const { fleet, execution } = await prune(stage);
      check('the prune fails', execution?.error === 'ReplicaUnreachable', [execution?.status, execution?.error]);
      check('the fleet fails', fleet === 'FAILED', fleet);
      stage.ozone().setFaults([]);
      check('nothing is deleted', pointsOn(stage, 'prod') === 3 && pointsOn(stage, 'dr') === 3);
      const known = await prunesOnRecord(stage);
      check('the record tells of the failure', known.includes('failed'), known);
      await expectHealthy(stage, ['ozone-dr-summarize-fleet']);
      // What explains the failure speaks, and it alone.
      await expectAlarm(stage, 'ozone-dr-cluster-unreachable', 12);
    },
  },
  {
    name: 'a prune whose events are lost, and the sweeper settles',
    walk: async (stage) => {
      await ripe(stage);
      stage.faults(lostEvents);
      await expectDeleted(stage, 600);
      await expectHealthy(stage);
    },
  },
  {
    name: 'a prune whose commands are longer than the heartbeat',
    walk: async (stage) => {
      await ripe(stage, { duration: ({ verb }) => (verb === 'delete' ? 250 : 5) });
      await expectDeleted(stage, 700);
      await expectHealthy(stage);
    },
  },
  {
    name: 'a prune is stopped with a command at work, another one takes over',
    walk: async (stage) => {
      let isSlow = false;
      await ripe(stage, { duration: () => (isSlow ? 280 : 5) });
      isSlow = true;
      await stage.fire('prune');
      await stage.cloud.advanceBy(30);
      const first = lastOf(stage, 'ozone-dr-prune');
      check('the prune is at work', first?.status === 'RUNNING', first?.status);
      if (first) stage.cloud.stepFunctions.stop(first);
      await stage.cloud.advanceBy(130);
      const command = stage.cloud.commands().at(-1);
      check('its command is cancelled', command?.status === 'Cancelled', command?.status);
      isSlow = false;
      await expectPrune(stage, { deleted: 2 });
      await expectHealthy(stage, ['ozone-dr-summarize-fleet']);
    },
  },
  {
    name: 'a policy asks for less than before, which is announced',
    walk: async (stage) => {
      await stage.reset();
      await askedForMore(stage);
      await expectBackup(stage, 50);
      const weakened = (await recorded(stage)).filter((it) => it.kind === 'policy-weakened');
      check('the record tells of it', weakened.length === 2, weakened);
      const { versions } = await dynamoLedger(stage.cloud.table()).loadPolicyState(PolicyName.parse('nightly'));
      check('the new version is noted', versions.at(-1)?.retention?.source.keepLast === 1, versions);
      await expectHealthy(stage);
    },
  },
  ...DELETERS.flatMap(({ side, name, caller }): readonly Path[] => [
    {
      name: `Run Command refuses a host at first (deletions on the ${side})`,
      walk: async (stage) => {
        await ripe(stage);
        const fault = { on: 'call', action: 'ssm:SendCommand', fault: 'before-effect', times: 1 } as const;
        stage.faults({ ...fault, caller, error: 'InvalidInstanceId' });
        await expectDeleted(stage, 120);
        await expectHealthy(stage);
      },
    },
    {
      name: `the answer of SendCommand is lost (deletions on the ${side})`,
      walk: async (stage) => {
        await ripe(stage);
        const fault = { on: 'call', action: 'ssm:SendCommand', fault: 'after-effect', times: 1 } as const;
        stage.faults({ ...fault, caller, error: 'DuplicateInstanceId' });
        const before = sends(stage);
        await expectDeleted(stage, 120);
        check('no command is sent twice', sends(stage) === before + 5, sends(stage) - before);
        const failures = failedCalls(stage).filter((it) => it === name).length;
        check('the second attempt finds the command', failures === 1, failures);
        await expectHealthy(stage, [name]);
      },
    },
    {
      name: `Lambda loses the answer of a start until the command is over (deletions on the ${side})`,
      walk: async (stage) => {
        await ripe(stage, { duration: () => 1 });
        stage.faults({ on: 'function', function: name, fault: 'answer-lost', times: 3 });
        const before = sends(stage);
        await expectDeleted(stage, 120);
        check('no command is sent twice', sends(stage) === before + 5, sends(stage) - before);
        await expectHealthy(stage);
      },
    },
  ]),
];

/** The documents that a backup sends. */
const radii = BlastRadius.exclude(['restore']).options;

/** Backups, decisions, looks and prunes; the cheap ones first. */
export const paths: readonly Path[] = [
  {
    name: 'a slot, by schedule and events',
    walk: async (stage) => {
      await stage.reset();
      await expectBackup(stage, 50);
      check('four commands are sent', sends(stage) === 4, sends(stage));
      await expectHealthy(stage);
      const { state } = stage.cloud.alarm('ozone-dr-sweeper-not-running');
      check('the sweeper runs', state === 'OK', state);
      stage.ozone().change(`ofs://prod/${BUCKET}`, [{ op: 'put', path: 'three', size: 300, seed: 3 }]);
      await stage.cloud.advanceBy(60);
      const second = await backUp(stage);
      check('the increment succeeds', second.status === 'SUCCEEDED', second.error);
      const again = await backUp(stage);
      check('a third run succeeds', again.status === 'SUCCEEDED', again.error);
      await expectHealthy(stage);
    },
  },
  {
    name: 'a copy left a snapshot behind, it is removed',
    walk: async (stage) => {
      await stage.reset();
      await begin(stage, 'destroy');
      await expectBackup(stage, 50);
      check('five commands more are sent', sends(stage) === commandsOf('destroy'), sends(stage));
      expectTidy(stage);
      await expectHealthy(stage);
    },
  },
  {
    name: 'a change is held back until a person accepts it',
    walk: async (stage) => {
      await heldBack(stage);
      const { status, error } = await accept(stage);
      check('the decision is recorded', status === 'SUCCEEDED', error);
      const followed = await backUp(stage);
      check('the replica follows', followed.status === 'SUCCEEDED', followed.error);
      await expectHealthy(stage);
    },
  },
  {
    name: 'a decision dies with the bucket in its hands, another one and a run go on',
    walk: async (stage) => {
      await heldBack(stage);
      await decisionDies(stage);
      const { status, error } = await accept(stage);
      check('the next decision is recorded at once', status === 'SUCCEEDED', error);
      await decisionDies(stage);
      const followed = await backUp(stage);
      check('the next run succeeds at once', followed.status === 'SUCCEEDED', followed.error);
      check('it does not stand back', !JSON.stringify(followed.output).includes('RunAlreadyOpen'));
      await expectHealthy(stage, ['ozone-dr-record-decision']);
    },
  },
  {
    name: 'a person pins the point that was just made',
    walk: async (stage) => {
      await stage.reset();
      await expectBackup(stage, 50);
      const point = /odr-[a-z0-9-]+/.exec(JSON.stringify(lastBackup(stage)?.output ?? ''))?.[0] ?? 'none';
      const { status, error } = await decide(stage, `pin ${BUCKET} ${point}`);
      check('the pin is recorded', status === 'SUCCEEDED', error);
      await expectHealthy(stage);
    },
  },
  {
    name: 'a person looks for the versions of a file, and for what changed since',
    walk: async (stage) => {
      await stage.reset();
      await threePoints(stage);
      const [oldest, , newest] = stage.ozone().snapshots(`ofs://prod/${BUCKET}`);
      const look = async (question: Readonly<Record<string, string>>): Promise<string> => {
        const request = { policy: 'nightly', bucket: BUCKET, ...question };
        const arn = stage.cloud.startExecution('ozone-dr-look', request);
        await ended(stage, arn);
        const { status, error, output } = stage.cloud.stepFunctions.execution(arn);
        check('the look succeeds', status === 'SUCCEEDED', error);
        return JSON.stringify(output ?? null);
      };
      const versions = await look({ versionsOf: 'more-1' });
      check('the file is in two of three points', versions.split('"state":"file"').length === 3, versions);
      const changes = await look({ changesFrom: `${oldest?.name}`, changesTo: `${newest?.name}` });
      check('two files came since', changes.split('"kind":"+"').length === 3, changes);
      await expectHealthy(stage);
    },
  },
  {
    name: 'events are lost, the sweeper settles',
    walk: async (stage) => {
      await stage.reset();
      stage.faults(lostEvents);
      await expectBackup(stage, 600);
      await expectHealthy(stage);
    },
  },
  {
    name: 'a snapshot is refused, people are told',
    walk: async (stage) => {
      await stage.reset();
      await snapshotRefused(stage);
      await expectHealthy(stage, ['ozone-dr-summarize-fleet']);
      await expectAlarm(stage, 'ozone-dr-snapshot-failed');
    },
  },
  {
    name: 'a snapshot is refused and the events are lost',
    walk: async (stage) => {
      await stage.reset();
      stage.faults(lostEvents);
      await snapshotRefused(stage);
      await expectHealthy(stage, ['ozone-dr-summarize-fleet']);
    },
  },
  {
    name: 'a command is longer than the heartbeat',
    walk: async (stage) => {
      await stage.reset({ duration: ({ verb }) => (verb === 'replicate' ? 2400 : 5) });
      await expectBackup(stage, 2600);
      check('four commands are sent', sends(stage) === 4, sends(stage));
      await expectHealthy(stage);
    },
  },
  {
    name: 'the fleet is stopped with a command at work, another run takes over',
    walk: async (stage) => {
      await stage.reset({ duration: ({ verb }) => (verb === 'survey' ? 1200 : 5) });
      const fleet = await stage.fire();
      if (fleet === undefined) return check('the schedule starts the fleet', false);
      await stage.cloud.advanceBy(30);
      stage.cloud.stepFunctions.stop(stage.cloud.stepFunctions.execution(fleet));
      const backup = lastBackup(stage);
      check('the backup is stopped with its fleet', backup?.status === 'ABORTED', backup?.status);
      await stage.cloud.advanceBy(130);
      const command = stage.cloud.commands().at(-1);
      check('its command is cancelled', command?.status === 'Cancelled', command?.status);
      const next = backUp(stage);
      check('the next run succeeds at once', (await next).status === 'SUCCEEDED', (await next).error);
      check('it does not stand back', !JSON.stringify((await next).output).includes('RunAlreadyOpen'));
      await expectHealthy(stage);
    },
  },
  ...radii.map(
    (radius): Path => ({
      name: `Run Command refuses a host at first (${radius})`,
      walk: async (stage) => {
        await stage.reset();
        await begin(stage, radius);
        stage.faults({
          on: 'call',
          action: 'ssm:SendCommand',
          caller: callerOf(radius),
          fault: 'before-effect',
          error: 'InvalidInstanceId',
          times: 1,
        });
        await expectBackup(stage, 120);
        await expectHealthy(stage);
      },
    }),
  ),
  ...radii.map(
    (radius): Path => ({
      name: `the answer of SendCommand is lost (${radius})`,
      walk: async (stage) => {
        await stage.reset();
        await begin(stage, radius);
        stage.faults({
          on: 'call',
          action: 'ssm:SendCommand',
          caller: callerOf(radius),
          fault: 'after-effect',
          error: 'DuplicateInstanceId',
          times: 1,
        });
        await expectBackup(stage, 120);
        check('no command is sent twice', sends(stage) === commandsOf(radius), sends(stage));
        const failures = failedCalls(stage).filter((name) => name === functionOf(radius)).length;
        check('the second attempt finds the command', failures === 1, failures);
        expectTidy(stage);
        await expectHealthy(stage, [functionOf(radius)]);
      },
    }),
  ),
  ...radii.map(
    (radius): Path => ({
      name: `Lambda loses the answer of a start until the command is over (${radius})`,
      walk: async (stage) => {
        await stage.reset({ duration: () => 1 });
        await begin(stage, radius);
        stage.faults({ on: 'function', function: functionOf(radius), fault: 'answer-lost', times: 3 });
        await expectBackup(stage, 120);
        check('no command is sent twice', sends(stage) === commandsOf(radius), sends(stage));
        expectTidy(stage);
        await expectHealthy(stage);
      },
    }),
  ),
  {
    name: 'a starter dies before it notes the command',
    walk: async (stage) => {
      await stage.reset({ duration: ({ verb }) => (verb === 'survey' ? 300 : 5) });
      stage.faults(
        lostEvents,
        {
          on: 'call',
          action: 'ssm:SendCommand',
          caller: '*StartObserve*',
          fault: 'after-effect',
          error: 'DuplicateInstanceId',
          times: 1,
        },
        { on: 'function', function: 'ozone-dr-start-observe', fault: 'throttled', after: 1, times: 12 },
      );
      await expectBackup(stage, 1200);
      check('no command is sent twice', sends(stage) === 4, sends(stage));
      await expectHealthy(stage, ['ozone-dr-start-observe']);
    },
  },
  {
    name: 'the answer of the sweeper to the ledger is lost',
    walk: async (stage) => {
      await stage.reset();
      stage.faults(lostEvents, {
        on: 'call',
        action: 'dynamodb:UpdateItem',
        caller: '*SweepOperations*',
        fault: 'after-effect',
        times: 1,
      });
      await expectBackup(stage, 600);
      await expectHealthy(stage);
    },
  },
  ...(['settle', 'sweep'] as const).map(
    (by): Path => ({
      name: `an output is longer than Run Command shows (${by})`,
      walk: async (stage) => {
        await stage.reset();
        manySnapshots(stage);
        if (by === 'sweep') stage.faults(lostEvents);
        await expectBackup(stage, by === 'settle' ? 50 : 600);
        expectCut(stage);
        await expectHealthy(stage);
      },
    }),
  ),
  ...(['settle', 'sweep'] as const).map(
    (by): Path => ({
      name: `a long output never reaches the bucket (${by})`,
      walk: async (stage) => {
        await stage.reset();
        manySnapshots(stage);
        if (by === 'sweep') stage.faults(lostEvents);
        stage.faults({ on: 'call', action: 's3:PutObject', caller: 'host/*', fault: 'before-effect' });
        await ended(stage, await stage.fire());
        const backup = lastBackup(stage);
        check('the backup says that the reply is no reply', backup?.error === 'EdgeReplyInvalid', [
          backup?.status,
          backup?.error,
        ]);
        await expectHealthy(stage, ['ozone-dr-summarize-fleet']);
      },
    }),
  ),
  {
    name: 'a slot cannot be delivered',
    walk: async (stage) => {
      await stage.reset();
      stage.faults({ on: 'call', action: 'states:StartExecution', caller: '*PolicySchedules*', fault: 'throttled' });
      await stage.fire();
      check('the slot is in the dead-letter queue', queued(stage, 'SchedulesUndelivered') === 1);
      await expectAlarm(stage, 'ozone-dr-schedule-undelivered');
    },
  },
  {
    name: 'an event cannot be delivered',
    walk: async (stage) => {
      await stage.reset();
      stage.faults({ on: 'function', function: 'ozone-dr-settle-operation', fault: 'throttled', times: 1 });
      await expectBackup(stage, 200);
      check('the event is in the dead-letter queue', queued(stage, 'EventsUndelivered') === 1);
      await expectAlarm(stage, 'ozone-dr-event-undelivered');
      await expectHealthy(stage);
    },
  },
  {
    name: 'nobody gets in over plain HTTP',
    walk: async (stage) => {
      const { iam } = stage.cloud;
      const plain = { 'aws:SecureTransport': 'false' };
      const refused = (call: () => void): boolean => {
        try {
          call();
          return false;
        } catch {
          return true;
        }
      };
      const topic = stage.cloud.resource('AWS::SNS::Topic', 'ozone-dr-page').ref;
      const tickets = stage.cloud.resource('AWS::SNS::Topic', 'ozone-dr-ticket').ref;
      const queue = (id: string) =>
        `arn:aws:sqs:eu-central-1:123456789012:${stage.cloud.resource('AWS::SQS::Queue', id).name}`;
      const role = (id: string) => stage.cloud.resource('AWS::IAM::Role', id).name;
      const bucket = stage.cloud.resource('AWS::S3::Bucket', 'CommandOutput').name;
      const records = stage.cloud.resource('AWS::S3::Bucket', 'Records').name;
      const alarm = stage.cloud.alarm('ozone-dr-announcer-failed');
      const rule = stage.cloud.resource('AWS::Events::Rule', 'CommandEnded').name;
      check(
        'the topic refuses it',
        refused(() =>
          iam.authorizeService({
            service: 'cloudwatch.amazonaws.com',
            action: 'sns:Publish',
            resource: topic,
            source: alarm.arn,
            context: plain,
          }),
        ),
      );
      check(
        'the topic of tickets refuses it',
        refused(() => iam.authorize(role('AnnounceAlarmRole'), 'sns:Publish', tickets, plain)),
      );
      check(
        'the queue of events refuses it',
        refused(() =>
          iam.authorizeService({
            service: 'events.amazonaws.com',
            action: 'sqs:SendMessage',
            resource: queue('EventsUndelivered'),
            source: `arn:aws:events:eu-central-1:123456789012:rule/${rule}`,
            context: plain,
          }),
        ),
      );
      check(
        'the queue of slots refuses it',
        refused(() =>
          iam.authorize(role('PolicySchedulesRole'), 'sqs:SendMessage', queue('SchedulesUndelivered'), plain),
        ),
      );
      check(
        'the bucket of plans refuses it',
        refused(() =>
          iam.authorize(role('DecidePruneRole'), 's3:GetObject', `arn:aws:s3:::${records}/plans/one.json`, plain),
        ),
      );
      check(
        'the bucket refuses it',
        refused(() =>
          iam.authorize(role('SettleOperationRole'), 's3:GetObject', `arn:aws:s3:::${bucket}/op-1/stdout`, plain),
        ),
      );
    },
  },
  ...prunes,
];
