import { describe, expect, it } from 'vitest';
import { ALARM_IDS, type AlarmId, factsOf, isAlarmId, measuredBy } from '../../../functions/core/domain/alarms.ts';
import { emptyPair } from '../../../functions/core/domain/ledger.ts';
import { BucketRef, PairId, RunId, SnapshotName } from '../../../functions/core/domain/names.ts';
import { Policy } from '../../../functions/core/domain/policy.ts';
import type { Role } from '../../../functions/core/domain/roles.ts';
import { epochMs } from '../../../functions/core/domain/units.ts';
import { announceAlarm } from '../../../functions/core/use-cases/announce-alarm.ts';

const AT = Date.parse('2026-11-20T05:00:00Z');
const policy = Policy.parse({
  name: 'nightly',
  source: { name: 'prod', service: 'prod', hosts: ['i-0aaaaaaaaaaaaaaa0'] },
  replica: { name: 'dr', service: 'dr', hosts: ['mi-0bbbbbbbbbbbbbbb0'] },
  buckets: ['sales/orders', 'sales/offers'],
  schedules: [],
  mode: 'resync',
  verification: 'listing',
  objectives: { rpo: 3600, rto: 3600 },
  limits: { maps: 4, bandwidthMBps: null, copyTimeout: 60, diffTimeout: 60, attempts: 3 },
});
const pair = (bucket: string) => PairId.parse(`prod/${BucketRef.parse(bucket)}#dr`);
const failedRun = {
  runId: 'prod/sales/orders#dr#nightly#20261120t020000z',
  status: 'failed',
  error: 'CopyFailed',
  kind: 'replication',
  overCap: 0,
  at: epochMs(AT - 3 * 3_600_000),
};

const role: Role = {
  primary: 'replica',
  epoch: 1,
  state: 'settled',
  point: SnapshotName.parse('odr-nightly-a'),
  since: epochMs(AT - 3 * 3_600_000),
  by: RunId.parse('prod/sales/orders#dr#failover.nightly#20261120t020000z'),
  opened: null,
  prepared: null,
  restricted: null,
};
const late = { point: null, age: 200_000, interval: 86_400, objective: 300_000, state: 'late', breach: false };

/** The announcer, with what it publishes. */
const announcer = (
  more: {
    readonly raised?: readonly string[];
    readonly tableIsAway?: boolean;
    readonly topicIsAway?: boolean;
    readonly role?: Role;
  } = {},
) => {
  const published: { readonly topic: string; readonly subject: string; readonly body: string }[] = [];
  const problems: string[] = [];
  const announce = announceAlarm({
    prefix: 'ozone-dr',
    policies: [policy],
    pairs: {
      loadPairs: async () => {
        if (more.tableIsAway) throw new Error('no table today');
        return [
          {
            ...emptyPair(pair('sales/orders')),
            role: more.role ?? null,
            newest: { nightly: { taken: null, verified: {}, runs: { backup: failedRun } } } as never,
          },
        ];
      },
    },
    assessments: {
      load: async () =>
        more.role
          ? ({
              policy: 'nightly',
              paused: null,
              named: [{ bucket: 'sales/orders', failedOver: more.role.since, clocks: { taken: late }, runs: {} }],
            } as never)
          : null,
      put: async () => undefined,
      loadFleet: async () => null,
      putFleet: async () => undefined,
    },
    alarms: { raised: async (names) => new Set(names.filter((name) => more.raised?.includes(name))) },
    topics: {
      publish: async (topic, subject, body) => {
        if (more.topicIsAway) throw new Error('no topic today');
        published.push({ topic, subject, body });
      },
    },
    report: (problem) => problems.push(problem),
  });
  const change = (name: string, value: string, before: string) =>
    announce({
      account: '123456789012',
      region: 'eu-central-1',
      detail: {
        alarmName: name,
        state: { value, timestamp: '2026-11-20T05:00:00.000+0000' },
        previousState: { value: before, timestamp: '2026-11-20T02:00:00.000+0000' },
      },
    });
  return { change, published, problems };
};

describe('the announcer', () => {
  it('says which bucket, what, since when, what it means, what to do and where to look', async () => {
    const { change, published } = announcer();
    await change('ozone-dr-replication-failed', 'ALARM', 'OK');
    expect(published).toEqual([
      {
        topic: 'page',
        subject: 'PAGE ozone-dr: a snapshot was taken, but did not become a verified copy [nightly: sales/orders]',
        body: [
          'What: a snapshot was taken, but did not become a verified copy',
          'Which:\n  nightly: sales/orders (CopyFailed 3 h ago)',
          'Since: 2026-11-20T05:00:00Z',
          'Impact: The newest snapshot of a bucket is on its source alone; earlier copies are untouched.',
          'Next: Read the error of the run, then start the same slot again.',
          'Runbook: docs/runbooks/replication-failed.md',
          'Link: https://eu-central-1.console.aws.amazon.com/states/home?region=eu-central-1#/statemachines/view/arn:aws:states:eu-central-1:123456789012:stateMachine:ozone-dr-backup',
          'Alarm: ozone-dr-replication-failed',
        ].join('\n'),
      },
    ]);
  });

  it.each([
    ['settled', 'failed over', ', nothing backs it up'],
    ['moving', 'half moved', ''],
  ] as const)(
    'names a bucket whose roles are %s, since when, the point that its primary began with, and what backs it up',
    async (state, how, more) => {
      const { change, published } = announcer({ role: { ...role, state } });
      await change('ozone-dr-failed-over', 'ALARM', 'OK');
      expect(published).toMatchObject([{ topic: 'ticket' }]);
      expect(published[0]?.body).toContain(`nightly: sales/orders (${how} 3 h ago, from odr-nightly-a${more})`);
    },
  );

  it('says of a clock that it goes on because the bucket is failed over', async () => {
    const { change, published } = announcer({ role });
    await change('ozone-dr-taken-late', 'ALARM', 'OK');
    expect(published[0]?.body).toContain('expected every 24 h; failed over 3 h ago: no backups until a failback)');
  });

  it('says when it is over, and how long it took', async () => {
    const { change, published } = announcer();
    await change('ozone-dr-host-offline', 'OK', 'ALARM');
    expect(published).toMatchObject([{ topic: 'page', subject: 'ozone-dr: over: an edge host does not answer' }]);
    expect(published[0]?.body).toContain('Over after 3 h');
  });

  it('does not call over what another alarm explains', async () => {
    const { change, published } = announcer({ raised: ['ozone-dr-taken-late-raw', 'ozone-dr-taken-stale-raw'] });
    await change('ozone-dr-taken-late', 'OK', 'ALARM');
    expect(published).toMatchObject([
      {
        topic: 'ticket',
        subject: expect.stringContaining('ozone-dr: explained: '),
        body: expect.stringContaining('explained by taken-stale'),
      },
    ]);
  });

  it.each([
    ['a new alarm that is fine', 'ozone-dr-host-offline', 'OK', 'INSUFFICIENT_DATA'],
    ['an alarm that only measures', 'ozone-dr-backup-failed-raw', 'ALARM', 'OK'],
    ['an alarm of another deployment', 'other-dr-host-offline', 'ALARM', 'OK'],
    ['what CloudWatch says itself', 'ozone-dr-announcer-failed', 'ALARM', 'OK'],
  ])('is silent about %s', async (_what, name, value, before) => {
    const { change, published } = announcer();
    expect(await change(name, value, before)).toEqual({ announced: null });
    expect(published).toEqual([]);
  });

  it('speaks without details when the table does not answer, and fails when the topic does not', async () => {
    const without = announcer({ tableIsAway: true });
    await without.change('ozone-dr-replication-failed', 'ALARM', 'OK');
    expect(without.published[0]?.body).toContain('Next: Read the error');
    expect(without.problems).toEqual(['an alarm is announced without its details']);
    await expect(announcer({ topicIsAway: true }).change('ozone-dr-host-offline', 'ALARM', 'OK')).rejects.toThrow();
  });

  it.each(ALARM_IDS.filter((id) => id !== 'announcer-failed'))(
    '%s fits into what SNS takes as a subject',
    async (id) => {
      const { change, published } = announcer();
      await change(`ozone-dr-${id}`, 'ALARM', 'OK');
      expect(published[0]?.subject).toMatch(/^[\x20-\x7e]{10,100}$/);
      expect(published[0]?.topic).toBe(factsOf(id).severity);
    },
  );
});

describe('what explains an alarm', () => {
  it('is always an alarm, and never itself in a circle', () => {
    const reached = (id: AlarmId, path: readonly AlarmId[]): void => {
      expect(path).not.toContain(id);
      for (const other of factsOf(id).follows) {
        if (!isAlarmId(other)) throw new Error(`${other} is no alarm`);
        reached(other, [...path, id]);
      }
    };
    for (const id of ALARM_IDS) reached(id, []);
  });

  it('never silences a broken promise but when nobody watches', () => {
    expect(factsOf('objective-breached').follows).toEqual(['assessor-not-running']);
    expect(measuredBy('objective-breached')).toContain('objective-breached-raw');
  });
});
