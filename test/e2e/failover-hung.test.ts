import { describe, expect, it } from 'vitest';
import { RestorePlanned } from '../../functions/core/domain/restore.ts';
import type { Ended, Moment } from '../in-process-edge/execution.ts';
import { Lab } from '../in-process-edge/lab.ts';
import { type Command, eventOf } from '../in-process-edge/run-command.ts';

const HOUR = 3_600_000;

const deliver = async (lab: Lab, command: Command): Promise<void> => {
  lab.deliver(command);
  await lab.settle(eventOf(command));
};

/** Plays an execution to its end, without the commands of others. */
const alone = async (
  lab: Lab,
  execution: AsyncGenerator<Moment, Ended>,
  others: readonly Command[],
): Promise<Ended> => {
  for (;;) {
    const { value, done } = await execution.next();
    if (done) return value;
    if (value.kind === 'wait') lab.advance(value.seconds * 1000);
    if (value.kind !== 'token') continue;
    const own = lab.runCommand.pending().find((it) => !others.includes(it));
    if (own) await deliver(lab, own);
    else lab.advance(60_000);
    await lab.sweep();
  }
};

const confirmed = async (lab: Lab, others: readonly Command[]): Promise<Ended> => {
  const start = (request: object) =>
    alone(lab, lab.startWith({ kind: 'unplanned', ...request }, lab.functions, 'failover'), others);
  const planned = await start({});
  const { plan, confirmation } = RestorePlanned.parse(planned.status === 'SUCCEEDED' ? planned.output : planned);
  return start({ plan, confirmation });
};

/** A bucket with a point and something newer, and the words for its failover. */
const planned = async () => {
  const lab = new Lab();
  lab.source.change([{ op: 'put', path: 'a', size: 10, seed: 1 }]);
  expect(await lab.backUp(new Date(lab.now).toISOString())).toMatchObject({ status: 'SUCCEEDED' });
  const good = [...lab.tree('replica')];
  lab.advance(HOUR);
  const { plan, confirmation } = RestorePlanned.parse(Object(await lab.failover({ kind: 'unplanned' })).output);
  lab.advance(60_000);
  lab.source.change([{ op: 'put', path: 'b', size: 20, seed: 2 }]);
  return { lab, good, words: { plan, confirmation } };
};

/** A backup up to its command in this state, which nobody delivers. */
const hanging = async (lab: Lab, state: string) => {
  const backup = lab.start(new Date(lab.now).toISOString());
  for (let isThere = false; ; ) {
    const { value, done } = await backup.next();
    if (done) throw new Error(`the backup never came to ${state}`);
    isThere ||= value.kind === 'entered' && value.state === state;
    const [command] = lab.runCommand.pending();
    if (value.kind !== 'token' || !command) continue;
    if (isThere) return { backup, command };
    await deliver(lab, command);
  }
};

const states = ['survey', 'create-snapshot', 'replicate', 'verify'];

describe('an unplanned failover takes the bucket from a backup that hangs', () => {
  it.each(states)('in %s: its command comes too late, and changes nothing on the new primary', async (state) => {
    const { lab, good, words } = await planned();
    const { backup, command } = await hanging(lab, state);
    const execution = lab.startWith({ kind: 'unplanned', ...words }, lab.functions, 'failover');
    const first = await alone(lab, execution, [command]);
    // What was copied before is nothing that the plan has seen.
    const done = first.status === 'SUCCEEDED' ? first : await confirmed(lab, [command]);
    expect(done).toMatchObject({ status: 'SUCCEEDED', output: { kind: 'failed-over' } });
    expect([...lab.tree('replica')]).toEqual(good);

    await deliver(lab, command);
    expect([...lab.tree('replica')]).toEqual(good);
    expect(await alone(lab, backup, [])).toMatchObject({ status: 'FAILED', error: 'LeaseLost' });
    expect([...lab.tree('replica')]).toEqual(good);
    expect((await lab.pair()).role).toMatchObject({ primary: 'replica', state: 'settled' });
  });

  it.each(states)('in %s: its command comes while the failover begins', async (state) => {
    const { lab, good, words } = await planned();
    const { backup, command } = await hanging(lab, state);
    const first = await lab.failover({ kind: 'unplanned', ...words });
    const done = first.status === 'SUCCEEDED' ? first : await confirmed(lab, [command]);
    expect(done).toMatchObject({ status: 'SUCCEEDED', output: { kind: 'failed-over' } });
    expect(await alone(lab, backup, [])).toMatchObject({ status: 'FAILED', error: 'LeaseLost' });
    expect([...lab.tree('replica')]).toEqual(good);
  });
});
