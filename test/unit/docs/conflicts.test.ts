import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { ConflictKind } from '../../../functions/core/domain/backup-step.ts';
import { ERROR_FAMILIES, ERROR_NAMES, type ErrorName } from '../../../functions/core/errors.ts';
import { conflict } from '../../../functions/core/planner/steps.ts';

const page = (path: string): string =>
  readFileSync(fileURLToPath(new URL(`../../../${path}`, import.meta.url)), 'utf8');

/** The cells of the table below a heading row that begins with these words. */
const tableOf = (text: string, heading: string): readonly (readonly string[])[] => {
  const lines = text.split('\n');
  const first = lines.findIndex((line) => line.startsWith(`| ${heading} |`));
  if (first < 0) throw new Error(`there is no table with the heading ${heading}`);
  const rows = lines.slice(first + 2);
  return rows
    .slice(
      0,
      rows.findIndex((line) => !line.startsWith('|')),
    )
    .map((line) =>
      line
        .split('|')
        .slice(1, -1)
        .map((cell) => cell.trim()),
    );
};

describe('the README', () => {
  const rows = tableOf(page('README.md'), 'conflict');

  it('has a row for every conflict that there is, and for no other', () => {
    expect(rows.map(([kind]) => kind).toSorted()).toEqual(ConflictKind.options.map((it) => `\`${it}\``).toSorted());
  });

  it.each(ConflictKind.options)('says of %s the error that a run ends with, what was found, and a remedy', (kind) => {
    const step = conflict(kind, 'evidence', 'remedy');
    const [, error, found = '', remedy = ''] = rows.find(([name]) => name === `\`${kind}\``) ?? [];
    expect(error).toBe(`\`${step.kind === 'fail' ? step.error : step.kind}\``);
    expect(found.length).toBeGreaterThan(20);
    expect(remedy.length).toBeGreaterThan(10);
  });
});

/** What only bugs, deployments and other workflows end with, and what is answered without failing. */
const NOT_OF_RUNS: readonly ErrorName[] = [
  'DeploymentUnhealthy',
  'GroupBroken',
  'EnvMissing',
  'ItemInvalid',
  'SlotAlreadyDone',
  'PruneRefused',
];
/** What is said of two sides that are compared or copied to each other. */
const OF_BACKUPS: readonly ErrorName[] = [
  'SourceUnreachable',
  'ReplicaUnreachable',
  'NoCommonPoint',
  'Diverged',
  'ReplicaNotOurs',
  'ReplicaChanged',
  'SourceReplaced',
  'AnomalousChange',
  'SourceMissing',
  'ReplicaMissing',
  'DiffFailed',
  'ReplicaDiffers',
];
/** Roles that are elsewhere, and backups that a failback started. */
const OF_FAILOVERS: readonly ErrorName[] = ['NotPrimary', 'BucketsFailed'];
const OF_RESTORES: readonly ErrorName[] = [
  'PointGone',
  'PathsNotFound',
  'QuotaExceeded',
  'ScratchNotRemoved',
  'RestoreConflicts',
  'TargetNotOurs',
  'RestoreDiffers',
  'RestoreTooSlow',
];

describe('the runbook', () => {
  const told = (name: string, heading: string): readonly string[] =>
    tableOf(page(`docs/runbooks/${name}.md`), heading).flatMap(([names = '']) =>
      [...names.matchAll(/`([A-Za-z]+)`/g)].map(([, error = '']) => error),
    );

  it.each<[string, string, readonly ErrorName[]]>([
    [
      'backup-failed',
      'error',
      [
        ...ERROR_FAMILIES.config,
        ...ERROR_FAMILIES.conflict,
        'EventInvalid',
        'NotConfirmed',
        'ChangedMeanwhile',
        'BucketsFailed',
        ...OF_RESTORES,
      ],
    ],
    ['restore-failed', 'error of a restore', [...OF_BACKUPS, ...OF_FAILOVERS, 'ScratchNotRemoved', 'RestoreTooSlow']],
    // All of a bucket is meant, which is no scratch bucket, and no objective is compared.
    ['failover-failed', 'error of a failover', [...OF_BACKUPS, 'PathsNotFound', 'ScratchNotRemoved', 'RestoreTooSlow']],
    [
      'drill-failed',
      'error of a drill',
      // A drill overwrites nothing, and restores all of a point into an empty bucket without a quota.
      [
        ...OF_BACKUPS,
        ...OF_FAILOVERS,
        'NotConfirmed',
        'PathsNotFound',
        'RestoreConflicts',
        'QuotaExceeded',
        'SnapshotFailed',
        'BudgetExceeded',
      ],
    ],
  ])('%s tells of every error that its run ends with whom to turn to, and of no other', (name, heading, others) => {
    const elsewhere = new Set<string>([...NOT_OF_RUNS, ...others]);
    expect(told(name, heading).toSorted()).toEqual(ERROR_NAMES.filter((it) => !elsewhere.has(it)).toSorted());
  });

  it('failover-failed tells of every error that the code of failovers and failbacks names', () => {
    const code = ['planner/decide-failback', 'use-cases/wanted-failover', 'use-cases/wanted-failback']
      .map((file) => page(`functions/core/${file}.ts`))
      .join('\n');
    const named = ERROR_NAMES.filter((it) => code.includes(`'${it}'`));
    expect(named.length).toBeGreaterThan(3);
    expect(named.filter((it) => !told('failover-failed', 'error of a failover').includes(it))).toEqual([]);
  });

  it('restore-failed and drill-failed tell of every error that the code of restores names', () => {
    const code = ['planner/decide-restore', 'use-cases/open-restore', 'use-cases/decide-restore']
      .map((file) => page(`functions/core/${file}.ts`))
      .join('\n');
    const named = ERROR_NAMES.filter((it) => code.includes(`'${it}'`));
    expect(named.length).toBeGreaterThan(10);
    const both = [...told('restore-failed', 'error of a restore'), ...told('drill-failed', 'error of a drill')];
    // A run that is done is passed over, which is no failure.
    expect(named.filter((it) => it !== 'SlotAlreadyDone' && !both.includes(it))).toEqual([]);
  });
});
