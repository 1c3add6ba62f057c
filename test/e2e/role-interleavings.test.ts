import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RestorePlanned } from '../../functions/core/domain/restore.ts';
import { Lab } from '../in-process-edge/lab.ts';
import { eventOf } from '../in-process-edge/run-command.ts';
import { RoleTelling, roleStories } from './role-interleavings.ts';

/** `INTERLEAVINGS=n` for more; a failure names its seed and path: `INTERLEAVING_SEED` and `INTERLEAVING_PATH` replay it. */
const numRuns = Number(process.env.INTERLEAVINGS ?? 100);
const seed = Number(process.env.INTERLEAVING_SEED ?? 20_261_122);
const path = process.env.INTERLEAVING_PATH ?? '';
const limit = Number(process.env.INTERLEAVING_MS ?? 600_000);

describe('random interleavings of backups, prunes, failovers and failbacks, crashes and partitions', () => {
  it(
    'never have two writers, lose no verified point and nothing that people wrote, and converge',
    async () => {
      const ends = new Map<string, number>();
      const begun = performance.now();
      await fc.assert(
        fc.asyncProperty(roleStories, async (story) => {
          const telling = new RoleTelling();
          await telling.tell(story);
          for (const [end, count] of telling.ends) ends.set(end, (ends.get(end) ?? 0) + count);
        }),
        {
          numRuns,
          seed,
          path,
          endOnFailure: path !== '' || process.env.INTERLEAVING_SHRINK === '0',
          interruptAfterTimeLimit: limit,
          markInterruptAsFailure: true,
        },
      );
      const rate = Math.round((numRuns * 1000) / (performance.now() - begun));
      console.log(`${numRuns} interleavings of roles, ${rate} per second: ${JSON.stringify(Object.fromEntries(ends))}`);
      if (path !== '') return;
      for (const end of [
        'unplanned failed-over',
        'planned failed-over',
        'prepare failback-prepared',
        'switch failed-over',
        'back verified',
        'written to the old primary',
        'backup NotPrimary',
        'stopped',
        'redriven',
        'converged',
      ])
        expect(ends.get(end), end).toBeGreaterThan(0);
    },
    limit + 30_000,
  );
});

describe('roles that were moved a moment ago', () => {
  it('a failover right after they came back is to what they came back with, and not to what was there before', async () => {
    const telling = new RoleTelling();
    const failover = { kind: 'start', what: 'unplanned', again: false } as const;
    const work = { kind: 'work', moments: 60 } as const;
    await telling.tell({ begin: 'back', actions: [failover, work, failover, work] });
    expect(telling.ends.get('unplanned failed-over')).toBe(1);
  });

  it('a failover that died before it could tell only tells how it ended: what people wrote since stays', async () => {
    const lab = new Lab();
    lab.source.change([{ op: 'put', path: 'a', size: 10, seed: 1 }]);
    await lab.backUp(new Date(lab.now).toISOString());
    const request = { kind: 'unplanned', slot: new Date(lab.now).toISOString() };
    const { plan, confirmation } = RestorePlanned.parse(Object(await lab.failover(request)).output);
    const confirmed = { ...request, plan, confirmation };
    const execution = lab.startWith(confirmed, lab.functions, 'failover');
    for (let next = await execution.next(); !next.done; next = await execution.next()) {
      if (next.value.kind === 'entered' && next.value.state === 'RecordOutcome') break;
      const [command] = lab.runCommand.pending();
      if (next.value.kind !== 'token' || !command) continue;
      lab.deliver(command);
      await lab.settle(eventOf(command));
    }
    await execution.return({ status: 'FAILED', error: 'States.Aborted', cause: '', runId: null });
    const { role } = await lab.pair();
    expect(role).toMatchObject({ state: 'settled', primary: 'replica' });
    lab.replica.change([{ op: 'put', path: 'written-since', size: 3, seed: 3 }]);

    const again = await lab.failover(confirmed);
    expect(again).toMatchObject({ status: 'SUCCEEDED', output: { kind: 'failed-over', opened: role?.opened } });
    expect(lab.tree('replica').has('written-since')).toBe(true);
    expect((await lab.pair()).role).toEqual(role);
  });
});
