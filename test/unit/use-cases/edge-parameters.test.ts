import { describe, expect, it } from 'vitest';
import type { OperationStep } from '../../../functions/core/domain/backup-step.ts';
import { emptyPair } from '../../../functions/core/domain/ledger.ts';
import { HostId, OperationId, SnapshotId, SnapshotName } from '../../../functions/core/domain/names.ts';
import type { RestoreTask } from '../../../functions/core/domain/restore.ts';
import { seconds } from '../../../functions/core/domain/units.ts';
import { edgeParameters } from '../../../functions/core/use-cases/start-operation.ts';
import { restoreHistory, targetCreated } from '../planner/restore-world.ts';

const known = (name: string, n: number) => ({
  name: SnapshotName.parse(name),
  id: SnapshotId.parse(`00000000-0000-4000-8000-${String(n).padStart(12, '0')}`),
});
const id = OperationId.parse(`op-${'0'.repeat(24)}-001`);
const where = {
  host: HostId.parse('i-0123456789abcdef0'),
  timeoutSeconds: seconds(900),
  heartbeatSeconds: seconds(600),
  reason: 'because',
};
const base = known('odr-nightly-20261120t020000z-1', 1);

const parametersOf = (step: OperationStep, more: Partial<RestoreTask> = {}) => {
  const { history, task } = restoreHistory({});
  const run = { ...history.run, restore: { ...task, ...more } };
  return edgeParameters(run, step, id, emptyPair(run.pair));
};

describe('what a host is given', () => {
  const examine: OperationStep = { kind: 'examine', from: 'source', ...where };
  const compare: OperationStep = {
    ...{ kind: 'compare', against: 'source', level: 'full', exact: false, of: 'target' },
    ...where,
  };
  const restore: OperationStep = {
    ...{ kind: 'restore', from: 'source', overwrite: 'never', deleteExtra: false, targetCreated },
    copySeconds: seconds(3600),
    ...where,
  };

  it.each([examine, compare, restore])(
    'of $kind of what changed since a snapshot: that snapshot and its id',
    (step) => {
      expect(parametersOf(step, { since: base })).toMatchObject({ since: base.name, sinceId: base.id, selection: '' });
      expect(parametersOf(step)).toMatchObject({ since: '', sinceId: '' });
    },
  );

  it('of a comparison with what people write to: all of it', () => {
    expect(parametersOf({ ...compare, of: 'primary' }, { since: base })).toMatchObject({ since: '', sinceId: '' });
  });

  it('of a divergence: both sides, and three snapshots with their ids', () => {
    const [target, opened] = [known('failback-20261121', 2), known('failover-20261120-1', 3)];
    const { history } = restoreHistory({});
    const { source, replica } = history.run.policy;
    const { bucket } = history.run;
    expect(parametersOf({ kind: 'measure-divergence', base, target, opened, ...where })).toMatchObject({
      verb: 'divergence',
      source: `${source.service}/${bucket}`,
      replica: `${replica?.service}/${bucket}`,
      base: base.name,
      baseSourceId: base.id,
      target: target.name,
      targetId: target.id,
      since: opened.name,
      sinceId: opened.id,
    });
  });
});
