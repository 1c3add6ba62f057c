import { describe, expect, it } from 'vitest';
import {
  BucketRef,
  ClusterName,
  HostId,
  OzoneService,
  PolicyName,
  pairId,
  RunId,
  runId,
  Slot,
  SnapshotName,
  snapshotName,
  splitRunId,
} from '../../../functions/core/domain/names.ts';
import { Duration, epochMs } from '../../../functions/core/domain/units.ts';

const at = epochMs(Date.UTC(2026, 10, 20, 2, 0, 0));

describe('names', () => {
  it('a snapshot name says policy, slot and attempt, and is legal in Ozone at its longest', () => {
    expect(snapshotName(PolicyName.parse('nightly'), at, 1)).toBe('odr-nightly-20261120t020000z-1');
    expect(SnapshotName.safeParse(snapshotName(PolicyName.parse(`a${'b'.repeat(31)}`), at, 99)).success).toBe(true);
  });

  it('a run id can be taken apart again', () => {
    const pair = pairId(ClusterName.parse('prod'), BucketRef.parse('sales/orders'), ClusterName.parse('dr'));
    const id = runId(pair, PolicyName.parse('nightly'), at);
    expect(id).toBe('prod/sales/orders#dr#nightly#20261120t020000z');
    expect(splitRunId(RunId.parse(id))).toEqual({ pair, key: 'nightly#20261120t020000z' });
  });

  const hostile = [
    '',
    '-rf',
    '--help',
    'a b/c d',
    '../../etc',
    '$(reboot)',
    '`id`',
    'a;b/c',
    'a\nb/ccc',
    'x'.repeat(10_000),
    'ünï/cödé',
    "a'b/c'd",
    'a"b/c"d',
    'a/b/c',
    '*',
  ];
  it.each([
    ['bucket', BucketRef],
    ['policy', PolicyName],
    ['cluster', ClusterName],
    ['service', OzoneService],
    ['host', HostId],
    ['snapshot', SnapshotName],
    ['run', RunId],
  ])('hostile text is no %s', (_kind, schema) => {
    expect(hostile.filter((text) => schema.safeParse(text).success)).toEqual([]);
  });

  it.each(['2026-11-20', '2026-11-20T02:00:00', '2026-11-20T02:00:00+01:00', 'now', '<aws.scheduler.scheduled-time>'])(
    '%s is no slot: an instant in UTC is',
    (text) => {
      expect(Slot.safeParse(text).success).toBe(false);
      expect(Slot.parse('2026-11-20T02:00:00.900Z')).toBe(at);
    },
  );

  it.each(['0h', '-1h', '1', '1.5h', '1 h', '1h30m', 'P1D', '1y', ''])('%j is no duration', (text) => {
    expect(Duration.safeParse(text).success).toBe(false);
  });

  it.each([
    ['90s', 90],
    ['15m', 900],
    ['26h', 93_600],
    ['7d', 604_800],
    ['4w', 2_419_200],
  ])('%s is %i seconds', (text, value) => {
    expect(Duration.parse(text)).toBe(value);
  });
});
