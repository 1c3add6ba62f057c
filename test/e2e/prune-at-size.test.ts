import { describe, expect, it } from 'vitest';
import { OperationId, PairId } from '../../functions/core/domain/names.ts';
import { MOST_CONDEMNED } from '../../functions/core/planner/plan-prune.ts';
import { addPoints } from '../fixtures/long-history.ts';
import { type BackupResult, FEW_POINTS, Lab } from '../in-process-edge/lab.ts';

// A prune of a bucket with ten thousand points, Ozone's own limit of snapshots: nothing that it keeps or hands on may grow with them.

const POINTS = 10_000;
const HOUR = 3600 * 1000;
const DAY = 24 * HOUR;
const pair = PairId.parse('prod/sales/orders#dr');
const RETENTION = { ...FEW_POINTS, maxDeletions: 30 };

/** With so many points, of which the newest was made by a backup. */
const labWith = async (points: number): Promise<Lab> => {
  const lab = new Lab({ retention: RETENTION });
  lab.ozone.setSettings({ '*': { snapshotLimit: 1_000_000 } });
  await lab.expand();
  lab.advance(3 * DAY);
  const backUp = async (): Promise<void> => {
    lab.source.change([{ op: 'put', path: 'a', size: 100, seed: lab.now }]);
    const { status } = await lab.backUp(new Date(lab.now).toISOString());
    if (status !== 'SUCCEEDED') throw new Error(`the backup is ${status}`);
  };
  await backUp();
  const [like] = await lab.ledger.livingPoints(pair);
  if (!like) throw new Error('the backup left no point');
  const from = lab.now + HOUR;
  const slots = Array.from({ length: points - 2 }, (_, n) => from + n * 10_000);
  await addPoints(lab.ozone, lab.ledger, { pair, bucket: 'sales/orders', like }, slots);
  lab.advance(HOUR + points * 10_000);
  await backUp();
  lab.advance(2 * DAY);
  return lab;
};

const prune = (lab: Lab): Promise<BackupResult> => {
  lab.advance(HOUR);
  return lab.prune(new Date(lab.now).toISOString());
};

/** Of the items of a run and its operations: the longest, in characters. */
const longestItem = async (lab: Lab, { steps }: BackupResult): Promise<number> => {
  const ids = lab.runCommand.commands.map(({ parameters }) => OperationId.parse(parameters.operation));
  const operations = await Promise.all(ids.map((id) => lab.operations.load(id)));
  return Math.max(...[...operations, ...steps].map((item) => JSON.stringify(item).length));
};
const activeOn = (lab: Lab): readonly number[] =>
  ['prod', 'dr'].map((service) => lab.ozone.snapshots(`ofs://${service}/sales/orders`).length);

describe('a prune of a bucket with ten thousand points', () => {
  it('condemns and deletes as one with ten does, in items of a few kilobytes', { timeout: 900_000 }, async () => {
    const lab = await labWith(POINTS);
    const first = await prune(lab);
    const [condemned, all] = [MOST_CONDEMNED, 2 * POINTS];
    const kept = all - condemned;
    expect(first).toMatchObject({ status: 'SUCCEEDED', output: { deleted: 0, condemned, waiting: condemned, kept } });
    lab.advance(DAY);
    const second = await prune(lab);
    const waiting = 2 * condemned - 30;
    expect(second).toMatchObject({ status: 'SUCCEEDED', output: { deleted: 30, condemned, waiting } });
    expect(activeOn(lab)).toEqual([POINTS - 15, POINTS - 15]);
    expect(await longestItem(lab, first)).toBeLessThan(10_000);
    expect(await longestItem(lab, second)).toBeLessThan(10_000);
  });
});

describe('a listing that is too long for an item', () => {
  it.each([
    ['is another than the host wrote', (text: string) => text.replace('"ACTIVE"', '"DELETED"')],
    ['was cut', (text: string) => text.slice(0, -200)],
    ['is gone', () => undefined],
  ])('deletes and condemns nothing when its output %s', async (_, tamper) => {
    const lab = await labWith(200);
    const { read } = lab.runCommand.outputs;
    lab.runCommand.outputs.read = async (url) => tamper((await read(url)) ?? '');
    expect(await prune(lab)).toMatchObject({ status: 'FAILED', error: 'EdgeReplyInvalid' });
    expect(activeOn(lab)).toEqual([200, 200]);
    const points = await lab.ledger.livingPoints(pair);
    expect(points.every(({ removal }) => removal.source === null && removal.replica === null)).toBe(true);
  });
});
