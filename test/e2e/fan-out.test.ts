import { describe, expect, it } from 'vitest';
import { PruneOutcome } from '../../functions/core/domain/backup-step.ts';
import { drillPair, PairId, PolicyName } from '../../functions/core/domain/names.ts';
import { Policy } from '../../functions/core/domain/policy.ts';
import { type BackupResult, Lab, NORTH } from '../in-process-edge/lab.ts';
import type { Change } from '../ozone-simulator/change.ts';

// Two policies on one bucket: to the same replica, and to two.

const HOUR = 3600 * 1000;
const DAY = 24 * HOUR;
const TO_DR = PairId.parse('prod/sales/orders#dr');
const TO_NORTH = PairId.parse('prod/sales/orders#north');
const compliance = PolicyName.parse('compliance');
const put = (path: string, seed: number): Change => ({ op: 'put', path, size: 10 + seed, seed });

const retention = (source: number, replica: number) => ({
  zone: 'UTC',
  source: { keepLast: source },
  replica: { keepLast: replica },
  graceHours: 1,
  coolingOffHours: 0,
});
/** Keeps more than the nightly one, and asks for more. */
const besides =
  (more: Partial<Policy> = {}) =>
  (nightly: Policy) => [
    Policy.parse({ ...nightly, name: 'compliance', retention: retention(9, 9), verification: 'changed', ...more }),
  ];
const labOf = async (beside: (nightly: Policy) => readonly Policy[]): Promise<Lab> => {
  const lab = new Lab({ retention: retention(1, 2), beside });
  await lab.expand();
  lab.advance(3 * DAY);
  return lab;
};

const iso = (lab: Lab): string => new Date(lab.now).toISOString();
const start = (lab: Lab, policy: string, work: 'backup' | 'prune' | 'drill' = 'backup') =>
  lab.startWith({ policy, slot: iso(lab) }, lab.functions, work);
const run = (lab: Lab, policy: string, work: 'backup' | 'prune' | 'drill' = 'backup'): Promise<BackupResult> =>
  lab.play(start(lab, policy, work));
const both = (lab: Lab, work: 'backup' | 'prune' | 'drill' = 'backup') =>
  lab.playTogether(['nightly', 'compliance'].map((policy) => start(lab, policy, work)));
const outcomes = (results: readonly BackupResult[]) =>
  results.map((it) => (it.status === 'SUCCEEDED' ? it.output : `${it.error}: ${it.cause}`));
const names = (lab: Lab, side: 'source' | 'replica', policy: string) =>
  lab.snapshots(side).flatMap(({ name }) => (name.startsWith(`odr-${policy}-`) ? [name] : []));

describe('two policies of one bucket and one replica', () => {
  it('are both done when their slots are at the same minute: the second goes on from the point of the first', async () => {
    const lab = await labOf(besides());
    lab.source.change([put('a', 1)]);
    const [first, second] = outcomes(await both(lab));
    expect(first).toMatchObject({ kind: 'verified', mode: 'bootstrap' });
    expect(second).toMatchObject({ kind: 'verified', mode: 'incremental', base: names(lab, 'source', 'nightly')[0] });
  });

  it('compare by checksum what changed since the last point that was compared so, whoever made those in between', async () => {
    const lab = await labOf(besides());
    lab.source.change([put('a', 1), put('b', 2)]);
    await run(lab, 'compliance');
    lab.advance(HOUR);
    lab.source.change([put('c', 3)]);
    await run(lab, 'nightly');
    lab.advance(HOUR);
    lab.source.change([put('d', 4)]);
    expect(outcomes([await run(lab, 'compliance')])).toMatchObject([{ kind: 'verified', level: 'changed' }]);
    const [newest] = await lab.points();
    expect(newest).toMatchObject({ policy: 'compliance', verification: { level: 'changed', checksums: 2 } });
  });

  it('go round all parts of a rolling comparison, each its own', async () => {
    const lab = new Lab({ verification: 'rolling/2', beside: besides({ verification: 'rolling/2' as never }) });
    const parts = async (policy: string) => {
      lab.advance(HOUR);
      const { steps } = await run(lab, policy);
      return steps.flatMap(({ decision }) => (decision.kind === 'verify' ? [decision.part] : []));
    };
    const all = [];
    for (let n = 0; n < 4; n++) all.push([await parts('nightly'), await parts('compliance')]);
    expect(all).toEqual([
      [[1], [1]],
      [[2], [2]],
      [[1], [1]],
      [[2], [2]],
    ]);
  });

  it('prune their own points alone, and never the base that both go on from', async () => {
    const lab = await labOf(besides());
    for (let n = 0; n < 4; n++) {
      lab.advance(2 * HOUR);
      lab.source.change([put(`f${n}`, n)]);
      await both(lab);
    }
    // The base is now the other policy's point, and only its own rules may let it go.
    const { base } = await lab.pair();
    expect(base?.name).toBe(names(lab, 'source', 'compliance').at(-1));
    const all = names(lab, 'source', 'compliance');
    for (let n = 0; n < 3; n++) {
      lab.advance(2 * HOUR);
      for (const it of outcomes(await both(lab, 'prune'))) expect(PruneOutcome.safeParse(it).success).toBe(true);
    }
    expect(names(lab, 'source', 'nightly').length).toBeLessThanOrEqual(2);
    expect(names(lab, 'replica', 'nightly')).toHaveLength(2);
    expect(names(lab, 'source', 'compliance')).toEqual(all);
    expect(names(lab, 'replica', 'compliance')).toEqual(all);
    lab.advance(HOUR);
    expect(outcomes(await both(lab))).toMatchObject([{ mode: 'incremental' }, { mode: 'incremental' }]);
  });

  it('drill each their own points, at the same time, and remember it each', async () => {
    const lab = await labOf(besides());
    lab.source.change([put('a', 1)]);
    await both(lab);
    lab.advance(HOUR);
    const [nightly, other] = outcomes(await both(lab, 'drill'));
    expect(nightly).toMatchObject({ kind: 'drilled', point: names(lab, 'source', 'nightly')[0] });
    expect(other).toMatchObject({ kind: 'drilled', point: names(lab, 'source', 'compliance')[0] });
    for (const policy of [PolicyName.parse('nightly'), compliance]) {
      const { lastDrill, scratch } = await lab.ledger.loadPair(
        drillPair({ name: policy, source: { name: 'prod' as never } }, 'sales/orders' as never),
      );
      expect({ point: lastDrill?.point, scratch }).toEqual({
        point: names(lab, 'source', policy)[0],
        scratch: null,
      });
    }
  });

  it('bring over what the other missed, whatever their own rules keep', async () => {
    const lab = await labOf(besides());
    lab.source.change([put('a', 1)]);
    await run(lab, 'nightly');
    lab.ozone.setFaults([{ id: 'down', effect: { kind: 'unreachable', service: 'dr' } }]);
    for (let n = 0; n < 3; n++) {
      lab.advance(HOUR);
      lab.source.change([put(`f${n}`, n)]);
      await run(lab, 'compliance');
    }
    lab.ozone.setFaults([]);
    lab.advance(HOUR);
    expect(outcomes([await run(lab, 'nightly')])).toMatchObject([{ kind: 'verified' }]);
    expect(names(lab, 'source', 'compliance')).toHaveLength(3);
    expect(names(lab, 'replica', 'compliance')).toEqual(names(lab, 'source', 'compliance'));
    // And the clock of the other knows it.
    const { newest } = await lab.pair();
    expect(newest?.[compliance]?.verified.listing?.name).toBe(names(lab, 'source', 'compliance').at(-1));
  });

  it('go on when one of them is removed: its points stay, are said, and may still be the base', async () => {
    let isThere = true;
    const lab = await labOf((nightly) => (isThere ? besides()(nightly) : []));
    lab.source.change([put('a', 1)]);
    await both(lab);
    isThere = false;
    lab.advance(2 * HOUR);
    lab.source.change([put('b', 2)]);
    const [left] = names(lab, 'source', 'compliance');
    expect(outcomes([await run(lab, 'nightly')])).toMatchObject([{ mode: 'incremental', base: left }]);
    for (let n = 0; n < 3; n++) {
      lab.advance(2 * HOUR);
      const pruned = PruneOutcome.parse(outcomes([await run(lab, 'nightly', 'prune')])[0]);
      expect(pruned.notes).toEqual([expect.stringContaining('2 snapshots of the policy compliance')]);
    }
    expect(names(lab, 'source', 'compliance')).toEqual([left]);
    expect(names(lab, 'replica', 'compliance')).toEqual([left]);
  });
});

describe('two policies of one bucket and two replicas', () => {
  const toNorth = besides({ replica: NORTH });

  it('wait for nobody: each has its own lineage, drills and points', async () => {
    const lab = await labOf(toNorth);
    lab.source.change([put('a', 1)]);
    expect(outcomes(await both(lab))).toMatchObject([{ mode: 'bootstrap' }, { mode: 'bootstrap' }]);
    lab.advance(HOUR);
    lab.source.change([put('b', 2)]);
    expect(outcomes(await both(lab))).toMatchObject([
      { mode: 'incremental', base: names(lab, 'source', 'nightly')[0] },
      { mode: 'incremental', base: names(lab, 'source', 'compliance')[0] },
    ]);
    const of = async (pair: PairId) => new Set((await lab.ledger.livingPoints(pair)).map(({ policy }) => policy));
    expect([await of(TO_DR), await of(TO_NORTH)]).toEqual([new Set(['nightly']), new Set(['compliance'])]);
    lab.advance(HOUR);
    expect(outcomes([await run(lab, 'nightly', 'drill')])).toMatchObject([{ kind: 'drilled' }]);
    // A drill on one replica proves nothing of the other.
    expect((await lab.ledger.loadPair(PairId.parse('prod/sales/orders#drill-compliance'))).lastDrill).toBeNull();
  });

  it('prune what is theirs: the snapshots of the other on the common source are not', async () => {
    const lab = await labOf(toNorth);
    for (let n = 0; n < 4; n++) {
      lab.advance(2 * HOUR);
      lab.source.change([put(`f${n}`, n)]);
      await both(lab);
    }
    for (let n = 0; n < 3; n++) {
      lab.advance(2 * HOUR);
      await both(lab, 'prune');
    }
    expect(names(lab, 'source', 'nightly')).toHaveLength(2);
    expect(names(lab, 'source', 'compliance')).toHaveLength(4);
    expect(lab.ozone.snapshots('ofs://north/sales/orders')).toHaveLength(4);
  });

  it('back up nothing of a source that is not its primary any more, wherever it was failed over to', async () => {
    const lab = await labOf(toNorth);
    lab.source.change([put('a', 1)]);
    await both(lab);
    lab.advance(HOUR);
    const failed = await lab.confirmed('failover', { kind: 'unplanned', slot: iso(lab) });
    expect(failed).toMatchObject({ status: 'SUCCEEDED' });
    lab.advance(HOUR);
    expect(outcomes(await both(lab))).toMatchObject([
      { kind: 'skipped', error: 'NotPrimary' },
      { kind: 'skipped', error: 'NotPrimary', reason: expect.stringContaining('was failed over to dr') },
    ]);
  });
});
