import { describe, expect, it } from 'vitest';
import { Lab } from '../in-process-edge/lab.ts';
import { eventOf } from '../in-process-edge/run-command.ts';
import { allCases, judge, nameOf, sample } from './crash-matrix.ts';

/** Plays an execution, alone, until it enters a state for the n-th time; then a person stops it. */
const backUpUntil = async (lab: Lab, slot: string, state: string, nth = 1): Promise<void> => {
  const execution = lab.start(slot);
  let entered = 0;
  for (let next = await execution.next(); !next.done; next = await execution.next()) {
    const moment = next.value;
    if (moment.kind === 'entered' && moment.state === state) entered += 1;
    if (entered === nth) break;
    if (moment.kind !== 'token') continue;
    const [command] = lab.runCommand.pending();
    if (!command) continue;
    lab.deliver(command);
    await lab.settle(eventOf(command));
  }
  await execution.return({ status: 'FAILED', error: 'States.Aborted', cause: '', runId: null });
};

/** `CRASH_SEED=n` draws others, `CRASH_CASES=n` more. All of them: `npm run test:crash`. */
const { CRASH_SEED = '1', CRASH_CASES = '100' } = process.env;

describe('the crash matrix', () => {
  it('a sample of every layer converges within two further runs and breaks no promise', async () => {
    const cases = sample(await allCases(), Number(CRASH_CASES), Number(CRASH_SEED));
    expect(new Set(cases.map(({ strike }) => strike.place.layer)).size).toBe(6);
    for (const work of ['restore: ', 'drill: ', 'failover: ', 'failback: '])
      expect(cases.some(({ strike }) => strike.place.step.startsWith(work))).toBe(true);
    expect(cases.some(({ strike }) => /batch|Batch/.test(strike.place.step))).toBe(true);
    const struck = new Set<string>();
    for (const it of cases) {
      const { struck: times, furtherRuns, wrong, told } = await judge(it);
      expect({ wrong, told }, nameOf(it)).toEqual({ wrong: [], told });
      expect(furtherRuns, nameOf(it)).toBeLessThanOrEqual(2);
      if (times > 0) struck.add(it.strike.place.layer);
    }
    expect(struck.size).toBe(6);
  });
});

const slotOf = (lab: Lab): string => {
  lab.advance(3_600_000);
  return new Date(lab.now).toISOString();
};

describe('two slots of one bucket in turns', () => {
  const labWithBase = async (): Promise<Lab> => {
    const lab = new Lab({ mode: 'incremental' });
    lab.source.change([{ op: 'put', path: 'a', size: 10, seed: 1 }]);
    await lab.backUp(slotOf(lab));
    lab.source.change([{ op: 'put', path: 'b', size: 10, seed: 2 }]);
    return lab;
  };

  it('a slot that goes on after another slot was done looks at both clusters again', async () => {
    const lab = await labWithBase();
    const first = slotOf(lab);
    await backUpUntil(lab, first, 'Decide', 2);
    await lab.backUp(slotOf(lab));
    expect(await lab.backUp(first)).toMatchObject({ status: 'SUCCEEDED', output: { mode: 'incremental' } });
  });

  it('a slot whose snapshot is older than what the replica has by now takes a new one, and never leads back', async () => {
    const lab = await labWithBase();
    const first = slotOf(lab);
    lab.ozone.setFaults([
      { id: 'dies', match: { program: 'hadoop' }, effect: { kind: 'crash', point: 'before:distcp-copy-file' } },
    ]);
    expect(await lab.backUp(first)).toMatchObject({ status: 'FAILED', error: 'CopyFailed' });
    lab.ozone.setFaults([]);
    lab.source.change([{ op: 'put', path: 'c', size: 10, seed: 3 }]);
    expect(await lab.backUp(slotOf(lab))).toMatchObject({ status: 'SUCCEEDED', output: { mode: 'resync' } });
    expect(await lab.backUp(first)).toMatchObject({ status: 'SUCCEEDED' });
    expect(lab.tree('replica')).toEqual(lab.tree('source'));
    expect(await lab.backUp(slotOf(lab))).toMatchObject({ status: 'SUCCEEDED', output: { mode: 'incremental' } });
  });

  it('the doubt of a copy that died outlives the comparison of a seal from before it', async () => {
    const lab = await labWithBase();
    const first = slotOf(lab);
    await backUpUntil(lab, first, 'verify');
    for (const path of ['c', 'd', 'e', 'f']) lab.source.change([{ op: 'put', path, size: 10, seed: 3 }]);
    lab.ozone.setFaults([
      { id: 'dies', match: { program: 'hadoop' }, effect: { kind: 'crash', point: 'after:distcp-copy-file' } },
    ]);
    const second = slotOf(lab);
    expect(await lab.backUp(second)).toMatchObject({ status: 'FAILED', error: 'CopyFailed' });
    lab.ozone.setFaults([]);
    expect(await lab.backUp(first)).toMatchObject({ status: 'SUCCEEDED' });
    expect((await lab.pair()).dirtySince).not.toBeNull();
    expect(await lab.backUp(second)).toMatchObject({ status: 'SUCCEEDED', output: { mode: 'resync' } });
  });
});
