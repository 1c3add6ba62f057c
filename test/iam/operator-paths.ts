import { dynamoLedger } from '../../functions/adapters/dynamodb/ledger.ts';
import { PairId } from '../../functions/core/domain/names.ts';
import { ended, expectAlarm, expectHealthy, lastOf, type Path, queued, threePoints } from './paths.ts';
import { BUCKET, check, REPLICA_HOST, type Stage } from './stage.ts';

const VIEW = 'customWidgetOzoneDrView';
const ACT = 'customWidgetOzoneDrAct';
const ofBucket = { policy: 'nightly', bucket: BUCKET };

type Forms = Readonly<Record<string, string>>;

/** A page as a dashboard asks for it. */
const show = async (stage: Stage, name: string, event: object, forms: Forms = {}): Promise<string> =>
  String(await stage.cloud.invoke(name, { ...event, widgetContext: { forms: { all: forms } } }));

/** Presses a button of a page: calls what stands right after it. */
const press = async (stage: Stage, page: string, text: string, forms: Forms = {}): Promise<string> => {
  const [, endpoint = '', payload = '{}'] =
    new RegExp(`>${text}</button><cwdb-action [^>]*endpoint="([^"]*)"[^>]*>([^<]*)</cwdb-action>`).exec(page) ?? [];
  check(`there is a button "${text}"`, endpoint !== '', page.replace(/<style>.*<\/style>/s, '').slice(0, 400));
  return show(stage, endpoint.split(':').at(-1) ?? '', JSON.parse(payload), forms);
};

/** Presses "Look again" until the page says what is waited for. */
const until = async (stage: Stage, page: string, wanted: RegExp): Promise<string> => {
  let now = page;
  for (let n = 0; n < 60 && !wanted.test(now); n++) {
    await stage.cloud.advanceBy(10);
    now = await press(stage, now, 'Look again');
  }
  check(`the page says ${wanted}`, wanted.test(now), now.replace(/<style>.*<\/style>/s, '').slice(0, 400));
  return now;
};

const says = (page: string, wanted: RegExp): void =>
  check(`the page says ${wanted}`, wanted.test(page), page.replace(/<style>.*<\/style>/s, '').slice(0, 600));

const who: Forms = { by: 'Ada', reason: 'a test' };

const planned = async (stage: Stage, forms: Forms): Promise<string> => {
  const form = await show(stage, ACT, { page: 'restore', ...ofBucket });
  const point = stage.ozone().snapshots(`ofs://prod/${BUCKET}`).at(-1)?.name ?? '';
  const started = await press(stage, form, 'Show the plan', { point, paths: '', ...who, ...forms });
  return until(stage, started, /The plan/);
};

/** What people look at and press, and what tells them. */
export const operating: readonly Path[] = [
  {
    name: 'the buckets are assessed, and the looking pages say how they are',
    walk: async (stage) => {
      await stage.reset({ duration: ({ verb }) => (verb === 'restore' ? 600 : 5) });
      await threePoints(stage);
      await stage.cloud.advanceBy(6 * 60);
      const overview = await show(stage, VIEW, { page: 'overview' });
      says(overview, /nightly/);
      check('it was assessed', !overview.includes('not assessed'), overview.slice(-600));
      says(await show(stage, VIEW, { page: 'policy', policy: 'nightly' }), new RegExp(BUCKET));
      const bucket = await show(stage, VIEW, { page: 'bucket', ...ofBucket });
      for (const { name } of stage.ozone().snapshots(`ofs://prod/${BUCKET}`)) says(bucket, new RegExp(name));
      says(await show(stage, VIEW, { page: 'operations' }), /Nothing is running/);
      stage.cloud.startExecution('ozone-dr-restore', { ...ofBucket, point: lastPoint(stage), ...who });
      await stage.cloud.advanceBy(60);
      const running = await show(stage, VIEW, { page: 'operations' });
      check('what runs is shown with its host', /Cancel…/.test(running) && running.includes('i-0aaaaaaaaaaaaaaa0'), [
        running.replace(/<style>.*<\/style>/s, '').slice(0, 900),
      ]);
      await stage.cloud.advanceBy(20 * 60);
      await expectHealthy(stage);
    },
  },
  {
    name: 'a file is restored from the dashboard',
    walk: async (stage) => {
      await stage.reset();
      await threePoints(stage);
      const plan = await planned(stage, { paths: 'a/one' });
      const started = await press(stage, plan, 'Start the restore', { confirmation: 'restore' });
      await until(stage, started, /Restored, and proved equal/);
      await expectHealthy(stage);
    },
  },
  {
    name: 'a restore is cancelled from the dashboard',
    walk: async (stage) => {
      await stage.reset({ duration: ({ verb }) => (verb === 'restore' ? 1200 : 5) });
      await threePoints(stage);
      const plan = await planned(stage, { paths: 'a/one' });
      await press(stage, plan, 'Start the restore', { confirmation: 'restore' });
      await stage.cloud.advanceBy(60);
      const execution = lastOf(stage, 'ozone-dr-restore');
      check('it is at work', execution?.status === 'RUNNING', execution?.status);
      const asked = await show(stage, ACT, { page: 'cancel', execution: execution?.arn });
      says(await press(stage, asked, 'Cancel it', { ...who, words: 'cancel' }), /is cancelled/);
      check('it is stopped', execution?.status === 'ABORTED', execution?.status);
      await stage.cloud.advanceBy(25 * 60);
      await expectHealthy(stage);
    },
  },
  {
    name: 'a failover of several buckets is cancelled from the dashboard, with what it has begun',
    walk: async (stage) => {
      await stage.reset({ duration: ({ verb }) => (verb === 'restore' || verb === 'snapshot' ? 1200 : 5) });
      await threePoints(stage);
      const form = await show(stage, ACT, { page: 'failover-fleet', policy: 'nightly' });
      const plan = await until(
        stage,
        await press(stage, form, 'Show the plan', { kind: 'unplanned', ...who }),
        /The plan/,
      );
      const [, confirmation = ''] = /Type (fail over 1 buckets [^<]*) to start it/.exec(plan) ?? [];
      await press(stage, plan, 'Fail over', { confirmation });
      await stage.cloud.advanceBy(60);
      const [fleet, failover] = ['ozone-dr-failover-fleet', 'ozone-dr-failover'].map((it) => lastOf(stage, it));
      check('it is at work', fleet?.status === 'RUNNING' && failover?.status === 'RUNNING', [fleet, failover]);
      const asked = await show(stage, ACT, { page: 'cancel', execution: fleet?.arn });
      says(await press(stage, asked, 'Cancel it', { ...who, words: 'cancel' }), /It was cancelled/);
      check('both are stopped', fleet?.status === 'ABORTED' && failover?.status === 'ABORTED', [fleet, failover]);
      await stage.cloud.advanceBy(25 * 60);
      await expectHealthy(stage);
    },
  },
  {
    name: 'a backup, a pin and a pause from the dashboard',
    walk: async (stage) => {
      await stage.reset();
      await threePoints(stage);
      const form = await show(stage, ACT, { page: 'back-up', ...ofBucket });
      await until(stage, await press(stage, form, 'Back up now'), /Done: odr-/);
      const point = lastPoint(stage);
      const pin = await show(stage, ACT, { page: 'decide', act: 'pin', ...ofBucket, point });
      await press(stage, pin, 'Decide', who);
      await stage.cloud.advanceBy(60);
      const ledger = dynamoLedger(stage.cloud.table());
      const pins = (await ledger.livingPoints(PairId.parse(`prod/${BUCKET}#dr`))).flatMap((it) => it.pins);
      check('the point is pinned', pins.length === 1, pins);
      says(await show(stage, ACT, { page: 'pin', ...ofBucket, point }), /Ada/);
      says(await show(stage, ACT, { page: 'approvals' }), /Nothing is held back/);
      const pause = await show(stage, ACT, { page: 'decide', act: 'pause', policy: 'nightly' });
      await press(stage, pause, 'Decide', { ...who, words: 'pause nightly' });
      await stage.cloud.advanceBy(60);
      says(await show(stage, ACT, { page: 'pause' }), /Resume…/);
      const before = stage.cloud.executions('ozone-dr-backup').length;
      await ended(stage, await stage.fire());
      check('a paused policy starts nothing', stage.cloud.executions('ozone-dr-backup').length === before);
      await expectHealthy(stage);
    },
  },
  {
    name: 'the doctor visits the hosts, and keeps a report',
    walk: async (stage) => {
      await stage.reset();
      await threePoints(stage);
      await stage.cloud.fireSchedule('doctor', new Date(stage.cloud.clock.now()));
      const visit = lastOf(stage, 'ozone-dr-doctor');
      await ended(stage, visit?.arn);
      check('the doctor finds nothing', visit?.status === 'SUCCEEDED', [visit?.error, visit?.cause]);
      const reports = stage.cloud
        .resources('AWS::S3::Bucket')
        .flatMap(({ name }) => stage.cloud.s3.keys(name, 'doctor/'));
      check('the report is kept', reports.length > 0, reports);
      await expectHealthy(stage);
    },
  },
  {
    name: 'a visit of the doctor cannot be delivered',
    walk: async (stage) => {
      await stage.reset();
      stage.faults({ on: 'call', action: 'states:StartExecution', caller: '*DoctorSchedule*', fault: 'throttled' });
      await stage.cloud.fireSchedule('doctor', new Date(stage.cloud.clock.now()));
      await stage.cloud.advanceBy(2 * 3600);
      check('it is in the dead-letter queue', queued(stage, 'SchedulesUndelivered') === 1);
    },
  },
  {
    name: 'an alarm cannot be told',
    walk: async (stage) => {
      await stage.reset();
      stage.faults({ on: 'function', function: 'ozone-dr-announce-alarm', fault: 'throttled', times: 1 });
      stage.ozone().setFaults([{ id: 'limit', effect: { kind: 'snapshot-limit', service: 'prod', limit: 0 } }]);
      await ended(stage, await stage.fire());
      await stage.cloud.advanceBy(15 * 60);
      check('it is in the dead-letter queue', queued(stage, 'EventsUndelivered') >= 1);
    },
  },
  {
    name: 'CloudWatch itself tells that alarms cannot be told',
    walk: async (stage) => {
      await stage.reset();
      stage.faults({ on: 'call', action: 'sns:Publish', caller: '*AnnounceAlarm*', fault: 'before-effect' });
      stage.ozone().setFaults([{ id: 'limit', effect: { kind: 'snapshot-limit', service: 'prod', limit: 0 } }]);
      await ended(stage, await stage.fire());
      await stage.cloud.advanceBy(20 * 60);
      const pages = stage.cloud.messages.of(stage.cloud.resource('AWS::SNS::Topic', 'ozone-dr-page').ref);
      const told = pages.map(({ subject }) => subject);
      check(
        'people are paged',
        told.some((it) => it?.startsWith('ALARM: "ozone-dr-announcer-failed"')),
        told,
      );
    },
  },
  {
    name: 'an alarm that another one explains is not told to be over',
    walk: async (stage) => {
      await stage.reset();
      stage.ozone().setFaults([{ id: 'limit', effect: { kind: 'snapshot-limit', service: 'prod', limit: 0 } }]);
      await ended(stage, await stage.fire());
      await expectAlarm(stage, 'ozone-dr-snapshot-failed');
      const host = stage.cloud.host(REPLICA_HOST);
      host.disconnect();
      try {
        await expectAlarm(stage, 'ozone-dr-host-offline', 20);
      } finally {
        host.connect();
      }
      const pages = stage.cloud.messages.of(stage.cloud.resource('AWS::SNS::Topic', 'ozone-dr-page').ref);
      const told = pages.map(({ subject }) => subject);
      check(
        'people are told by what',
        told.some((it) => it?.startsWith('ozone-dr: explained:')),
        told,
      );
    },
  },
  {
    name: 'the plan of a restore is gone, and the dashboard says so',
    walk: async (stage) => {
      await stage.reset();
      await threePoints(stage);
      const form = await show(stage, ACT, { page: 'restore', ...ofBucket });
      const forms = { point: lastPoint(stage), paths: 'a/one', ...who };
      const started = await press(stage, form, 'Show the plan', forms);
      await stage.cloud.advanceBy(5 * 60);
      for (const { name } of stage.cloud.resources('AWS::S3::Bucket'))
        for (const key of stage.cloud.s3.keys(name, 'plans/')) stage.cloud.s3.remove(name, key);
      says(await press(stage, started, 'Look again'), /cannot be read: plan again/);
      await expectHealthy(stage);
    },
  },
  {
    name: 'Lambda loses the first answer of the doctor, which is asked again',
    walk: async (stage) => {
      await stage.reset();
      await threePoints(stage);
      for (const name of ['ozone-dr-open-doctor', 'ozone-dr-judge-doctor'])
        stage.faults({ on: 'function', function: name, fault: 'answer-lost', times: 1 });
      const arn = stage.cloud.startExecution('ozone-dr-doctor', {});
      await ended(stage, arn);
      const { status, error, cause } = stage.cloud.stepFunctions.execution(arn);
      check('the doctor finds nothing', status === 'SUCCEEDED', [error, cause]);
      await expectHealthy(stage);
    },
  },
];

const lastPoint = (stage: Stage): string => stage.ozone().snapshots(`ofs://prod/${BUCKET}`).at(-1)?.name ?? 'none';
