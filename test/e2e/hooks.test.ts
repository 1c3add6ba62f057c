import { describe, expect, it } from 'vitest';
import { Lab, type LabOptions } from '../in-process-edge/lab.ts';

const hook = (name: string, fatal: boolean) => ({ name: name as never, timeout: 30 as never, fatal });

/** A lab whose policy freezes before the snapshot and thaws after it; what was run, with what was told. */
const labOf = (
  hooks: LabOptions['hooks'],
  fatal: { before?: boolean; after?: boolean } = {},
  more: LabOptions = {},
) => {
  const ran: string[] = [];
  const lab = new Lab({
    ...more,
    policyHooks: { before: hook('freeze', fatal.before ?? true), after: hook('thaw', fatal.after ?? false) },
    hooks: Object.fromEntries(
      Object.entries(hooks ?? {}).map(([name, program]) => [
        name,
        (told: Parameters<typeof program>[0]) => {
          ran.push(`${name} ${told.outcome}`.trim());
          return program(told);
        },
      ]),
    ),
  });
  lab.source.change([{ op: 'put', path: 'a', size: 10, seed: 1 }]);
  return { lab, ran };
};
const backUp = (lab: Lab) => lab.backUp(new Date(lab.now).toISOString());
const fine = () => 0;

describe('hooks around the snapshot of a backup', () => {
  it('run once, before and after it, and nothing is said of them', async () => {
    const { lab, ran } = labOf({ freeze: fine, thaw: fine });
    expect(await backUp(lab)).toMatchObject({ status: 'SUCCEEDED', output: { kind: 'verified', notes: [] } });
    expect(ran).toEqual(['freeze', 'thaw ok']);
  });

  it('one that fails for a while costs an attempt, not the backup', async () => {
    let failures = 2;
    const { lab, ran } = labOf({ freeze: () => (failures-- > 0 ? 1 : 0), thaw: fine });
    expect(await backUp(lab)).toMatchObject({ status: 'SUCCEEDED' });
    expect(ran).toEqual(['freeze', 'thaw refused', 'freeze', 'thaw refused', 'freeze', 'thaw ok']);
    expect(lab.snapshots('source')).toHaveLength(1);
  });

  it('one that goes on failing fails the run: no snapshot, and what to look at', async () => {
    const { lab } = labOf({ freeze: () => 3, thaw: fine });
    const result = await backUp(lab);
    expect(result).toMatchObject({
      status: 'FAILED',
      error: 'SnapshotFailed',
      cause: expect.stringMatching(/hook-failed the hook freeze ended with exit code 3 .*by hand/),
    });
    expect(lab.snapshots('source')).toEqual([]);
  });

  it('those that may fail are noted, and the backup is whole', async () => {
    const { lab } = labOf({ freeze: () => 3, thaw: () => 4 }, { before: false });
    expect(await backUp(lab)).toMatchObject({
      status: 'SUCCEEDED',
      output: {
        notes: [
          'before the snapshot: the hook freeze ended with exit code 3',
          'after the snapshot: the hook thaw ended with exit code 4',
        ],
      },
    });
  });

  it('also of a policy without a replica', async () => {
    const { lab } = labOf({ freeze: fine, thaw: () => 4 }, {}, { hasReplica: false });
    expect(await backUp(lab)).toMatchObject({ output: { kind: 'taken', notes: [expect.stringContaining('thaw')] } });
  });

  it('one after the snapshot that may not fail fails the run at once; the slot goes on from that snapshot', async () => {
    const { lab, ran } = labOf({ freeze: fine, thaw: () => 4 }, { after: true });
    const slot = new Date(lab.now).toISOString();
    expect(await lab.backUp(slot)).toMatchObject({
      status: 'FAILED',
      error: 'SnapshotFailed',
      cause: expect.stringContaining('the snapshot was created, but the hook thaw ended with exit code 4'),
    });
    expect(await lab.backUp(slot)).toMatchObject({ status: 'SUCCEEDED', output: { kind: 'verified' } });
    expect(ran).toEqual(['freeze', 'thaw ok']);
    expect(lab.snapshots('source')).toHaveLength(1);
  });

  it('one that the host does not have is refused once, with where to name it', async () => {
    const { lab } = labOf({ thaw: fine });
    const result = await backUp(lab);
    expect(result).toMatchObject({
      status: 'FAILED',
      error: 'EdgeRefused',
      cause: expect.stringContaining('host.conf'),
    });
    expect(result.steps.filter(({ decision }) => decision.kind === 'create-snapshot')).toHaveLength(1);
  });
});
