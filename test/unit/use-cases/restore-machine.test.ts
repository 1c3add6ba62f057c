import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { BackupStep } from '../../../functions/core/domain/backup-step.ts';
import { ClusterName, drillPair, PolicyName, targetPair } from '../../../functions/core/domain/names.ts';
import { isDrError } from '../../../functions/core/errors.ts';
import { restorePolicy } from '../planner/restore-world.ts';
import { baseOf, nameOf } from '../planner/world.ts';
import { lineage, restoreStage } from './restore-fixture.ts';
import {
  digestOfFiles,
  type Ended,
  type Fault,
  type Files,
  Killed,
  modelClusters,
  restoreMachine,
} from './restore-machine.ts';

const pointFiles: Files = new Map([
  ['p/1', 'one'],
  ['p/2', 'two'],
  ['p/3', 'three'],
  ['q/4', 'four'],
  ['q/5', 'five'],
]);
/** Since then one file was changed, one grew, one was deleted and one is new. */
const liveFiles: Files = new Map([
  ['p/1', 'ONE'],
  ['p/2', 'two and more'],
  ['q/4', 'four'],
  ['q/5', 'five'],
  ['new', 'new'],
]);
const rescued: Files = new Map([
  ['p/1', 'mine'],
  ['other', 'mine too'],
]);

const prod = ClusterName.parse('prod');
const dr = ClusterName.parse('dr');

interface Scenario {
  readonly workflow: 'restore' | 'drill';
  readonly request: object;
  /** Where it restores to. */
  readonly at?: string;
  /** What is there when all is well. */
  readonly expected?: Files;
  readonly prepare?: (clusters: ReturnType<typeof modelClusters>) => void;
}

const side = 'prod/sales/orders-restore-20261120t100000z';
const slot = '2026-11-20T10:00:00Z';
const restore = (request: object, at: string, expected: Files, prepare?: Scenario['prepare']): Scenario => ({
  workflow: 'restore',
  request: { by: 'ann', reason: 'r', point: nameOf('a'), slot, ...request },
  at,
  expected,
  ...(prepare ? { prepare } : {}),
});

const scenarios: Readonly<Record<string, Scenario>> = {
  'a bucket to the side': restore({}, side, pointFiles),
  'two paths to the side': restore(
    { scope: { paths: ['p', 'q/5'] } },
    side,
    new Map([...pointFiles].filter(([it]) => it !== 'q/4')),
  ),
  'a bucket to the side, planned first': restore({ planOnly: true }, side, pointFiles),
  'a bucket that was lost, planned before anything is made': restore(
    { target: 'in-place', planOnly: true },
    'prod/sales/orders',
    pointFiles,
    ({ buckets }) => {
      buckets.delete('prod/sales/orders');
    },
  ),
  'a bucket in place': restore(
    { target: 'in-place', overwrite: 'if-different' },
    'prod/sales/orders',
    new Map([...pointFiles, ['new', 'new']]),
  ),
  'a bucket in place, exactly': restore(
    { target: 'in-place', overwrite: 'always', deleteExtra: true },
    'prod/sales/orders',
    pointFiles,
  ),
  'what is missing in place': restore(
    { target: 'in-place' },
    'prod/sales/orders',
    new Map([...pointFiles, ...liveFiles]),
  ),
  'a bucket that was lost': restore({ target: 'in-place' }, 'prod/sales/orders', pointFiles, ({ buckets }) => {
    buckets.delete('prod/sales/orders');
  }),
  'a bucket into one that is in use': restore(
    { target: { cluster: 'dr', bucket: 'sales/rescued' }, overwrite: 'if-different' },
    'dr/sales/rescued',
    new Map([...rescued, ...pointFiles]),
    ({ make }) => {
      make('dr/sales/rescued', rescued);
    },
  ),
  'a drill': { workflow: 'drill', request: { slot } },
};

const pairOf = ({ workflow, at = '' }: Scenario) => {
  const [cluster = '', ...bucket] = at.split('/');
  return workflow === 'drill'
    ? drillPair({ name: PolicyName.parse('nightly'), source: { name: prod } }, 'sales/orders' as never)
    : targetPair(cluster === 'dr' ? dr : prod, bucket.join('/') as never);
};

const stageOf = async (scenario: Scenario) => {
  const stage = await restoreStage({ source: 'a*', replica: 'a*' }, [restorePolicy()]);
  const clusters = modelClusters((hash) => stage.selections.selections.get(hash));
  const source = clusters.make('prod/sales/orders', liveFiles);
  const replica = clusters.make('dr/sales/orders', pointFiles);
  source.snapshots.set(nameOf('a'), { id: baseOf('a').sourceId, files: pointFiles });
  replica.snapshots.set(nameOf('a'), { id: baseOf('a').replicaId, files: pointFiles });
  scenario.prepare?.(clusters);
  for (const point of await stage.ledger.livingPoints(lineage))
    await stage.ledger.putPoint(lineage, {
      ...point,
      verification: point.verification && { ...point.verification, digest: digestOfFiles(pointFiles) },
    });
  return { stage, clusters, machine: restoreMachine(stage, clusters) };
};
type Stage = Awaited<ReturnType<typeof stageOf>>;

/** A person who starts it, confirms what is planned, and starts it again whatever happens, until it is done. */
const pursue = async (
  { machine, stage, clusters }: Stage,
  { workflow, request }: Scenario,
  faults: (step: BackupStep) => Fault = () => 'ok',
  tries = 12,
): Promise<readonly Ended[]> => {
  const ends: Ended[] = [];
  let more: object = {};
  for (let n = 0; n < tries; n++) {
    let end: Ended;
    try {
      end = await machine.start(workflow, { ...request, ...more }, `execution-${n}`, faults);
    } catch (error) {
      // Somebody else plans anew with a new slot when the old words do not count any more.
      if (isDrError(error, 'NotConfirmed')) more = { slot: new Date(stage.clock.now()).toISOString() };
      else if (!(error instanceof Killed)) throw error;
      machine.dieAt();
      continue;
    }
    ends.push(end);
    expect(clusters.losses).toEqual([]);
    expect(machine.unmarked).toEqual([]);
    expect(machine.overlaps).toEqual([]);
    if (end.kind === 'restore-planned')
      more = { ...more, planOnly: false, plan: end.plan, confirmation: end.confirmation };
    else if (end.kind === 'failed') {
      if (end.error === 'ChangedMeanwhile') more = { slot: new Date(stage.clock.now()).toISOString() };
      // A copy that holds on to the scratch bucket is over when the next drill is due.
      stage.pass(end.error === 'ScratchNotRemoved' ? 180 : 1);
    } else if (end.kind !== 'busy') return ends;
  }
  throw new Error(`never done: ${JSON.stringify(ends)}`);
};

const scratchesOf = ({ clusters }: Stage) => [...clusters.buckets.keys()].filter((it) => it.includes('odr-drill-'));

/** Nothing is left behind, and what was asked for is there. */
const expectDone = async (of: Stage, scenario: Scenario): Promise<void> => {
  const { stage, clusters } = of;
  const pair = await stage.ledger.loadPair(pairOf(scenario));
  expect(pair).toMatchObject({ lease: null, scratch: null, dirtySince: null });
  expect(await stage.pins()).toEqual([]);
  expect(scratchesOf(of)).toEqual([]);
  if (scenario.at) expect(clusters.buckets.get(scenario.at)?.files).toEqual(scenario.expected);
};

// Hundreds of runs each: how long that takes is not what is tested.
describe.each(Object.entries(scenarios))('%s', { timeout: 120_000 }, (_name, scenario) => {
  it('comes to its end', async () => {
    const of = await stageOf(scenario);
    const ends = await pursue(of, scenario);
    expect(ends.at(-1)?.kind).toBe(scenario.workflow === 'drill' ? 'drilled' : 'restored');
    await expectDone(of, scenario);
    // Once more is nothing more.
    expect(await of.machine.start(scenario.workflow, scenario.request, 'again')).toMatchObject({ kind: 'skipped' });
  });

  it('changes nothing while it only plans', async () => {
    const of = await stageOf(scenario);
    if (scenario.workflow === 'drill') return;
    const state = () =>
      JSON.stringify(
        [...of.clusters.buckets].map(([at, { files, snapshots }]) => [at, [...files], [...snapshots.keys()]]),
      );
    const untouched = state();
    expect(await of.machine.start('restore', { ...scenario.request, planOnly: true }, 'only')).toMatchObject({
      kind: 'restore-planned',
    });
    expect(state()).toBe(untouched);
    expect(await of.stage.pins()).toEqual([]);
    expect(await of.stage.ledger.loadPair(pairOf(scenario))).toMatchObject({ lease: null, dirtySince: null });
  });

  it.each(['before', 'after'] as const)(
    'killed %s any of its writes it goes on, and comes to the same end',
    async (when) => {
      const writes = await (async () => {
        const of = await stageOf(scenario);
        await pursue(of, scenario);
        return of.machine.ticks();
      })();
      expect(writes).toBeGreaterThan(20);
      for (let at = 1; at <= writes; at++) {
        const of = await stageOf(scenario);
        of.machine.dieAt(at, when);
        await pursue(of, scenario);
        await expectDone(of, scenario);
      }
    },
  );

  it('waits for a copy that goes on although nobody hears of it, on whatever host', async () => {
    const of = await stageOf(scenario);
    let isFirst = true;
    await pursue(of, scenario, ({ kind }) => {
      if (kind !== 'restore' || !isFirst) return 'ok';
      isFirst = false;
      return 'late';
    });
    expect(of.machine.overlaps).toEqual([]);
    expect(isFirst).toBe(false);
    await expectDone(of, scenario);
  });

  it('keeps its word whatever the hosts do, and whenever it is killed', async () => {
    const fault = fc.constantFrom<Fault>(
      ...(['ok', 'ok', 'unreachable', 'failed', 'interrupted', 'lost-before', 'lost-after', 'never-sent'] as const),
      ...(['out-of-time', 'busy', 'target-away', 'gone', 'late'] as const),
    );
    await fc.assert(
      fc.asyncProperty(
        fc.array(fault, { maxLength: 14 }),
        fc.option(fc.tuple(fc.integer({ min: 1, max: 90 }), fc.constantFrom('before', 'after'))),
        async (faults, death) => {
          const of = await stageOf(scenario);
          if (death) of.machine.dieAt(...(death as [number, 'before']));
          const left = [...faults];
          await pursue(of, scenario, () => left.shift() ?? 'ok');
          of.machine.endLate();
          expect(of.clusters.losses).toEqual([]);
          if (scenario.workflow === 'drill') await expectDone(of, scenario);
          else expect(of.clusters.buckets.get(scenario.at ?? '')?.files).toEqual(scenario.expected);
          expect(await of.stage.pins()).toEqual([]);
        },
      ),
      { numRuns: 40 },
    );
  });
});

it('a scratch bucket is removed by the host of a copy that may be alive: no other sees its lock', async () => {
  const scenario = scenarios['a drill'];
  if (!scenario) throw new Error('there is a drill');
  const of = await stageOf(scenario);
  const left: Fault[] = ['ok', 'ok', 'late', 'failed', 'late'];
  await pursue(of, scenario, () => left.shift() ?? 'ok');
  expect(of.machine.overlaps).toEqual([]);
  await expectDone(of, scenario);
});
