import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { explain } from '../../functions/cli/explain.ts';
import { epochMs } from '../../functions/core/domain/units.ts';
import { alarmsOf } from '../demo/play.ts';
import { type Deployment, deploy, policyText } from '../fixtures/deployment.ts';
import type { Change } from '../ozone-cluster/ozone-clusters.ts';
import { createSimulator, type OzoneSimulator } from '../ozone-simulator/simulator.ts';

const [MEANT, MISTAKEN, FOREIGN] = ['sales/meant', 'sales/mistaken', 'sales/foreign'] as const;
const FILES = 20;
const content: readonly Change[] = Array.from({ length: FILES }, (_, i) => ({
  op: 'put',
  path: `2026/part-${i}`,
  size: 1000 + i,
  seed: i,
}));
const massDelete: readonly Change[] = content.slice(2).map(({ path }) => ({ op: 'rm', path }));
const POLICIES = policyText([MEANT, MISTAKEN, FOREIGN], 'brake: { percent: 50, atLeast: 5 }');
const source = (bucket: string) => `ofs://prod/${bucket}`;
const replica = (bucket: string) => `ofs://dr/${bucket}`;

describe('what only a person may decide, through the deployed form', () => {
  let clusters: OzoneSimulator;
  let deployment: Deployment;
  let raised: readonly string[];

  beforeAll(async () => {
    // After the slot of the policy's schedule: the runs here are started one by one.
    const from = new Date('2026-11-10T03:00:00Z');
    clusters = await createSimulator({ directory: mkdtempSync(join(tmpdir(), 'ozone-dr-decision-')) });
    const setTime = (at: number) => clusters.inProcess.setClock({ now: at, skewMs: {} });
    setTime(from.getTime());
    for (const bucket of [MEANT, MISTAKEN, FOREIGN])
      for (const url of [source(bucket), replica(bucket)]) await clusters.createBucket(url);
    for (const bucket of [MEANT, MISTAKEN, FOREIGN]) await clusters.change(source(bucket), content);
    deployment = await deploy({
      clusters,
      policies: POLICIES,
      clock: { virtualFrom: from },
      duration: () => 2,
      onEvent: (event) => {
        if (event.kind === 'command' && event.status === 'InProgress') setTime(event.at);
      },
    });
    // An alarm judges its first whole window.
    await deployment.cloud.advanceBy(11 * 60);
    raised = alarmsOf(deployment.cloud);
  });
  afterAll(async () => {
    await deployment?.close();
    await clusters?.stop();
  });

  const backUp = (bucket: string) => deployment.backUp({ policy: 'nightly', bucket });
  const expectFollowed = async (bucket: string, files: number) => {
    const [point] = await deployment.points(bucket);
    expect(point).toMatchObject({ state: 'verified' });
    const now = await clusters.tree(source(bucket));
    expect([...now.values()].filter(({ type }) => type === 'file')).toHaveLength(files);
    expect(await clusters.tree(replica(bucket))).toEqual(now);
    expect(await clusters.tree(`${replica(bucket)}/.snapshot/${point?.name}`)).toEqual(now);
  };
  /** What is held back, by its name. */
  const heldTarget = async (bucket: string) => (await deployment.pair(bucket)).hold?.target ?? 'nothing';

  describe('a mass delete that was meant', () => {
    it('is held: the replica keeps what it has, the last good point is pinned, and people are told', async () => {
      expect(await backUp(MEANT)).toMatchObject({ status: 'SUCCEEDED' });
      expect(raised).toEqual([]);
      const before = await clusters.tree(replica(MEANT));
      await clusters.change(source(MEANT), massDelete);
      const held = await backUp(MEANT);
      expect(held).toMatchObject({ status: 'FAILED', error: 'AnomalousChange' });
      expect(held.cause).toContain('18 deletes and 0 renames, 10 are allowed unasked');
      expect(held.cause).toContain(`"accept ${MEANT} ${await heldTarget(MEANT)}"`);
      expect(await clusters.tree(replica(MEANT))).toEqual(before);
      expect(await deployment.points(MEANT)).toMatchObject([
        { state: 'taken' },
        { state: 'verified', pinned: expect.stringContaining('the last good point before the anomalous change') },
      ]);
      await deployment.cloud.advanceBy(6 * 60);
      expect(raised).toEqual(['anomaly-held']);
    });

    it('is still held in the next run, which takes its snapshot all the same', async () => {
      const before = await clusters.tree(replica(MEANT));
      const target = await heldTarget(MEANT);
      const commands = deployment.cloud.commands().length;
      expect(await backUp(MEANT)).toMatchObject({ status: 'FAILED', error: 'AnomalousChange' });
      expect((await deployment.points(MEANT)).map(({ state }) => state)).toEqual(['taken', 'taken', 'verified']);
      expect(await heldTarget(MEANT)).toBe(target);
      expect(await clusters.tree(replica(MEANT))).toEqual(before);
      // A survey and a snapshot: nothing is counted again.
      expect(deployment.cloud.commands().length - commands).toBe(2);
    });

    it('is not let through by wrong words; the refusal says the right ones', async () => {
      const right = `accept ${MEANT} ${await heldTarget(MEANT)}`;
      for (const words of ['yes', `accept ${MEANT} odr-nightly-20261110t020000z-1`, `accept ${MISTAKEN} nothing`]) {
        const refused = await deployment.decide(MEANT, words, 'clean-up');
        expect(refused).toMatchObject({ status: 'FAILED', error: 'NotConfirmed' });
        if (words !== 'yes') expect(refused.cause).toContain(`write ${right}`);
      }
      expect((await deployment.pair(MEANT)).hold).toMatchObject({ accepted: null, rejected: null });
    });

    it('follows once it is accepted', async () => {
      const decided = await deployment.decide(MEANT, `accept ${MEANT} ${await heldTarget(MEANT)}`, 'clean-up');
      expect(decided).toMatchObject({ status: 'SUCCEEDED' });
      expect(await backUp(MEANT)).toMatchObject({ status: 'SUCCEEDED' });
      await expectFollowed(MEANT, 2);
      expect(await deployment.pair(MEANT)).toMatchObject({ hold: null, lease: null, dirtySince: null });
      expect((await deployment.points(MEANT)).filter(({ pinned }) => pinned !== null)).toEqual([]);
    });

    it('was accepted for itself alone: the next large change is held again', async () => {
      await clusters.change(source(MEANT), content);
      expect(await backUp(MEANT)).toMatchObject({ status: 'SUCCEEDED' });
      await clusters.change(source(MEANT), massDelete);
      expect(await backUp(MEANT)).toMatchObject({ status: 'FAILED', error: 'AnomalousChange' });
    });
  });

  describe('a mass delete that was a mistake', () => {
    it('is rejected: the replica stays, and the refusal says who rejected it and why', async () => {
      expect(await backUp(MISTAKEN)).toMatchObject({ status: 'SUCCEEDED' });
      const before = await clusters.tree(replica(MISTAKEN));
      await clusters.change(source(MISTAKEN), massDelete);
      expect(await backUp(MISTAKEN)).toMatchObject({ status: 'FAILED', error: 'AnomalousChange' });
      const words = `reject ${MISTAKEN} ${await heldTarget(MISTAKEN)}`;
      expect(await deployment.decide(MISTAKEN, words, 'a script ran wild')).toMatchObject({ status: 'SUCCEEDED' });
      const held = await backUp(MISTAKEN);
      expect(held).toMatchObject({ status: 'FAILED', error: 'AnomalousChange' });
      expect(held.cause).toContain('Ada rejected the change');
      expect(held.cause).toContain('a script ran wild');
      expect(await clusters.tree(replica(MISTAKEN))).toEqual(before);
    });

    it('is undone on the source; accepted then, the replica follows to what was restored', async () => {
      await clusters.change(source(MISTAKEN), content);
      expect(await backUp(MISTAKEN)).toMatchObject({ status: 'FAILED', error: 'AnomalousChange' });
      const words = `accept ${MISTAKEN} ${await heldTarget(MISTAKEN)}`;
      expect(await deployment.decide(MISTAKEN, words, 'restored')).toMatchObject({ status: 'SUCCEEDED' });
      expect(await backUp(MISTAKEN)).toMatchObject({ status: 'SUCCEEDED' });
      await expectFollowed(MISTAKEN, FILES);
      expect((await deployment.pair(MISTAKEN)).hold).toBeNull();
    });
  });

  describe('a replica bucket that holds what this product did not write', () => {
    it('is refused with the words that would adopt it, and is made equal to the source once they are typed', async () => {
      await clusters.change(replica(FOREIGN), [{ op: 'put', path: 'theirs', size: 5, seed: 99 }]);
      const refused = await backUp(FOREIGN);
      expect(refused).toMatchObject({ status: 'FAILED', error: 'ReplicaNotOurs' });
      const words = /"(adopt [^"]+)"/.exec(refused.cause ?? '')?.[1] ?? 'none';
      expect(words).toMatch(new RegExp(`^adopt ${FOREIGN} on dr created \\d{4}-`));
      expect((await clusters.tree(replica(FOREIGN))).has('theirs')).toBe(true);

      expect(await deployment.decide(FOREIGN, words, 'it is an old copy')).toMatchObject({ status: 'SUCCEEDED' });
      expect(await backUp(FOREIGN)).toMatchObject({ status: 'SUCCEEDED' });
      await expectFollowed(FOREIGN, FILES);
    });
  });

  describe('a point that a person wants to keep', () => {
    it('is pinned while a run holds the bucket; what needs the bucket has to wait, the run goes on', async () => {
      const { cloud } = deployment;
      const [point] = await deployment.points(FOREIGN);
      const pin = `pin ${FOREIGN} ${point?.name}`;
      const run = cloud.startExecution('ozone-dr-backup', { policy: 'nightly', bucket: FOREIGN });
      const sent = cloud.commands().length;
      await cloud.clock.runUntil(() => cloud.commands().length > sent);
      const { lease } = await deployment.pair(FOREIGN);
      expect(lease?.execution).toBe(run);

      expect(await deployment.decide(FOREIGN, pin, 'audit of 2026')).toMatchObject({ status: 'SUCCEEDED' });
      const adopt = `adopt ${FOREIGN} on dr created 2026-01-01T00:00:00Z`;
      expect(await deployment.decide(FOREIGN, adopt, 'why not')).toMatchObject({ error: 'RunAlreadyOpen' });
      expect(cloud.stepFunctions.execution(run).status).toBe('RUNNING');
      expect((await deployment.pair(FOREIGN)).lease).toEqual(lease);

      expect(await cloud.executionEnded(run)).toMatchObject({ status: 'SUCCEEDED' });
      const [newest, pinned] = await deployment.points(FOREIGN);
      expect(newest).toMatchObject({ state: 'verified', pins: [] });
      expect(pinned).toMatchObject({ name: point?.name, pins: [{ by: 'Ada', reason: 'audit of 2026' }] });
    });

    it('under a name that there is not: the refusal says the nearest ones', async () => {
      const [newest] = await deployment.points(FOREIGN);
      const refused = await deployment.decide(FOREIGN, `hold ${FOREIGN} ${newest?.name}0 without end`, 'case 7');
      expect(refused).toMatchObject({ status: 'FAILED', error: 'NotConfirmed' });
      expect(refused.cause).toContain(`did you mean ${newest?.name}`);
    });

    it('is explained from the table of the deployment: who keeps it, why, and what is on record of it', async () => {
      const { cloud } = deployment;
      const [, pinned] = await deployment.points(FOREIGN);
      const file = join(mkdtempSync(join(tmpdir(), 'ozone-dr-explain-')), 'policies.yaml');
      writeFileSync(file, POLICIES);
      process.env.AWS_ACCESS_KEY_ID = 'a-person';
      process.env.AWS_SECRET_ACCESS_KEY = 'local';
      const said: string[] = [];
      const options = ['--endpoint', cloud.endpoint, '--region', 'eu-central-1', '--table', cloud.table().name];
      const code = await explain(
        [FOREIGN, '--point', `${pinned?.name}`, '--policies', file, ...options],
        { out: (text) => said.push(text), err: (text) => said.push(text) },
        epochMs(cloud.clock.now()),
      );
      const out = said.join('');
      expect({ code, out }).toEqual({ code: 0, out: expect.stringContaining('pinned by Ada: audit of 2026') });
      expect(out).toContain('it is the base before the last');
      expect(out).toContain(`Ada decided "pin ${FOREIGN} ${pinned?.name}" (audit of 2026)`);
    });
  });
});
