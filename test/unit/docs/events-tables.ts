import * as z from 'zod';
import { PairId, PolicyName, RunId } from '../../../functions/core/domain/names.ts';
import { EVENT_TYPES, type EventType, eventTypeOf } from '../../../functions/core/domain/outcome-event.ts';
import { Happening, ONLY_PLANNED } from '../../../functions/core/domain/record.ts';

const runId = RunId.parse('prod/sales/orders#dr#nightly#20261120t020000z');
const plan = 'a'.repeat(64);
const workflows = ['backup', 'prune', 'restore', 'drill', 'failover', 'failback', 'look'] as const;
const endings = workflows.flatMap((workflow) =>
  (['succeeded', 'failed'] as const).map((status) => ({
    kind: 'run-ended' as const,
    workflow,
    runId,
    status,
    summary: 'as it went',
    startedAt: 1,
    steps: 3,
  })),
);

/** One of everything that can be put on record. */
export const everyHappening: readonly Happening[] = z.array(Happening).parse([
  ...endings,
  ...endings.flatMap((it) =>
    ['restore', 'failover', 'failback'].includes(it.workflow) && it.status === 'succeeded'
      ? [{ ...it, summary: `${ONLY_PLANNED}: 3 files` }]
      : [],
  ),
  { kind: 'verified', runId, name: 'odr-a', equal: true, detail: 'equal' },
  { kind: 'verified', runId, name: 'odr-a', equal: false, detail: 'differs' },
  { kind: 'condemned', runId, plan, snapshots: [] },
  { kind: 'spared', runId, snapshots: [] },
  { kind: 'deleted', runId, plan, byUs: true, snapshots: [] },
  { kind: 'decision', decision: 'pin', words: 'pin', by: 'Ada', reason: 'an audit', execution: 'e', effect: 'pinned' },
  {
    kind: 'policy-weakened',
    policy: PolicyName.parse('nightly'),
    bucket: 'sales/orders',
    change: 'less',
    until: 2,
  },
  ...['enrolled', 'vanished'].map((change) => ({
    kind: 'enrolment',
    policy: 'nightly',
    bucket: 'sales/orders',
    change,
  })),
]);
export const aPair = PairId.parse('prod/sales/orders#dr');

const conditionOf = (type: EventType): string => {
  const found = everyHappening.filter((it) => eventTypeOf(it) === type);
  const [happening] = found;
  if (!happening) throw new Error(`nothing makes the event ${type}`);
  switch (happening.kind) {
    case 'run-ended':
      return `\`run-ended\`, \`workflow\` ${happening.workflow}, \`status\` ${happening.status}`;
    case 'verified':
      return `\`verified\`, \`equal\` ${happening.equal}`;
    case 'enrolment':
      return `\`enrolment\`, \`change\` ${happening.change}`;
    default:
      return `\`${happening.kind}\``;
  }
};

/** The rows of the first table of docs/events.md. */
export const eventRows = (): readonly string[] =>
  z
    .array(z.custom<EventType>((it) => typeof it === 'string' && Object.hasOwn(EVENT_TYPES, it)))
    .parse(Object.keys(EVENT_TYPES))
    .map((type) => `| \`${type}\` | ${EVENT_TYPES[type]} | ${conditionOf(type)} |`);

/** The rows of the second one. */
export const happeningRows = (): readonly string[] =>
  Happening.options.map(({ shape }) => {
    const { kind, ...fields } = shape;
    return `| \`${[...kind.values].join()}\` | ${Object.keys(fields)
      .map((name) => `\`${name}\``)
      .join(', ')} |`;
  });
