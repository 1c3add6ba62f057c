import { ended, expectHealthy, lostEvents, type Path } from './paths.ts';
import { check, type Stage } from './stage.ts';

/** An attempt of a slot of the policy with globs. */
const attempt = async (stage: Stage, slot: string, n: number): Promise<string> => {
  const arn = stage.cloud.startExecution('ozone-dr-backup-fleet', { policy: 'ledgers', slot, attempt: n });
  await ended(stage, arn);
  const { status, error, cause, output } = stage.cloud.stepFunctions.execution(arn);
  check(`attempt ${n} succeeds`, status === 'SUCCEEDED', [error, cause?.slice(60)]);
  return JSON.stringify(output ?? null);
};

/** Two buckets that its glob gives. */
const twoLedgers = async (stage: Stage): Promise<void> => {
  await stage.reset();
  for (const name of ['one', 'two']) {
    for (const service of ['prod', 'dr']) stage.ozone().createBucket(`ofs://${service}/ledger/${name}`);
    stage.ozone().change(`ofs://prod/ledger/${name}`, [{ op: 'put', path: 'page', size: 100, seed: 1 }]);
  }
};

/** A slot is done, and there is nothing left of it for another attempt. */
const expectBoth = async (stage: Stage): Promise<void> => {
  const slot = new Date(stage.cloud.clock.now()).toISOString();
  const first = await attempt(stage, slot, 1);
  check('both buckets that the glob gives are backed up', first.includes('"buckets":2'), first);
  check('their points are of one instant', first.includes('2 buckets at one instant'), first);
  const copies = ['one', 'two'].map((name) => stage.ozone().snapshots(`ofs://dr/ledger/${name}`).length);
  check('each has a point on the replica', copies.join() === '1,1', copies);
  const again = await attempt(stage, slot, 2);
  check('nothing is left of the slot', again.includes('"buckets":0'), again);
};

/** Ways of a fleet whose policy has globs. */
export const fleets: readonly Path[] = [
  {
    name: 'the buckets of a glob are enrolled and backed up, and another attempt finds nothing left',
    walk: async (stage) => {
      await twoLedgers(stage);
      await expectBoth(stage);
      await expectHealthy(stage);
    },
  },
  {
    name: 'the buckets of a glob, when events are lost and the sweeper settles',
    walk: async (stage) => {
      await twoLedgers(stage);
      stage.faults(lostEvents);
      await expectBoth(stage);
      await expectHealthy(stage);
    },
  },
];
