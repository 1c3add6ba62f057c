import { expect, it } from 'vitest';
import { RestorePlanned } from '../../functions/core/domain/restore.ts';
import { Lab } from '../in-process-edge/lab.ts';

const HOUR = 3_600_000;

it.each(['replicate', 'create-snapshot', 'verify'])(
  'an unplanned failover takes the bucket from a backup that hangs in %s, which writes nothing more to the replica',
  async (state) => {
    const lab = new Lab();
    lab.source.change([{ op: 'put', path: 'a', size: 10, seed: 1 }]);
    expect(await lab.backUp(new Date(lab.now).toISOString())).toMatchObject({ status: 'SUCCEEDED' });
    const good = [...lab.tree('replica')];
    const unplanned = { kind: 'unplanned' };
    lab.advance(HOUR);
    const planned = await lab.failover(unplanned);
    const { plan, confirmation } = RestorePlanned.parse(planned.status === 'SUCCEEDED' ? planned.output : undefined);

    lab.advance(60_000);
    lab.source.change([{ op: 'put', path: 'b', size: 20, seed: 2 }]);
    const hung = lab.start(new Date(lab.now).toISOString());
    for (let isThere = false; ; ) {
      const { value, done } = await hung.next();
      if (done) throw new Error(`the backup never came to ${state}`);
      isThere ||= value.kind === 'entered' && value.state === state;
      if (isThere && value.kind === 'token') break;
      if (value.kind === 'token')
        for (const command of lab.runCommand.pending()) {
          lab.deliver(command);
          await lab.sweep();
        }
    }
    const [late] = lab.runCommand.pending();

    // Its command does its work while others are delivered: what it copied is nothing that the plan has seen.
    const first = await lab.failover({ ...unplanned, plan, confirmation });
    if (state !== 'create-snapshot') expect(first).toMatchObject({ status: 'FAILED', error: 'ChangedMeanwhile' });
    const done = state === 'create-snapshot' ? first : await lab.confirmed('failover', unplanned);
    expect(done).toMatchObject({ status: 'SUCCEEDED', output: { kind: 'failed-over' } });
    expect([...lab.tree('replica')]).toEqual(good);

    if (late) lab.deliver(late);
    await lab.sweep();
    const end = await lab.play(hung);
    expect(end).toMatchObject({ status: 'FAILED', error: 'LeaseLost' });
    expect([...lab.tree('replica')]).toEqual(good);
  },
);
