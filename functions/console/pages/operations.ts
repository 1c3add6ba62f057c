import type { HostId } from '../../core/domain/names.ts';
import type { Operation } from '../../core/domain/operation.ts';
import type { Policy } from '../../core/domain/policy.ts';
import { type EpochMs, secondsBetween } from '../../core/domain/units.ts';
import { instantText, spanText } from '../../core/planner/consequences.ts';
import type { Clock, OpenOperations, RunningExecution, RunningExecutions } from '../../core/ports.ts';
import { inParallel } from '../../core/use-cases/in-parallel.ts';
import { button } from '../action.ts';
import type { Links, PlannedWork } from '../endpoints.ts';
import { type Html, html, type Value } from '../html.ts';
import { table, toned } from '../parts.ts';
import type { Page } from '../router.ts';
import { bar } from './bar.ts';

/** What a person may want to see running, and what may be cancelled from here. */
export const WATCHED = [
  'restore',
  'failover',
  'failback',
  'failover-fleet',
  'drill',
  'backup',
  'prune',
  'backup-fleet',
  'look',
  'decision',
] as const;
type Watched = (typeof WATCHED)[number];

const CANCELLABLE: ReadonlySet<Watched> = new Set<Watched>([
  'restore',
  'failover',
  'failback',
  'failover-fleet',
  'drill',
]);

/** What has a page of its own that says how far it is. */
const isPlanned = (workflow: Watched): workflow is PlannedWork & Watched =>
  workflow === 'restore' || workflow === 'failover' || workflow === 'failback' || workflow === 'failover-fleet';

/** Executions of one workflow, and commands of one host, on the screen. */
const MOST = 25;
const AT_A_TIME = 8;

type Told = Pick<Operation, 'id' | 'execution' | 'pair' | 'host' | 'createdAt' | 'deadline' | 'state'> & {
  readonly verb: string;
};

export interface Working {
  readonly workflow: Watched;
  readonly executions: readonly RunningExecution[];
  /** There are more than are shown. */
  readonly isCut: boolean;
}

const ago = (at: EpochMs, now: EpochMs): string => `${spanText(secondsBetween(at, now))}`;

const commandText = (operations: readonly Told[], now: EpochMs): Value =>
  operations.length === 0
    ? html`<span class="odr-soft">between two commands</span>`
    : operations.map(
        ({ verb, host, createdAt, deadline, state }) =>
          html`<div>${verb} on ${host} since ${ago(createdAt, now)}${state === 'sending' && ', not confirmed yet'}; ${
            deadline < now
              ? toned('bad', `should have ended ${ago(deadline, now)} ago`)
              : `at the latest until ${instantText(deadline)}`
          }</div>`,
      );

/** `sales/orders on prod`, `sales/orders from prod to dr`; of another form: as it is. */
const pairText = (pair: string): string => {
  const [, source, bucket, replica = ''] = /^([^/#]+)\/([^#]+)#([^#]+)$/.exec(pair) ?? [];
  if (source === undefined || bucket === undefined) return pair;
  const isAlone = ['local', 'restore', 'drill', 'look'].includes(replica);
  return isAlone ? `${bucket} on ${source}` : `${bucket} from ${source} to ${replica}`;
};

const bucketOf = (operations: readonly Told[], name: string): Value => {
  const [first] = operations;
  return first ? pairText(first.pair) : html`<span class="odr-soft">${name}</span>`;
};

const rowOf = (
  workflow: Watched,
  it: RunningExecution,
  operations: readonly Told[],
  now: EpochMs,
  links: Links,
): readonly Value[] => [
  workflow,
  html`${bucketOf(operations, it.name)}${operations.length > 0 && html`<br /><span class="odr-soft odr-wide">${it.name}</span>`}`,
  ago(it.startedAt, now),
  commandText(operations, now),
  CANCELLABLE.has(workflow)
    ? html`${isPlanned(workflow) && button('Show', links.run(workflow, it.arn), { label: `Show the ${workflow} ${it.name}` })}${button('Cancel…', links.cancel({ execution: it.arn }), { label: `Cancel the ${workflow} ${it.name}` })}`
    : html`<span class="odr-soft">ends by itself</span>`,
];

/** What is running: workflows, and the commands that they wait for. Pure. */
export const operationsMarkup = (
  working: readonly Working[],
  operations: readonly Told[],
  now: EpochMs,
  links: Links,
): Html => {
  const rows = working.flatMap(({ workflow, executions }) =>
    executions.map((it) =>
      rowOf(
        workflow,
        it,
        operations.filter(({ execution }) => execution === it.arn),
        now,
        links,
      ),
    ),
  );
  const running = new Set(working.flatMap(({ executions }) => executions.map(({ arn }) => arn)));
  const cut = working.filter(({ isCut }) => isCut);
  const left = cut.length > 0 ? [] : operations.filter(({ execution }) => !running.has(execution));
  return html`${bar(links)}<h2>What is running?</h2>${
    rows.length === 0
      ? html`<p>Nothing is running.</p>`
      : table('What is running', ['Work', 'Of', 'Since', 'Command', 'Do'], rows)
  }${cut.map(({ workflow }) => html`<p>Of ${workflow} only the newest ${MOST} are shown.</p>`)}${
    left.length > 0 &&
    html`<h3>Commands whose work is over</h3><p>The sweeper ends them within minutes, or notes that they ended.</p>${table(
      'Commands whose work is over',
      ['Of', 'Command'],
      left.map((it) => [pairText(it.pair), commandText([it], now)]),
    )}`
  }<p class="odr-soft odr-tall">A cancelled restore leaves its target as it is by then: the same restore started again goes on from there. A cancelled failover of several buckets takes with it those that are at work. Backups and prunes are not cancelled: they end by themselves, and a policy can be paused.</p>`;
};

export interface OperationsDependencies {
  readonly policies: readonly Policy[];
  readonly operations: OpenOperations;
  readonly executions: RunningExecutions;
  readonly clock: Clock;
  readonly links: Links;
}

const told = ({ parameters, id, execution, pair, host, createdAt, deadline, state }: Operation): Told => ({
  id,
  execution,
  pair,
  host,
  createdAt,
  deadline,
  state,
  verb: parameters.verb,
});

/** One call per workflow, one query per host of the policies. */
export const operationsPage = ({ policies, operations, executions, clock, links }: OperationsDependencies): Page => ({
  name: 'operations',
  show: async () => {
    const hosts = [
      ...new Set<HostId>(policies.flatMap(({ source, replica }) => [...source.hosts, ...(replica?.hosts ?? [])])),
    ];
    const [working, open] = await Promise.all([
      inParallel(WATCHED, AT_A_TIME, async (workflow): Promise<Working> => {
        const { newest, isCut } = await executions.running(workflow, MOST);
        return { workflow, executions: newest, isCut };
      }),
      inParallel(hosts, AT_A_TIME, (host) => operations.on(host, MOST)),
    ]);
    return operationsMarkup(working, open.flat().map(told), clock.now(), links);
  },
});
