import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EdgeHost, type Reply, type Variables } from '../../edge-host/edge-host.ts';
import type { Clusters } from '../../fixtures/deployment.ts';
import { batchOf, type Line, op } from './batch-lines.ts';

const SERVICES = ['prod', 'dr'] as const;

/** What becomes of each bucket of the volume `many` between its two snapshots. */
const FATES = [
  ...['same', 'put', 'deleted', 'renamed', 'overwritten', 'emptied', 'gone', 'legacy'],
  ...['written', 'replaced', 'extra', 'baseless', 'last'],
] as const;
type Fate = (typeof FATES)[number];
const LAYOUTS: Readonly<Record<string, string>> = { legacy: 'LEGACY', objects: 'OBJECT_STORE' };

/** More than one answer of an Ozone manager holds. */
const CROWD = 1100;

/** The verbs for many buckets, as a host runs them on clusters that are real or simulated. */
export const describeManyBuckets = (name: string, start: () => Promise<Clusters>): void => {
  describe(`verbs for many buckets, on ${name}`, () => {
    let clusters: Clusters;
    let host: EdgeHost;
    let operations = 200;
    let delivered: { readonly parameters: ReturnType<typeof batchOf>; readonly reply: Reply };

    const sh = (...commands: readonly string[]): Promise<string> =>
      clusters.ozone('sh', ...commands.flatMap((command) => ['--execute', command]));
    /** What these commands, whose answers are objects or lists, say. */
    const ask = async (...commands: readonly string[]): Promise<readonly Readonly<Record<string, string>>[]> => {
      const lines = (await sh(...commands)).split('\n');
      const at = commands.map((command) => lines.indexOf(command));
      return at.map((from, n) => JSON.parse(lines.slice(from + 1, at[n + 1]).join('\n')));
    };
    const run = async (verb: string, parameters: Variables): Promise<Reply> => {
      operations += 1;
      return (await host.run(verb, { operation: op(operations), ...parameters })).reply;
    };
    /** Operations of their own for the members. */
    const batch = (...lines: readonly Line[]) => {
      const numbered = lines.map((line, n) => ({ operation: op(operations + 1 + n), ...line }));
      operations += lines.length;
      return batchOf(...numbered);
    };
    const answers = ({ outcome, data }: Reply): readonly (readonly [string, string])[] => {
      expect(outcome).toBe('ok');
      return data.replies.map((it: Reply) => [it.outcome, it.code]);
    };
    /** What the ledger would say of buckets that are to be sealed, as they are now. */
    const sealing = async (names: readonly Fate[], target: string, fence: string): Promise<readonly Line[]> => {
      const lookedAt: readonly Fate[] = names.filter((it) => it !== 'gone');
      const told = await ask(
        ...lookedAt.flatMap((it) => [
          ...[`snapshot info o3://prod/many/${it} s-1`, `snapshot info o3://prod/many/${it} ${target}`],
          ...[`snapshot info o3://dr/many/${it} s-1`, `bucket info o3://dr/many/${it}`],
        ]),
      );
      return names.map((it) => {
        const [base, sealed, replica, bucket] = told.slice(4 * Math.max(0, lookedAt.indexOf(it)));
        return {
          ...{ bucket: `many/${it}`, target, base: 's-1', fence, fenceSeed: 'yes' },
          targetId: sealed?.snapshotId ?? '',
          baseSourceId: base?.snapshotId ?? '',
          baseReplicaId: replica?.snapshotId ?? '',
          replicaCreated: bucket?.creationTime ?? '',
        };
      });
    };

    beforeAll(async () => {
      clusters = await start();
      host = new EdgeHost();
      await clusters.hostConfig(host.config, { client_attempts: '3', client_wait_ms: '200' });
      const made = FATES.filter((it) => it !== 'gone');
      const ends = await Promise.all(
        SERVICES.map(async (service) => {
          await sh(
            `volume create o3://${service}/many`,
            ...[...made, 'objects'].map(
              (it) => `bucket create -l ${LAYOUTS[it] ?? 'FILE_SYSTEM_OPTIMIZED'} o3://${service}/many/${it}`,
            ),
          );
          for (const it of made)
            await clusters.change(`ofs://${service}/many/${it}`, [
              { op: 'put', path: 'a b/ä', size: 10, seed: 1 },
              { op: 'put', path: 'b', size: 20, seed: 2 },
              { op: 'mkdir', path: 'empty' },
            ]);
          return () => sh(...made.map((it) => `snapshot create o3://${service}/many/${it} s-1`));
        }),
      );
      await Promise.all(ends.map((end) => end()));
      await clusters.change('ofs://prod/many/put', [{ op: 'put', path: 'c', size: 1, seed: 1 }]);
      await clusters.change('ofs://prod/many/deleted', [{ op: 'rm', path: 'b' }]);
      await clusters.change('ofs://prod/many/renamed', [{ op: 'mv', path: 'b', to: 'c' }]);
      await clusters.change('ofs://prod/many/overwritten', [{ op: 'put', path: 'b', size: 20, seed: 3 }]);
      await clusters.change('ofs://prod/many/emptied', [{ op: 'rmr', path: 'empty' }]);
    });
    afterAll(() => clusters?.stop());

    it('takes snapshots of all but the bucket that is not there, whatever their layouts', async () => {
      const names = [...FATES, 'objects'];
      const parameters = {
        operation: op(1),
        ...batch(...names.map((it) => ({ bucket: `many/${it}`, target: 's-2' }))),
      };
      const { reply } = await host.run('snapshot', parameters);
      delivered = { parameters, reply };
      expect(answers(reply)).toEqual(names.map((it) => (it === 'gone' ? ['refused', 'source-missing'] : ['ok', ''])));
      // One start up to the bucket that is not there, one for all behind it.
      expect(reply.jvmStarts).toBe(2);
      const listed = await ask(...['last', 'objects'].map((it) => `snapshot list --all o3://prod/many/${it}`));
      for (const list of listed) expect(JSON.stringify(list)).toContain('"name":"s-2"');
    });

    it('answers a second delivery with the first answer, and does nothing', async () => {
      const { reply } = await host.run('snapshot', delivered.parameters);
      expect(reply).toEqual(delivered.reply);
    });

    it('seals what did not change, tells what did, and refuses what it was not told of', async () => {
      await clusters.change('ofs://dr/many/written', [{ op: 'put', path: 'b', size: 20, seed: 9 }]);
      await clusters.change('ofs://dr/many/replaced', [
        { op: 'rm', path: 'b' },
        { op: 'put', path: 'b', size: 20, seed: 2 },
      ]);
      await clusters.change('ofs://dr/many/extra', [{ op: 'put', path: 'more', size: 1, seed: 1 }]);
      const reply = await run('seal-unchanged', batch(...(await sealing(FATES, 's-2', '5'))));
      const outcomes = answers(reply).map(([outcome, code], n) => [FATES[n], outcome, code]);
      const refused = ['gone', 'written', 'replaced', 'extra'];
      expect(outcomes).toEqual(
        FATES.map((it) => [
          it,
          refused.includes(it) ? 'refused' : 'ok',
          it === 'gone' ? 'replica-missing' : refused.includes(it) ? 'replica-modified' : '',
        ]),
      );
      const changed = reply.data.replies.filter((it: Reply) => it.data?.unchanged === false);
      expect(changed.map((it: Reply) => FATES[reply.data.replies.indexOf(it)])).toEqual([
        ...['put', 'deleted', 'renamed', 'overwritten', 'emptied'],
      ]);
      const sealed = ['same', 'legacy', 'baseless', 'last'];
      const lists = await ask(
        ...FATES.filter((it) => it !== 'gone').map((it) => `snapshot list --all -p s-2 o3://dr/many/${it}`),
      );
      expect(FATES.filter((it) => it !== 'gone').filter((_, n) => JSON.stringify(lists[n]) !== '[]')).toEqual(sealed);
      // Up to the bucket that is not there, behind it, and the seals.
      expect(reply.jvmStarts).toBe(3);
    });

    it('refuses a base that was deleted from the replica, and seals the others', async () => {
      const names = ['same', 'baseless', 'last'] as const;
      await sh(...names.map((it) => `snapshot create o3://prod/many/${it} s-3`));
      const lines = await sealing(names, 's-3', '6');
      await sh('snapshot delete o3://dr/many/baseless s-1');
      const reply = await run('seal-unchanged', batch(...lines));
      expect(answers(reply)).toEqual([
        ['ok', ''],
        ['refused', 'base-missing'],
        ['ok', ''],
      ]);
    });

    it('surveys buckets of every layout, a link and what is not there', async () => {
      await sh('bucket link o3://prod/many/same o3://prod/many/linked');
      const names = ['same', 'gone', 'legacy', 'linked', 'objects', 'last'];
      const reply = await run('survey', batch(...names.map((it) => ({ bucket: `many/${it}` }))));
      expect(answers(reply)).toEqual(names.map(() => ['ok', '']));
      const states = reply.data.replies.map(({ data: { source, replica } }: Reply) => [
        source.bucket?.link === true ? 'link' : (source.bucket?.layout ?? source.state),
        replica.state,
      ]);
      expect(states).toEqual([
        ['FILE_SYSTEM_OPTIMIZED', 'read'],
        ['missing', 'missing'],
        ['LEGACY', 'read'],
        ['link', 'missing'],
        ['OBJECT_STORE', 'read'],
        ['FILE_SYSTEM_OPTIMIZED', 'read'],
      ]);
      const [{ data: same }] = reply.data.replies;
      expect(same.source.snapshots.map((it: { readonly name: string }) => it.name)).toEqual(['s-1', 's-2', 's-3']);
    });

    it('lists the buckets of all volumes that globs can meet, of every layout, without links', async () => {
      await sh(
        'volume create o3://prod/many-more',
        'bucket create o3://prod/many-more/one',
        'volume create o3://prod/void',
      );
      const { outcome, message, jvmStarts, data } = await run('buckets', { replica: '', globs: 'many*/*,vo?d/*' });
      expect([outcome, message, jvmStarts]).toEqual(['ok', '', 2]);
      expect(data.volumes).toBe(3);
      expect([...data.buckets].sort()).toEqual(
        ['many-more/one', ...[...FATES, 'objects'].filter((it) => it !== 'gone').map((it) => `many/${it}`)].sort(),
      );
    });

    it('lists more buckets than one answer of a manager holds', async () => {
      const names = Array.from({ length: CROWD }, (_, n) => `b-${String(n).padStart(4, '0')}`);
      await sh('volume create o3://prod/crowd', ...names.map((it) => `bucket create o3://prod/crowd/${it}`));
      const { outcome, message, data } = await run('buckets', { replica: '', globs: 'crowd/*' });
      expect([outcome, message, data?.volumes]).toEqual(['ok', '', 1]);
      expect(data.buckets).toEqual(names.map((it) => `crowd/${it}`));
    }, 180_000);
  });
};
