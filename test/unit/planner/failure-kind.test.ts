import { expect, it } from 'vitest';
import { kindOfFailure } from '../../../functions/core/planner/failure-kind.ts';

const step = (kind: string, observed: string | null = null) =>
  ({ decision: { kind }, observed: observed === null ? null : { kind: observed } }) as never;

it.each([
  [
    'the snapshot itself failed',
    'backup',
    [step('survey', 'survey'), step('create-snapshot', 'not-done')],
    'SnapshotFailed',
    'snapshot',
  ],
  ['the source did not answer', 'backup', [step('survey', 'no-answer')], 'SourceUnreachable', 'snapshot'],
  [
    'the snapshot is there, the copy failed',
    'backup',
    [step('create-snapshot', 'snapshot'), step('replicate', 'not-done')],
    'CopyFailed',
    'replication',
  ],
  [
    'a run that goes on from an older snapshot',
    'backup',
    [step('survey', 'survey'), step('compute-diff', 'no-answer')],
    'DiffFailed',
    'replication',
  ],
  ['the copy differs', 'backup', [step('verify', 'verify')], 'ReplicaDiffers', 'differs'],
  ['a change that waits for a person', 'backup', [step('replicate', 'not-done')], 'AnomalousChange', 'anomaly'],
  ['somebody else took over', 'backup', [], 'LeaseLost', null],
  ['a prune that refused to plan', 'prune', [], 'PruneRefused', 'prune'],
  ['a prune whose host was away is told of by its machine', 'prune', [], 'EdgeUnreachable', null],
  ['any failed drill', 'drill', [], 'RestoreDiffers', 'drill'],
  ['a restore is told of by its machine', 'restore', [], 'RestoreDiffers', null],
] as const)('%s', (_sentence, workflow, steps, error, kind) => {
  expect(kindOfFailure({ workflow }, steps, error)).toBe(kind);
});
