import { spawn } from 'node:child_process';
import { readFileSync, rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, it } from 'vitest';
import { compactTime } from '../../functions/core/domain/names.ts';
import { epochMs } from '../../functions/core/domain/units.ts';
import { problemsOfMarkup } from '../demo/markup.ts';
import { slotOf, week } from '../demo/story.ts';

const project = fileURLToPath(new URL('../../', import.meta.url));
const page = `${project}.cache/demo/lineage.html`;

interface Finished {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

const demo = (...args: readonly string[]): Promise<Finished> =>
  new Promise((resolve, reject) => {
    const child = spawn(process.execPath, ['--import', 'tsx', 'test/demo/demo.ts', ...args], { cwd: project });
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text;
    });
    child.on('error', reject).on('close', (code) => resolve({ code, stdout, stderr }));
  });

describe('npm run demo', () => {
  let finished: Finished;

  beforeAll(async () => {
    rmSync(page, { force: true });
    finished = await demo('--json');
  }, 600_000);

  it('plays the week as the story says, without a word on stderr', () => {
    expect(finished).toMatchObject({ code: 0, stderr: '' });
    for (const { title } of week) expect(finished.stdout).toContain(title);
    expect(finished.stdout).toContain('ReplicaUnreachable');
    expect(finished.stdout).not.toContain('\u001b');
  });

  it('ends with a summary for machines', () => {
    expect(JSON.parse(finished.stdout.trimEnd().split('\n').at(-1) ?? '')).toEqual({
      points: 10,
      modes: { bootstrap: 1, incremental: 7, resync: 2 },
      verified: 10,
      repaired: 2,
      failedRuns: 1,
      alarms: 4,
      transitions: expect.any(Number),
      commands: 48,
      jvmStarts: 76,
      seconds: expect.any(Number),
    });
  });

  it('leaves a page that is well-formed and shows each point', () => {
    const html = readFileSync(page, 'utf8');
    expect(problemsOfMarkup(html)).toEqual([]);
    for (const { date, expected } of week) {
      const name = `odr-nightly-${compactTime(epochMs(slotOf(date).getTime()))}-1`;
      expect(html.includes(`<dd>${name}</dd>`)).toBe(expected.kind !== 'missed');
    }
  });
});

describe('the command line of the demo', () => {
  it('prints the usage for an option that it does not know, and ends with 2', async () => {
    const { code, stdout, stderr } = await demo('--ozon');
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toContain("'--ozon'");
    expect(stderr).toContain('usage: npm run demo');
  });
});
