import type { ClockName, FailureKind } from './clocks.ts';

/** `page`: data may be at risk, look now. `ticket`: look on the next working day. */
export type Severity = 'page' | 'ticket';

/** Where to look first, in the console of AWS. */
export type DeepLink =
  | { readonly to: 'dashboard' }
  | { readonly to: 'machine'; readonly machine: string }
  | { readonly to: 'function'; readonly function: string }
  | { readonly to: 'queue'; readonly queue: string }
  | { readonly to: 'hosts' };

/** Which buckets, hosts or clusters an alarm is about. */
export type AlarmSubject =
  | { readonly of: 'clock'; readonly clock: ClockName; readonly states: readonly ('late' | 'stale')[] }
  | { readonly of: 'objective' }
  | { readonly of: 'runs'; readonly kind: FailureKind }
  | { readonly of: 'held' }
  | { readonly of: 'over-cap' }
  | { readonly of: 'failed-over' }
  | { readonly of: 'vanished' }
  | { readonly of: 'not-ready' }
  | { readonly of: 'hosts' }
  | { readonly of: 'clusters' }
  | { readonly of: 'outrun' }
  | { readonly of: 'nothing' };

/** What every alarm has to say. Its runbook is docs/runbooks/<id>.md. */
export interface AlarmFacts {
  readonly severity: Severity;
  /** What happened, in the words of a headline. */
  readonly what: string;
  /** What this means for the people whose data it is. */
  readonly impact: string;
  /** The first thing to do. */
  readonly next: string;
  readonly link: DeepLink;
  readonly about: AlarmSubject;
  /** Alarms that explain this one: while one of them is raised, this one says nothing. */
  readonly follows: readonly string[];
}

const NOTHING: AlarmSubject = { of: 'nothing' };
const dashboard: DeepLink = { to: 'dashboard' };
/** What makes much else fail. */
const ROOTS = ['sweeper-not-running', 'host-offline', 'cluster-unreachable'] as const;
const RUNS = ['snapshot-failed', 'replication-failed', 'verification-differs', 'anomaly-held'] as const;
const NOT_STARTED = ['schedule-undelivered', 'assessor-not-running'] as const;

const SAYS: Readonly<Record<ClockName, { readonly no: string; readonly impact: string; readonly next: string }>> = {
  taken: {
    no: 'no new snapshot',
    impact: 'What was written since the newest snapshot could not be got back, from nowhere.',
    next: 'See whether the schedule fired and what the last backup said: npm run explain -- <volume>/<bucket> --policies <file>.',
  },
  replicated: {
    no: 'no new copy on the replica',
    impact: 'The newest snapshots are on the source alone: what takes the source away takes them too.',
    next: 'See why the last backup ended after its snapshot: npm run explain -- <volume>/<bucket> --policies <file>.',
  },
  verified: {
    no: 'no point verified at the level of the policy',
    impact: 'Copies come, but are not proved as the policy asks for: they may not be what the source was.',
    next: 'Compare the level of the newest point with that of the policy: npm run explain -- <volume>/<bucket> --policies <file>.',
  },
  drilled: {
    no: 'no drill passed',
    impact: 'Nobody has shown for long that this can be restored, or how long it takes.',
    next: 'See what the last drill said: npm run explain -- <volume>/<bucket> --policies <file>.',
  },
};

/** What the clock before tells of already. */
const BEFORE: Readonly<Record<ClockName, ClockName | null>> = {
  taken: null,
  replicated: 'taken',
  verified: 'replicated',
  drilled: null,
};

const late = (clock: ClockName): AlarmFacts => {
  const before = BEFORE[clock];
  return {
    severity: 'ticket',
    what: `${SAYS[clock].no} for two intervals`,
    impact: SAYS[clock].impact,
    next: SAYS[clock].next,
    link: dashboard,
    about: { of: 'clock', clock, states: ['late', 'stale'] },
    follows: [
      ...ROOTS,
      ...NOT_STARTED,
      'objective-breached',
      `${clock}-stale`,
      ...(before ? [`${before}-late`, `${before}-stale`] : []),
    ],
  };
};

const stale = (clock: ClockName): AlarmFacts => {
  const before = BEFORE[clock];
  return {
    severity: 'page',
    what: `${SAYS[clock].no} for three intervals`,
    impact: SAYS[clock].impact,
    next: SAYS[clock].next,
    link: dashboard,
    about: { of: 'clock', clock, states: ['stale'] },
    follows: [
      ...ROOTS,
      ...NOT_STARTED,
      // Drills have no part in the objective.
      ...(clock === 'drilled' ? [] : ['objective-breached']),
      ...(before ? [`${before}-stale`] : []),
    ],
  };
};

/** Every alarm of the product. The key is its id: `<prefix>-<id>` is its name, docs/runbooks/<id>.md its runbook. */
export const ALARMS = {
  'taken-late': late('taken'),
  'taken-stale': stale('taken'),
  'replicated-late': late('replicated'),
  'replicated-stale': stale('replicated'),
  'verified-late': late('verified'),
  'verified-stale': stale('verified'),
  'drilled-late': late('drilled'),
  'drilled-stale': stale('drilled'),
  'objective-breached': {
    severity: 'page',
    what: 'the newest good point is older than the objective',
    impact: 'If the source were lost now, more would be lost than the policy promises.',
    next: 'Find out what keeps the backups from succeeding: npm run explain -- <volume>/<bucket> --policies <file>.',
    link: dashboard,
    about: { of: 'objective' },
    // Whatever explains it: that a promise is broken is always said.
    follows: ['assessor-not-running'],
  },
  'snapshot-failed': {
    severity: 'page',
    what: 'a backup failed before its snapshot was there',
    impact: 'A bucket has no new recovery point at all for this slot; earlier points are untouched.',
    next: 'Read the error of the run, then start the same slot again.',
    link: { to: 'machine', machine: 'backup' },
    about: { of: 'runs', kind: 'snapshot' },
    follows: ROOTS,
  },
  'replication-failed': {
    severity: 'page',
    what: 'a snapshot was taken, but did not become a verified copy',
    impact: 'The newest snapshot of a bucket is on its source alone; earlier copies are untouched.',
    next: 'Read the error of the run, then start the same slot again.',
    link: { to: 'machine', machine: 'backup' },
    about: { of: 'runs', kind: 'replication' },
    follows: ROOTS,
  },
  'verification-differs': {
    severity: 'page',
    what: 'a copy is not what the source was',
    impact: 'The newest copy of a bucket cannot be relied on, also after it was repaired: somebody may write there.',
    next: 'Read the first paths that differ in the cause of the run, and find out who writes to the replica.',
    link: { to: 'machine', machine: 'backup' },
    about: { of: 'runs', kind: 'differs' },
    follows: [],
  },
  'anomaly-held': {
    severity: 'page',
    what: 'a change is too large to be followed unasked',
    impact: 'The replica stays at the last good point until a person decides; it may be an attack.',
    next: 'Security first: find out what was deleted and by whom, before any decision.',
    link: { to: 'machine', machine: 'backup' },
    about: { of: 'held' },
    follows: [],
  },
  'backup-failed': {
    severity: 'page',
    what: 'a backup did not succeed, and nothing says why',
    impact: 'A bucket has no new verified recovery point for this slot.',
    next: 'Open the execution: it timed out, was stopped, or failed before it could record why.',
    link: { to: 'machine', machine: 'backup' },
    about: NOTHING,
    follows: [...ROOTS, ...RUNS],
  },
  'backup-fleet-failed': {
    severity: 'page',
    what: 'a slot of a policy did not succeed',
    impact: 'One or more buckets of a policy were not backed up, not pruned, or not drilled, in this slot.',
    next: 'Open the execution: its cause names each bucket and the execution to look at.',
    link: { to: 'machine', machine: 'backup-fleet' },
    about: NOTHING,
    follows: [...ROOTS, ...RUNS, 'backup-failed', 'prune-failed', 'prune-refused', 'drill-failed'],
  },
  'prune-failed': {
    severity: 'ticket',
    what: 'a prune did not succeed',
    impact:
      'Nothing more is deleted of a bucket: no point is lost, but snapshots pile up towards the limit of the cluster.',
    next: 'Open the execution and read its error.',
    link: { to: 'machine', machine: 'prune' },
    about: NOTHING,
    follows: [...ROOTS, 'prune-refused'],
  },
  'prune-refused': {
    severity: 'ticket',
    what: 'a prune refused to delete anything',
    impact:
      'What the ledger knows and what the clusters show do not fit: nothing is deleted until somebody has looked.',
    next: 'Read the cause: it names what does not fit and what would make it go.',
    link: { to: 'machine', machine: 'prune' },
    about: { of: 'runs', kind: 'prune' },
    follows: ROOTS,
  },
  'prune-over-cap': {
    severity: 'ticket',
    what: 'a prune had more to delete than its cap allows',
    impact: 'Snapshots that no rule keeps stay for now; if it goes on, they pile up towards the limit of the cluster.',
    next: 'See in the output of the prune what waits, and whether a changed rule explains it.',
    link: { to: 'machine', machine: 'prune' },
    about: { of: 'over-cap' },
    follows: [],
  },
  'drill-failed': {
    severity: 'page',
    what: 'a drill did not pass',
    impact:
      'A backup was not restored in its rehearsal, or not equal, or not in time: in an emergency it may not be either.',
    next: 'Read the error of the drill: RestoreDiffers is about the backup, the rest is about the way there.',
    link: { to: 'machine', machine: 'drill' },
    about: { of: 'runs', kind: 'drill' },
    follows: ROOTS,
  },
  'restore-failed': {
    severity: 'page',
    what: 'a restore did not succeed',
    impact: 'Data that somebody waits for was not restored; the target may be half written.',
    next: 'Read the error, and start the same restore again: it goes on where it stopped.',
    link: { to: 'machine', machine: 'restore' },
    about: NOTHING,
    follows: [],
  },
  'failover-failed': {
    severity: 'page',
    what: 'a failover or a failback did not succeed',
    impact:
      'People wait for a bucket that nobody may write to yet; once its roles began to move, its backups wait too.',
    next: 'Read the error; what the cluster caused goes on when the same request is started again with its slot.',
    link: { to: 'machine', machine: 'failover' },
    about: NOTHING,
    follows: [],
  },
  'failed-over': {
    severity: 'ticket',
    what: 'the primary of a bucket is its replica',
    impact: 'What is written there has no second copy: backups and prunes of the bucket wait for a failback.',
    next: 'As soon as the old primary answers: prepare the way back, then switch.',
    link: dashboard,
    about: { of: 'failed-over' },
    // That a bucket is without a second copy is always said.
    follows: [],
  },
  'objective-unreachable': {
    severity: 'ticket',
    what: 'a backup waits in a line in which its turn comes too late for its objective',
    impact:
      'Nothing is broken yet, but its newest good point will be older than the policy promises before its copy is done.',
    next: 'See what it waits for, and give that more places or ask less of it: npm run explain -- <volume>/<bucket> --policies <file>.',
    link: dashboard,
    about: { of: 'outrun' },
    follows: [...ROOTS, 'assessor-not-running', 'objective-breached'],
  },
  'bucket-vanished': {
    severity: 'ticket',
    what: 'a bucket that a glob of a policy had enrolled is not there any more',
    impact: 'No new backups of it are made. What was backed up stays, and can be restored under another name.',
    next: 'Ask its owners whether it was meant. If not, restore it: npm run explain -- <volume>/<bucket> --policies <file> says from what.',
    link: dashboard,
    about: { of: 'vanished' },
    // That data is gone is always said.
    follows: [],
  },
  'failover-not-ready': {
    severity: 'ticket',
    what: 'a bucket could not be failed over',
    impact: 'If the source were lost now, there would be nothing on the replica that people could go on with.',
    next: 'See what is missing and why: npm run explain -- <volume>/<bucket> --policies <file>.',
    link: dashboard,
    about: { of: 'not-ready' },
    // Backups by a schedule are in breach of their objective by then; the rest says why none has succeeded.
    follows: [...ROOTS, ...RUNS, 'objective-breached'],
  },
  'question-failed': {
    severity: 'ticket',
    what: 'a look or a decision of a person did not succeed',
    impact: 'Somebody did not get an answer, or their decision was not recorded; nothing was changed.',
    next: 'Open the execution: its cause says what to write instead.',
    link: { to: 'machine', machine: 'decision' },
    about: NOTHING,
    follows: ROOTS,
  },
  'doctor-failed': {
    severity: 'ticket',
    what: 'the doctor found what will fail, or could not look',
    impact: 'Something that backups and restores rely on is not as it has to be: what still works may stop working.',
    next: 'Read the findings in the cause of the execution: each says how to mend it.',
    link: { to: 'machine', machine: 'doctor' },
    about: NOTHING,
    follows: ROOTS,
  },
  'machine-throttled': {
    severity: 'ticket',
    what: 'Step Functions throttles executions',
    impact: 'Runs take longer than they need; with many buckets in one slot they may not be over before the next.',
    next: 'Compare the quota of state transitions with how many buckets share a slot.',
    link: dashboard,
    about: NOTHING,
    follows: [],
  },
  'fence-refused': {
    severity: 'ticket',
    what: 'a host refused a command by its fence',
    impact: 'Nothing was changed: an old run tried to write after a newer one, or the host has lost its fence file.',
    next: 'Read in the log which it was: fence-stale is over by itself, fence-missing waits for a person.',
    link: { to: 'function', function: 'settle-operation' },
    about: NOTHING,
    follows: [],
  },
  'host-offline': {
    severity: 'page',
    what: 'an edge host does not answer',
    impact:
      'Another host does its work, once no copy of a bucket can be alive there; if its cluster has no other host, none of its buckets is backed up.',
    next: 'Look at the host: is it up, is its agent running, does it reach Systems Manager?',
    link: { to: 'hosts' },
    about: { of: 'hosts' },
    follows: [],
  },
  'cluster-unreachable': {
    severity: 'page',
    what: 'a cluster does not answer',
    impact: 'No bucket of that cluster gets a new point or copy until it does.',
    next: 'Ask the owner of the cluster: are its Ozone Managers up, can the edge host reach them?',
    link: dashboard,
    about: { of: 'clusters' },
    follows: ['host-offline'],
  },
  'sweeper-not-running': {
    severity: 'page',
    what: 'the sweeper does not run',
    impact: 'Long copies lose their heartbeat and fail, and lost events are never found.',
    next: 'Read the log of the function and the state of its schedule.',
    link: { to: 'function', function: 'sweep-operations' },
    about: NOTHING,
    follows: [],
  },
  'assessor-not-running': {
    severity: 'page',
    what: 'nobody watches the objectives',
    impact: 'How old the newest points are is not known: a silent failure would not be seen.',
    next: 'Read the log of the function and the state of its schedule.',
    link: { to: 'function', function: 'assess-objectives' },
    about: NOTHING,
    follows: [],
  },
  'schedule-undelivered': {
    severity: 'page',
    what: 'a slot of a policy did not start',
    impact: 'A slot of a policy did not start at all.',
    next: 'Read the message in the queue, remove its cause, and start the slot by hand.',
    link: { to: 'queue', queue: 'schedules-undelivered' },
    about: NOTHING,
    follows: [],
  },
  'event-undelivered': {
    severity: 'ticket',
    what: 'an event could not be delivered',
    impact: 'Runs go on up to a minute late, because the end of a command is not heard but only found.',
    next: 'Read the message in the queue: it names the target that could not be called.',
    link: { to: 'queue', queue: 'events-undelivered' },
    about: NOTHING,
    follows: [],
  },
  'event-not-published': {
    severity: 'ticket',
    what: 'an outcome could not be put on the event bus',
    impact: 'Backups go on; what others automate on our events has missed one. The record of the bucket has it.',
    next: 'Read the log of the function that says so; catch up from the record.',
    link: dashboard,
    about: NOTHING,
    follows: [],
  },
  'announcer-failed': {
    severity: 'page',
    what: 'alarms cannot be announced',
    impact: 'Other alarms may be raised without anybody hearing of them: this one is sent by CloudWatch itself.',
    next: 'Look at all alarms of the deployment by hand, then at the log of the function.',
    link: { to: 'function', function: 'announce-alarm' },
    about: NOTHING,
    follows: [],
  },
  'function-errors': {
    severity: 'ticket',
    what: 'functions fail again and again',
    impact: 'Steps are repeated and runs take longer; what fails for good has an alarm of its own.',
    next: 'Find the function in the list of alarms, and read its log.',
    link: dashboard,
    about: NOTHING,
    follows: ['sweeper-not-running', 'assessor-not-running'],
  },
  'snapshot-limit-near': {
    severity: 'ticket',
    what: 'a cluster reaches its limit of snapshots within 30 days',
    impact:
      'In less than a month a cluster takes no new snapshots: every backup that reads or writes there then fails.',
    next: 'See which rules never end: npm run simulate -- <policies.yaml>.',
    link: dashboard,
    about: NOTHING,
    follows: ['snapshot-limit-used'],
  },
  'snapshot-limit-used': {
    severity: 'ticket',
    what: 'a cluster has nine tenths of the snapshots that it may have',
    impact: 'A cluster has nine tenths of the snapshots that it may have: at all of them every backup there fails.',
    next: 'Let rules keep less, or ask the owner of the cluster for a higher limit.',
    link: dashboard,
    about: NOTHING,
    follows: [],
  },
} as const satisfies Readonly<Record<string, AlarmFacts>>;

export type AlarmId = keyof typeof ALARMS;
export const ALARM_IDS: readonly AlarmId[] = Object.keys(ALARMS).flatMap((id) => (isAlarmId(id) ? [id] : []));
export function isAlarmId(id: string): id is AlarmId {
  return Object.hasOwn(ALARMS, id);
}

export const factsOf = (id: AlarmId): AlarmFacts => ALARMS[id];

/** Alarms, one of which measures what `<id>` tells of: itself, or, where others may explain it, those that tell nobody. */
export const measuredBy = (id: AlarmId): readonly string[] =>
  factsOf(id).follows.length > 0 ? [`${id}-raw`, `${id}-raw-1`, `${id}-raw-2`, `${id}-raw-3`] : [id];

/** The address of what an alarm leads to, in the console of one region. */
export const addressOf = (link: DeepLink, prefix: string, region: string, account: string): string => {
  const console = (service: string, rest: string): string =>
    `https://${region}.console.aws.amazon.com/${service}/home?region=${region}#${rest}`;
  switch (link.to) {
    case 'dashboard':
      return console('cloudwatch', `dashboards/dashboard/${prefix}`);
    case 'machine':
      return console(
        'states',
        `/statemachines/view/arn:aws:states:${region}:${account}:stateMachine:${prefix}-${link.machine}`,
      );
    case 'function':
      return console('lambda', `/functions/${prefix}-${link.function}?tab=monitoring`);
    case 'queue':
      return console('sqs', `/queues/https%3A%2F%2Fsqs.${region}.amazonaws.com%2F${account}%2F${prefix}-${link.queue}`);
    case 'hosts':
      return console('systems-manager', 'fleet-manager/managed-nodes');
  }
};
