import type { Variables } from '../../edge-host/edge-host.ts';

const FIELDS = [
  ...['operation', 'bucket', 'target', 'targetId', 'base', 'baseSourceId', 'baseReplicaId', 'replicaCreated'],
  ...['fence', 'fenceSeed'],
] as const;

/** Of a batch: what its line says of one bucket. */
export type Line = Readonly<Partial<Record<(typeof FIELDS)[number], string>>>;

/** An operation id of its own for each call of a test. */
export const op = (n: number): string => `op-${'0'.repeat(23)}b-${String(n).padStart(3, '0')}`;

/** The parameters of a batch from `prod` to `dr`. Lines without an operation have 101, 102, … */
export const batchOf = (...lines: readonly Line[]): Variables => ({
  source: 'prod',
  replica: 'dr',
  batch: lines
    .map((line, n) => ({ operation: op(101 + n), ...line }))
    .map((line: Line) => FIELDS.map((field) => line[field] ?? '').join('|'))
    .join(';'),
});
