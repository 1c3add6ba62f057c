import type { CopyMode } from '../../functions/core/domain/backup-step.ts';
import type { ErrorName } from '../../functions/core/errors.ts';
import type { Change } from '../ozone-cluster/ozone-clusters.ts';

/** What goes wrong in a night, besides what people do to the data. */
export type Trouble = 'replica-away' | 'copy-killed' | 'schedule-refused';

/** What people did since the night before. */
export interface Happening {
  readonly side: 'source' | 'replica';
  readonly what: string;
  readonly changes: readonly Change[];
}

/** What has to come of a night; anything else is a difference. `base` is the night of the base, as its date. */
export type Expected =
  | {
      readonly kind: 'verified';
      readonly mode: CopyMode;
      readonly base: string | null;
      readonly changed: boolean | null;
    }
  | { readonly kind: 'failed'; readonly error: ErrorName }
  | { readonly kind: 'missed' };

export interface Night {
  /** `2026-11-10`, or with an hour for a slot of its own: `2026-11-10T11`. */
  readonly date: string;
  readonly title: string;
  readonly before: readonly Happening[];
  readonly trouble: Trouble | null;
  readonly expected: Expected;
  /** Alarms that have to go off because of this night, by the names of their runbooks. */
  readonly alarms: readonly string[];
}

export const BUCKET = 'sales/orders';

/** The policy of the demo, as a person would write it; the cluster names and hosts are those of the test deployment. */
export const policyFile = (sourceHost: string, replicaHost: string): string => `clusters:
  prod: { service: prod, hosts: [${sourceHost}] }
  dr: { service: dr, hosts: [${replicaHost}] }
policies:
  nightly:
    source: prod
    replica: dr
    buckets: [${BUCKET}]
    schedules:
      - { cron: 0 2 * * ? *, zone: Etc/UTC }
      - { cron: 0 10-11 10 11 ? 2026, zone: Etc/UTC } # hourly while the sale is on
    mode: incremental-or-resync # an increment where possible, else compare everything and copy what differs
    verification: listing # a point counts when every path, type and length was found equal
    objectives: { rpo: 26h, rto: 4h }
`;

/** The instant of a night's slot. */
export const slotOf = (date: string): Date => new Date(date.includes('T') ? `${date}:00:00Z` : `${date}T02:00:00Z`);

const put = (path: string, size: number, seed: number): Change => ({ op: 'put', path, size, seed });

/** The orders of one day: `2026/11/09/order-10421.json` and so on. */
const orders = (folder: string, first: number, count: number): readonly Change[] =>
  Array.from({ length: count }, (_, i) =>
    put(`${folder}/order-${first + i}.json`, 700 + ((first + i) % 9) * 110, first + i),
  );

const sold = (what: string, ...changes: readonly Change[]): Happening => ({ side: 'source', what, changes });

/** A shop's week. The replica of the one bucket is empty when it begins. */
export const week: readonly Night[] = [
  {
    date: '2026-11-09',
    title: 'The first copy',
    before: [
      sold(
        'the bucket holds 12 orders, 8 invoices, a price list, two customer files and an empty inbox',
        ...orders('2026/11/08', 10401, 12),
        ...Array.from({ length: 8 }, (_, i) =>
          put(`invoices/2026-10/invoice-${917 + i}.pdf`, 24_000 + i * 3100, 917 + i),
        ),
        put('price list.csv', 4096, 1),
        put('customers/a-m.csv', 31_000, 2),
        put('customers/n-z.csv', 28_500, 3),
        { op: 'mkdir', path: 'inbox' },
      ),
    ],
    trouble: null,
    expected: { kind: 'verified', mode: 'bootstrap', base: null, changed: null },
    alarms: [],
  },
  {
    date: '2026-11-10',
    title: 'An ordinary day',
    before: [
      sold(
        '9 new orders; the price list is overwritten with one of the same length',
        ...orders('2026/11/09', 10413, 9),
        put('price list.csv', 4096, 11),
      ),
      sold(
        'an order is cancelled; October’s invoices move to invoices/closed; two files swap their names',
        { op: 'rm', path: '2026/11/08/order-10404.json' },
        { op: 'mkdir', path: 'invoices/closed' },
        { op: 'mv', path: 'invoices/2026-10', to: 'invoices/closed/2026-10' },
        { op: 'mv', path: 'customers/a-m.csv', to: 'customers/swap' },
        { op: 'mv', path: 'customers/n-z.csv', to: 'customers/a-m.csv' },
        { op: 'mv', path: 'customers/swap', to: 'customers/n-z.csv' },
      ),
    ],
    trouble: null,
    expected: { kind: 'verified', mode: 'incremental', base: '2026-11-09', changed: true },
    alarms: [],
  },
  {
    date: '2026-11-10T10',
    title: 'Hourly during the sale',
    before: [sold('14 orders in an hour', ...orders('2026/11/10', 10480, 14))],
    trouble: null,
    expected: { kind: 'verified', mode: 'incremental', base: '2026-11-10', changed: true },
    alarms: [],
  },
  {
    date: '2026-11-10T11',
    title: 'Another hour',
    before: [
      sold(
        '5 more orders, one taken back, one corrected',
        ...orders('2026/11/10', 10494, 5),
        { op: 'rm', path: '2026/11/10/order-10481.json' },
        put('2026/11/10/order-10482.json', 900, 482),
      ),
    ],
    trouble: null,
    expected: { kind: 'verified', mode: 'incremental', base: '2026-11-10T10', changed: true },
    alarms: [],
  },
  {
    date: '2026-11-11',
    title: 'The replica is away',
    before: [sold('11 new orders', ...orders('2026/11/10', 10422, 11))],
    trouble: 'replica-away',
    expected: { kind: 'failed', error: 'ReplicaUnreachable' },
    alarms: ['cluster-unreachable', 'objective-breached'],
  },
  {
    date: '2026-11-12',
    title: 'The replica is back: the missed day first, then this one',
    before: [
      sold(
        '8 new orders, one corrected',
        ...orders('2026/11/11', 10433, 8),
        put('2026/11/10/order-10425.json', 1300, 425),
      ),
    ],
    trouble: null,
    expected: { kind: 'verified', mode: 'incremental', base: '2026-11-11', changed: true },
    alarms: [],
  },
  {
    date: '2026-11-13',
    title: 'A copy dies half way',
    before: [
      sold(
        '10 new orders; the folder of 8 November moves to the archive, one invoice is withdrawn',
        ...orders('2026/11/12', 10441, 10),
        { op: 'mkdir', path: 'archive' },
        { op: 'mv', path: '2026/11/08', to: 'archive/2026-11-08' },
        { op: 'rm', path: 'invoices/closed/2026-10/invoice-920.pdf' },
      ),
    ],
    trouble: 'copy-killed',
    expected: { kind: 'verified', mode: 'resync', base: null, changed: null },
    alarms: [],
  },
  {
    date: '2026-11-14',
    title: 'Somebody writes into the replica',
    before: [
      sold('7 new orders', ...orders('2026/11/13', 10451, 7)),
      {
        side: 'replica',
        what: 'somebody leaves a test export there and deletes an invoice',
        changes: [put('test-export.csv', 5200, 99), { op: 'rm', path: 'invoices/closed/2026-10/invoice-919.pdf' }],
      },
    ],
    trouble: null,
    expected: { kind: 'verified', mode: 'resync', base: null, changed: null },
    alarms: [],
  },
  {
    date: '2026-11-15',
    title: 'A day without orders',
    before: [],
    trouble: null,
    expected: { kind: 'verified', mode: 'incremental', base: '2026-11-14', changed: false },
    alarms: [],
  },
  {
    date: '2026-11-16',
    title: 'A night is missed',
    before: [sold('6 new orders', ...orders('2026/11/15', 10458, 6))],
    trouble: 'schedule-refused',
    expected: { kind: 'missed' },
    alarms: ['objective-breached', 'schedule-undelivered'],
  },
  {
    date: '2026-11-17',
    title: 'The chain goes on',
    before: [
      sold('9 new orders; the archive is emptied', ...orders('2026/11/16', 10464, 9), {
        op: 'rmr',
        path: 'archive/2026-11-08',
      }),
    ],
    trouble: null,
    expected: { kind: 'verified', mode: 'incremental', base: '2026-11-15', changed: true },
    alarms: [],
  },
];
