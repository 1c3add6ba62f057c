import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { distributed, machine, task, waitForToken } from './cases.ts';

const folder = mkdtempSync(join(tmpdir(), 'asl-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const cli = new URL('cli.ts', import.meta.url).pathname;

/** Runs the command on a definition; the answer is its exit code, its one line of JSON, and what it complained of. */
function asl(command: string, definition: unknown, ...args: readonly string[]) {
  const file = join(folder, `${command}-${Math.random()}.json`);
  writeFileSync(file, typeof definition === 'string' ? definition : JSON.stringify(definition));
  return new Promise<{ code: number; answer: Record<string, unknown>; complaint: string }>((resolve) => {
    const child = execFile(
      process.execPath,
      ['--import', 'tsx', cli, command, file, ...args],
      (_error, out, complaint) => {
        const lines = out.split('\n');
        const answer = lines.length === 2 && lines[1] === '' ? JSON.parse(lines[0] ?? '') : {};
        resolve({ code: child.exitCode ?? -1, answer, complaint });
      },
    );
  });
}

const types = (answer: Record<string, unknown>) =>
  Array.isArray(answer.events) ? answer.events.map((event: { type: string }) => event.type) : [];

describe('npm run asl', () => {
  it('runs with mocks in call order, the last one repeating, in virtual time', async () => {
    const definition = machine({
      M: {
        Type: 'Map',
        Items: '{% $states.input.items %}',
        MaxConcurrency: 1,
        ItemProcessor: {
          StartAt: 'T',
          States: {
            T: task({
              Retry: [{ ErrorEquals: ['Slow'], IntervalSeconds: 3600 }],
              Output: '{% $states.result.Payload %}',
            }),
          },
        },
        End: true,
      },
    });
    const mocks = {
      T: [{ error: 'Slow', cause: 'c' }, { result: { Payload: 'first' } }, { result: { Payload: 'rest' } }],
    };
    const { code, answer } = await asl(
      'run',
      definition,
      '--input',
      '{"items":[1,2,3]}',
      '--mocks',
      JSON.stringify(mocks),
    );
    expect(code).toBe(0);
    expect(Object.keys(answer)).toEqual(['status', 'output', 'events']);
    expect(answer).toMatchObject({ status: 'SUCCEEDED', output: ['first', 'rest', 'rest'] });
    expect(types(answer).filter((type) => type === 'TaskScheduled')).toHaveLength(4);
    expect(answer.events).toContainEqual(
      expect.objectContaining({
        id: 1,
        previousEventId: 0,
        timestamp: '2026-01-01T00:00:00.000Z',
        type: 'ExecutionStarted',
      }),
    );
  });

  it('tells error and cause of a failed run, also of a token that never came back', async () => {
    const { code, answer } = await asl('run', machine({ A: waitForToken({ HeartbeatSeconds: 60 }) }), '--input', '{}');
    expect(code).toBe(0);
    expect(answer).toMatchObject({ status: 'FAILED', error: 'States.HeartbeatTimeout', cause: '' });
    expect(types(answer).at(-1)).toBe('ExecutionFailed');
  });

  it('answers INVALID with exit code 2 for what AWS would refuse', async () => {
    for (const definition of ['no JSON', machine({ A: { Type: 'Pass', Next: 'B' } })]) {
      const { code, answer } = await asl('run', definition, '--input', '{}');
      expect(code).toBe(2);
      expect(answer).toMatchObject({ status: 'INVALID', error: 'InvalidDefinition' });
    }
  });

  it('reads datasets from, and writes results to, a folder of buckets', async () => {
    mkdirSync(join(folder, 's3/data'), { recursive: true });
    writeFileSync(join(folder, 's3/data/list.jsonl'), '{"n":1}\n{"n":2}\n');
    const definition = machine({
      M: distributed({
        ItemReader: {
          Resource: 'arn:aws:states:::s3:getObject',
          Arguments: { Bucket: 'data', Key: 'list.jsonl' },
          ReaderConfig: { InputType: 'JSONL' },
        },
      }),
    });
    const { answer } = await asl('run', definition, '--input', '{}', '--s3', join(folder, 's3'));
    expect(answer).toMatchObject({ status: 'SUCCEEDED', output: [{ n: 1 }, { n: 2 }] });
  });

  it('says what is wrong with its own arguments, with exit code 1', async () => {
    const { code, complaint } = await asl('run', machine({ A: { Type: 'Succeed' } }), '--input', '{');
    expect(code).toBe(1);
    expect(complaint).toContain('--input is not valid JSON');
  });

  it('checks a definition: findings, house rules, and what needs mocks here', async () => {
    const good = await asl(
      'check',
      machine({ A: task({ Resource: 'arn:aws:states:::sqs:sendMessage', Arguments: {} }) }),
    );
    expect(good).toMatchObject({ code: 0, answer: { status: 'OK', findings: [] } });
    expect(good.answer.warnings).toEqual(['/States/A: a Task needs TimeoutSeconds']);
    expect(good.answer.notEmulated).toHaveLength(1);
    const bad = await asl('check', machine({ A: { Type: 'Pass', Output: '{% $states.result %}', End: true } }));
    expect(bad).toMatchObject({ code: 2, answer: { status: 'INVALID' } });
    expect(bad.answer.findings).toHaveLength(1);
  });
});
