import { describe, expect, it } from 'vitest';
import type { VerificationLevel } from '../../functions/core/domain/policy.ts';
import { type BackupResult, Lab, type LabOptions } from '../in-process-edge/lab.ts';
import type { Change } from '../ozone-simulator/change.ts';

// What each level of verification claims, held to it: Ozone's difference leaves something out, distcp believes it, and the
// copy is wrong in one way. functions/edge-host/README.md has the same table.

const put = (path: string, size: number, seed: number): Change => ({ op: 'put', path, size, seed });
const FILES = Array.from({ length: 9 }, (_, n) => `dir/file-${n}`);
const LEVELS = ['listing', 'changed', 'rolling/3', 'full'] as const;
type Level = (typeof LEVELS)[number];

interface Wrong {
  readonly what: string;
  readonly changes: readonly Change[];
  /** What the difference does not tell. */
  readonly omitted: string;
  readonly claimedBy: readonly Level[];
}

const WRONG: readonly Wrong[] = [
  { what: 'a new file', changes: [put('dir/new', 5, 2)], omitted: './dir/new', claimedBy: LEVELS },
  { what: 'a new empty directory', changes: [{ op: 'mkdir', path: 'void' }], omitted: './void', claimedBy: LEVELS },
  {
    what: 'a deleted file',
    changes: [{ op: 'rm', path: 'dir/file-1' }],
    omitted: './dir/file-1',
    claimedBy: LEVELS,
  },
  {
    what: 'a renamed file',
    changes: [{ op: 'mv', path: 'dir/file-1', to: 'dir/moved' }],
    omitted: './dir/file-1',
    claimedBy: LEVELS,
  },
  {
    what: 'a renamed directory',
    changes: [{ op: 'mv', path: 'dir', to: 'moved' }],
    omitted: './dir',
    claimedBy: LEVELS,
  },
  {
    what: 'an overwrite with another length',
    changes: [put('dir/file-1', 11, 2)],
    omitted: './dir/file-1',
    claimedBy: LEVELS,
  },
  {
    what: 'an overwrite with the same length',
    changes: [put('dir/file-1', 10, 2)],
    omitted: './dir/file-1',
    claimedBy: ['changed', 'rolling/3', 'full'],
  },
];

/** The next night's run. */
const backUp = (lab: Lab): Promise<BackupResult> => {
  lab.advance(24 * 3600 * 1000);
  return lab.backUp(new Date(lab.now).toISOString());
};

/** A bucket whose first copy is verified. */
const copied = async (options: LabOptions): Promise<Lab> => {
  const lab = new Lab(options);
  lab.source.change([...FILES.map((path, n) => put(path, 10, n)), { op: 'mkdir', path: 'empty' }]);
  expect(await backUp(lab)).toMatchObject({ status: 'SUCCEEDED' });
  return lab;
};

/** Newest first. */
const verified = async (lab: Lab) => (await lab.points()).filter(({ state }) => state === 'verified');
const condemned = async (lab: Lab) => (await lab.points()).filter(({ state }) => state === 'differs');
const copies = ({ steps }: BackupResult) =>
  steps.flatMap(({ decision }) => (decision.kind === 'replicate' ? [decision.mode] : []));

describe.each(LEVELS)('a difference that is wrong, at level %s', (verification) => {
  const level: VerificationLevel = verification === 'rolling/3' ? 'rolling' : verification;

  const backedUpWrongly = async ({ changes, omitted }: Wrong) => {
    const lab = await copied({ verification });
    lab.source.change([put('dir/other', 7, 7), ...changes]);
    lab.ozone.setFaults([{ id: 'omits', effect: { kind: 'diff-omits', service: 'prod', entry: omitted } }]);
    const result = await backUp(lab);
    expect(result).toMatchObject({ status: 'SUCCEEDED' });
    expect(copies(result)[0]).toBe('incremental');
    const newest = (await verified(lab))[0];
    expect(newest?.verification?.level).toBe(level);
    expect(await verified(lab)).toHaveLength(2);
    return { lab, result, name: newest?.name ?? '' };
  };

  const claimed = WRONG.filter((it) => it.claimedBy.includes(verification));
  it.each(claimed.map((it) => [it.what, it] as const))('%s is missed, noticed and repaired', async (_, wrong) => {
    const { lab, result, name } = await backedUpWrongly(wrong);
    expect(copies(result)).toEqual(['incremental', 'resync']);
    expect(await condemned(lab)).toHaveLength(1);
    expect(lab.tree('replica', name)).toEqual(lab.tree('source', name));
    expect(lab.tree('replica')).toEqual(lab.tree('source'));
  });

  const beyond = WRONG.filter((it) => !it.claimedBy.includes(verification));
  it.runIf(beyond.length > 0).each(beyond.map((it) => [it.what, it] as const))(
    '%s is beyond what the level claims: it is called verified, until a higher level looks',
    async (_, wrong) => {
      const { lab, result, name } = await backedUpWrongly(wrong);
      expect(copies(result)).toEqual(['incremental']);
      expect(await condemned(lab)).toEqual([]);
      expect(lab.tree('replica', name)).not.toEqual(lab.tree('source', name));
      // The base was compared by its listing only: the next level compares every file, not only what changed since.
      lab.ozone.setFaults([]);
      lab.verification = 'changed';
      lab.source.change([put('dir/other', 8, 8)]);
      const next = await backUp(lab);
      expect(copies(next)).toEqual(['incremental', 'resync']);
      expect(lab.tree('replica')).toEqual(lab.tree('source'));
    },
  );
});

describe('content that is wrong on the replica where the source changed nothing', () => {
  /** Somebody writes other bytes of the same length, after the copy and before the seal. */
  const tampered = async (verification: Level) => {
    let isArmed = false;
    const lab: Lab = await copied({
      verification,
      around: (moment, program) => {
        if (!isArmed || moment !== 'after' || program !== 'hadoop') return;
        isArmed = false;
        lab.replica.change([put('dir/file-4', 10, 99)]);
      },
    });
    isArmed = true;
    lab.source.change([put('dir/other', 7, 7)]);
    const result = await backUp(lab);
    expect(result).toMatchObject({ status: 'SUCCEEDED' });
    return { lab, result };
  };

  it.each(['listing', 'changed'] as const)('is beyond the level %s', async (verification) => {
    const { lab, result } = await tampered(verification);
    expect(copies(result)).toEqual(['incremental']);
    expect(lab.tree('replica')).not.toEqual(lab.tree('source'));
  });

  it('is noticed and repaired at once at level full', async () => {
    const { lab, result } = await tampered('full');
    expect(copies(result)).toEqual(['incremental', 'resync']);
    expect(lab.tree('replica')).toEqual(lab.tree('source'));
  });

  it('is noticed and repaired within as many runs as there are parts at level rolling', async () => {
    const { lab } = await tampered('rolling/3');
    const modes: (readonly string[])[] = [];
    for (const day of [3, 4, 5]) {
      lab.source.change([put('dir/other', 7, day)]);
      modes.push(copies(await backUp(lab)));
    }
    expect(modes.flat()).toContain('resync');
    expect(lab.tree('replica')).toEqual(lab.tree('source'));
  });
});
