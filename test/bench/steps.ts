// What one backup with changes takes: transitions, remote commands, JVM starts, and whether a long copy takes more.
// The script of the hosts runs against simulated clusters; time is virtual.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PairId } from '../../functions/core/domain/names.ts';
import { Bytes } from '../../functions/core/domain/units.ts';
import { type BackupResult, deploy, policyText } from '../fixtures/deployment.ts';
import { createSimulator } from '../ozone-simulator/simulator.ts';
import type { Module } from './figures.ts';

const BUCKET = 'sales/orders';
const HOUR = 3600;
const CONTENT_FILES = 100;
const FILE_BYTES = 1000;

/** An increment whose copy took so many seconds in the story. */
const increment = async (copySeconds: number): Promise<BackupResult> => {
  const directory = mkdtempSync(join(tmpdir(), 'ozone-dr-bench-'));
  const clusters = await createSimulator({ directory });
  try {
    for (const side of ['prod', 'dr']) await clusters.createBucket(`ofs://${side}/${BUCKET}`);
    const put = (path: string, seed: number) => ({ op: 'put', path, size: FILE_BYTES, seed }) as const;
    await clusters.change(
      `ofs://prod/${BUCKET}`,
      Array.from({ length: CONTENT_FILES }, (_, i) => put(`d${i % 10}/f${i}`, i)),
    );
    const deployment = await deploy({
      clusters,
      policies: policyText([BUCKET], 'limits: { copyTimeout: 20h }', '[]'),
      clock: { virtualFrom: new Date('2026-11-20T02:00:00Z') },
      duration: ({ parameters }) => (parameters.verb?.[0] === 'replicate' ? copySeconds : 2),
    });
    try {
      const backUp = async (): Promise<BackupResult> => {
        const result = await deployment.backUp({ policy: 'nightly', bucket: BUCKET });
        if (result.status !== 'SUCCEEDED') throw new Error(`${result.error}: ${result.cause}`);
        return result;
      };
      await backUp();
      // The hosts' clock is not that of the story: the ledger is told how slow the way to the replica is, or the copy would be ended early.
      const slow = {
        bytesCopied: Bytes.parse(2e9),
        copySeconds: Math.ceil((2e9 * copySeconds) / (CONTENT_FILES * FILE_BYTES)),
      };
      const [first] = await deployment.points(BUCKET);
      if (!first) throw new Error('the first backup left no point');
      await deployment.ledger.putPoint(PairId.parse(`prod/${BUCKET}#dr`), { ...first, ...slow });
      await clusters.change(`ofs://prod/${BUCKET}`, [put('d0/f0', 1000), put('d1/f1', 1001)]);
      await deployment.cloud.advanceBy(HOUR);
      const result = await backUp();
      if (result.output?.mode !== 'incremental') throw new Error(`no increment: ${JSON.stringify(result.output)}`);
      return result;
    } finally {
      await deployment.close();
    }
  } finally {
    await clusters.stop();
    rmSync(directory, { recursive: true, force: true });
  }
};

export const steps: Module = {
  name: 'steps',
  figures: ['transitions', 'transitionsLongCopy', 'remoteCommands', 'jvmStarts'],
  measure: async (say) => {
    say('steps: an increment with a copy of 1 minute, and one of 10 hours');
    const short = await increment(60);
    const long = await increment(10 * HOUR);
    if (long.seconds < 10 * HOUR) throw new Error(`the long copy took ${long.seconds} s`);
    const operations = short.steps.filter((it) => it.jvmStarts !== null);
    const started = operations.map((it) => `${it.decision.kind} ${it.jvmStarts}`);
    return {
      values: {
        transitions: short.transitions,
        transitionsLongCopy: long.transitions,
        remoteCommands: operations.length,
        jvmStarts: operations.reduce((sum, it) => sum + (it.jvmStarts ?? 0), 0),
      },
      details: [
        `JVM starts by command: ${started.join(', ')}. The long run took ${Math.round(long.seconds / 360) / 10} h of virtual time.`,
      ],
    };
  },
};
