import { describe, expect, it } from 'vitest';
import { PruneOutcome } from '../../functions/core/domain/backup-step.ts';
import type { RecoveryPoint } from '../../functions/core/domain/ledger.ts';
import { PairId, PolicyName } from '../../functions/core/domain/names.ts';
import type { Happening } from '../../functions/core/domain/record.ts';
import { isDrError } from '../../functions/core/errors.ts';
import { type BackupResult, FEW_POINTS, Lab, type LabOptions, type Side } from '../in-process-edge/lab.ts';
import { eventOf } from '../in-process-edge/run-command.ts';
import type { Change } from '../ozone-simulator/change.ts';

// Pruning as it is deployed, in one process: schedules, state machine, functions, ledger and both clusters.

const HOUR = 3600 * 1000;
const DAY = 24 * HOUR;
const pair = PairId.parse('prod/sales/orders#dr');
const put = (path: string, seed: number): Change => ({ op: 'put', path, size: 10 + seed, seed });

const RETENTION = { ...FEW_POINTS, maxDeletions: 100 };

/** `days` nights with a backup each, an hour apart from whatever comes next. */
const nightsOf = async (days: number, options: LabOptions = {}): Promise<Lab> => {
  const lab = new Lab({ retention: RETENTION, ...options });
  await lab.expand();
  // The first rules of a policy count from the third day on.
  lab.advance(3 * DAY);
  for (let day = 0; day < days; day++) await night(lab, day);
  return lab;
};

const night = async (lab: Lab, seed: number): Promise<BackupResult> => {
  lab.advance(DAY);
  lab.source.change([put(`f${seed}`, seed)]);
  return lab.backUp(new Date(lab.now).toISOString());
};

const prune = (lab: Lab): Promise<BackupResult> => {
  lab.advance(HOUR);
  return lab.prune(new Date(lab.now).toISOString());
};

/** What a prune that succeeded came to. */
const outputOf = (result: BackupResult): PruneOutcome => {
  if (result.status !== 'SUCCEEDED') throw new Error(`${result.error}: ${result.cause}`);
  return PruneOutcome.parse(result.output);
};

const listedOn = (lab: Lab, side: Side): readonly { name: string; snapshotStatus: string }[] => {
  const bucket = `o3://${side === 'source' ? 'prod' : 'dr'}/sales/orders`;
  return JSON.parse(lab.ozone.run('ozone', ['sh', 'snapshot', 'list', '--all', bucket]).stdout);
};
const namesOn = (lab: Lab, side: Side): readonly string[] =>
  listedOn(lab, side)
    .filter((it) => it.snapshotStatus === 'SNAPSHOT_ACTIVE')
    .map((it) => it.name);

const ozone = (lab: Lab, ...argv: readonly string[]): void => {
  const { exit, stderr } = lab.ozone.run('ozone', ['sh', ...argv]);
  if (exit !== 0) throw new Error(stderr);
};

const kinds = (result: BackupResult): readonly string[] => result.steps.map(({ decision }) => decision.kind);
const happenings = async (lab: Lab): Promise<readonly Happening[]> =>
  (await lab.records.read(pair)).map(({ happening }) => happening);
const said = async <K extends Happening['kind']>(lab: Lab, kind: K) =>
  (await happenings(lab)).filter((it): it is Extract<Happening, { kind: K }> => it.kind === kind);
const states = (points: readonly RecoveryPoint[], side: Side) => points.map((it) => it.removal[side]?.state ?? null);

describe('a prune', () => {
  it('condemns first, and a day later deletes on each side what its rules do not keep', async () => {
    const lab = await nightsOf(6);
    const all = namesOn(lab, 'source');
    expect(all).toHaveLength(6);
    const first = await prune(lab);
    expect(first).toMatchObject({
      status: 'SUCCEEDED',
      // Of six on the source the newest two stay, on the replica the newest three.
      output: { kind: 'pruned', deleted: 0, condemned: 7, waiting: 7, kept: 5, plan: expect.any(String) },
    });
    expect(kinds(first)).toEqual(['survey', 'condemn', 'done']);
    expect(namesOn(lab, 'source')).toEqual(all);

    lab.advance(DAY);
    const second = await prune(lab);
    expect(kinds(second)).toEqual(['survey', 'delete', 'survey', 'delete', 'survey', 'done']);
    expect(outputOf(second)).toMatchObject({ deleted: 7, condemned: 0, waiting: 0, plan: null });
    expect(namesOn(lab, 'source')).toEqual(all.slice(-2));
    expect(namesOn(lab, 'replica')).toEqual(all.slice(-3));
    expect((await lab.ledger.livingPoints(pair)).map(({ name }) => name)).toEqual(all.slice(-3).toReversed());
    expect(await lab.ledger.retiredPoints(pair)).toHaveLength(3);
    const deleted = await said(lab, 'deleted');
    expect(deleted.flatMap(({ snapshots }) => snapshots)).toHaveLength(7);
    expect(deleted.every(({ byUs, plan }) => byUs && plan === outputOf(first).plan)).toBe(true);
  });

  it('leaves the lineage whole: the next backup is an increment', async () => {
    const lab = await nightsOf(5);
    await prune(lab);
    lab.advance(DAY);
    await prune(lab);
    const next = await night(lab, 9);
    expect(next).toMatchObject({ output: { kind: 'verified', mode: 'incremental' } });
  });

  it('deletes nothing before the grace is over', async () => {
    const lab = await nightsOf(5);
    await prune(lab);
    lab.advance(20 * HOUR);
    const second = await prune(lab);
    expect(outputOf(second)).toMatchObject({ deleted: 0, condemned: 0, waiting: 5 });
    expect(namesOn(lab, 'source')).toHaveLength(5);
  });

  it('stops at the cap, oldest first, and goes on in the next run', async () => {
    const lab = await nightsOf(6, { retention: { ...RETENTION, maxDeletions: 2 } });
    const all = namesOn(lab, 'source');
    await prune(lab);
    lab.advance(DAY);
    expect(outputOf(await prune(lab))).toMatchObject({ deleted: 2, waiting: 5 });
    expect(namesOn(lab, 'source')).toEqual(all.slice(1));
    expect(namesOn(lab, 'replica')).toEqual(all.slice(1));
    expect(outputOf(await prune(lab))).toMatchObject({ deleted: 2, waiting: 3 });
  });

  it('takes a condemnation back when the rules keep more again', async () => {
    const lab = await nightsOf(5);
    await prune(lab);
    lab.retention = { ...RETENTION, source: { keepLast: 5 }, replica: { keepLast: 5 } };
    lab.advance(DAY);
    expect(outputOf(await prune(lab))).toMatchObject({ deleted: 0, spared: 5, waiting: 0 });
    expect(states(await lab.ledger.livingPoints(pair), 'source')).toEqual([null, null, null, null, null]);
    expect((await said(lab, 'spared'))[0]?.snapshots).toHaveLength(5);
  });
});

describe('a side on which nothing can be deleted', () => {
  it('does not keep the other from being pruned, and is told of at the end', async () => {
    const lab = await nightsOf(6);
    await prune(lab);
    lab.advance(DAY);
    await night(lab, 7);
    lab.ozone.setFaults([
      {
        id: 'denied',
        match: { command: 'snapshot delete o3://prod' },
        effect: { kind: 'permission-denied', service: 'prod' },
      },
    ]);
    expect(await prune(lab)).toMatchObject({ status: 'FAILED', error: 'AccessDenied' });
    expect(namesOn(lab, 'source')).toHaveLength(7);
    expect(namesOn(lab, 'replica')).toHaveLength(4);
    // One of them was condemned by that very run, before it failed.
    expect(states(await lab.ledger.livingPoints(pair), 'source').filter((it) => it === 'condemned')).toHaveLength(5);
    lab.ozone.setFaults([]);
    expect(outputOf(await prune(lab))).toMatchObject({ deleted: 4 });
  });
});

describe('a point of another policy of the bucket', () => {
  it('is left to that policy, also when that policy has condemned it', async () => {
    const lab = await nightsOf(5);
    await prune(lab);
    const condemned = (await lab.ledger.livingPoints(pair)).filter(({ removal }) => removal.source !== null);
    for (const point of condemned) await lab.ledger.putPoint(pair, { ...point, policy: PolicyName.parse('hourly') });
    lab.advance(DAY);
    expect(outputOf(await prune(lab))).toMatchObject({ deleted: 0, spared: 0 });
    const now = await lab.ledger.livingPoints(pair);
    expect(now.filter(({ removal }) => removal.source?.state === 'condemned')).toHaveLength(condemned.length);
  });
});

describe('a point that is condemned', () => {
  const oldest = async (lab: Lab): Promise<RecoveryPoint> => {
    const point = (await lab.ledger.livingPoints(pair)).at(-1);
    if (!point) throw new Error('there are points');
    return point;
  };
  const pin = { by: 'ann', reason: 'audit', at: 0 as never };

  it('stays once somebody pins it, on both sides', async () => {
    const lab = await nightsOf(5);
    await prune(lab);
    const point = await oldest(lab);
    await lab.ledger.changePoint(pair, point, { pins: [pin], removal: { source: null, replica: null } });
    lab.advance(DAY);
    await prune(lab);
    expect(namesOn(lab, 'source')).toContain(point.name);
    expect(namesOn(lab, 'replica')).toContain(point.name);
    expect(namesOn(lab, 'source')).toHaveLength(3);
  });

  it('stays when it is pinned between the decision and the write before the command', async () => {
    let pinned = false;
    const lab: Lab = await nightsOf(5, {
      between: (name, port) =>
        name !== 'ledger'
          ? port
          : new Proxy(port, {
              get: (target, method) => {
                const call: unknown = Reflect.get(target, method);
                if (method !== 'changePoint' || typeof call !== 'function') return call;
                return async (...args: readonly unknown[]) => {
                  const [, seen, patch] = args as [unknown, RecoveryPoint, { removal?: RecoveryPoint['removal'] }];
                  if (patch.removal?.source?.state === 'deleting' && !pinned) {
                    pinned = true;
                    await call.call(target, pair, seen, { pins: [pin] });
                  }
                  return call.apply(target, args);
                };
              },
            }),
    });
    const all = namesOn(lab, 'source');
    await prune(lab);
    lab.advance(DAY);
    await prune(lab);
    expect(pinned).toBe(true);
    // The oldest two of a command are marked newest first: one of them was pinned in the last moment.
    expect(namesOn(lab, 'source')).toHaveLength(3);
    const living = await lab.ledger.livingPoints(pair);
    const kept = living.find(({ pins }) => pins.length > 0);
    expect(all).toContain(kept?.name);
    expect(namesOn(lab, 'source')).toContain(kept?.name);
  });

  it('is judged anew when its plan is not what its hash says', async () => {
    const lab = await nightsOf(5);
    const { plan } = outputOf(await prune(lab));
    for (const [hash, text] of lab.plans.plans) lab.plans.plans.set(hash, text.replace('"keep"', '"keep" '));
    lab.advance(DAY);
    const second = await prune(lab);
    expect(outputOf(second)).toMatchObject({
      deleted: 0,
      condemned: 5,
      notes: [expect.stringContaining('5 snapshots')],
    });
    expect(outputOf(second).plan).not.toBe(plan);
    expect(namesOn(lab, 'source')).toHaveLength(5);
    lab.advance(DAY);
    expect(outputOf(await prune(lab))).toMatchObject({ deleted: 5 });
  });
});

/** Plays a prune until it enters `Condemn`, or waits for a command; then a person stops it. */
const pruneUntil = async (lab: Lab, slot: string, where: 'Condemn' | 'survey' | 'delete'): Promise<void> => {
  const execution = lab.start(slot, 'sales/orders', lab.functions, 'prune');
  for (let next = await execution.next(); !next.done; next = await execution.next()) {
    const [command] = lab.runCommand.pending();
    if (next.value.kind === 'entered' && where === 'Condemn' && next.value.state === where) break;
    if (next.value.kind !== 'token' || !command) continue;
    if (command.parameters.verb === where) break;
    lab.deliver(command);
    await lab.settle(eventOf(command));
  }
  await execution.return({ status: 'FAILED', error: 'States.Aborted', cause: '', runId: null });
};

describe('a prune that was cut off', () => {
  it('before it condemned does not say that it had, when it is started again', async () => {
    const lab = await nightsOf(5);
    const slot = new Date(lab.now + HOUR).toISOString();
    lab.advance(HOUR);
    await pruneUntil(lab, slot, 'Condemn');
    expect(outputOf(await lab.prune(slot))).toMatchObject({ condemned: 5 });
    expect(states(await lab.ledger.livingPoints(pair), 'source').filter((it) => it === 'condemned')).toHaveLength(3);
  });

  it('with a listing from before another backup does not take the new snapshot for deleted', async () => {
    const lab = await nightsOf(5);
    const slot = new Date(lab.now + HOUR).toISOString();
    lab.advance(HOUR);
    await pruneUntil(lab, slot, 'survey');
    const [command] = lab.runCommand.pending();
    if (!command) throw new Error('a survey is on its way');
    lab.deliver(command);
    await lab.settle(eventOf(command));
    const { output } = (await night(lab, 9)) as { output?: { point: string } };
    await lab.prune(slot);
    const living = await lab.ledger.livingPoints(pair);
    expect(living.map(({ name }) => name)).toContain(output?.point);
    expect(living).toHaveLength(6);
  });

  it('while it condemned has told the record of every point that is condemned', async () => {
    let dies = true;
    const lab: Lab = await nightsOf(5, {
      between: (name, port) =>
        name !== 'ledger'
          ? port
          : new Proxy(port, {
              get: (target, method) => {
                const call: unknown = Reflect.get(target, method);
                if (method !== 'changePoint' || typeof call !== 'function') return call;
                return async (...args: readonly unknown[]) => {
                  const changed: unknown = await call.apply(target, args);
                  if (!dies) return changed;
                  dies = false;
                  throw new Error('the function was killed');
                };
              },
            }),
    });
    await prune(lab);
    const living = await lab.ledger.livingPoints(pair);
    const told = (await said(lab, 'condemned')).flatMap(({ snapshots }) => snapshots.map(({ id }) => id));
    for (const side of ['source', 'replica'] as const)
      for (const point of living)
        if (point.removal[side]?.state === 'condemned') expect(told).toContain(point[side]?.id);
    expect(told.length).toBeGreaterThanOrEqual(5);
  });
});

describe('a command that is still on its way', () => {
  const LONG = { ...RETENTION, source: { keepLast: 9 }, replica: { keepLast: 9 } };

  /** A prune is stopped while its first deletions wait for their host; the rules become longer. */
  const stopped = async () => {
    const lab = await nightsOf(5);
    await prune(lab);
    lab.advance(DAY);
    await pruneUntil(lab, new Date(lab.now).toISOString(), 'delete');
    const [late] = lab.runCommand.pending();
    if (!late) throw new Error('a command is on its way');
    await lab.runCommand.cancel(late.id, late.host);
    lab.retention = LONG;
    lab.advance(60_000);
    return { lab, late };
  };
  const pinAll = async (lab: Lab): Promise<readonly string[]> => {
    const pinned: string[] = [];
    for (const { name } of lab.snapshots('source'))
      try {
        await lab.decide(`pin sales/orders ${name}`);
        pinned.push(name);
      } catch (error) {
        if (!isDrError(error, 'NotConfirmed')) throw error;
      }
    return pinned;
  };

  it('lets nobody believe that what it deletes is kept, whatever a later prune sees', async () => {
    const { lab, late } = await stopped();
    await lab.prune(new Date(lab.now).toISOString());
    const pinned = await pinAll(lab);
    expect(pinned).toHaveLength(2);
    lab.runCommand.deliverAgain(late);
    expect(namesOn(lab, 'source')).toEqual(pinned);
    expect(outputOf(await prune(lab))).toMatchObject({ deleted: 0 });
    const gone = (await said(lab, 'deleted')).flatMap(({ byUs, snapshots }) => (byUs ? snapshots : []));
    expect(gone).toHaveLength(3);
  });

  it('cannot be stopped by a pin once it was decided, though it is not sent yet', async () => {
    const lab = await nightsOf(5);
    await prune(lab);
    lab.advance(DAY);
    const execution = lab.start(new Date(lab.now).toISOString(), 'sales/orders', lab.functions, 'prune');
    for (let next = await execution.next(); !next.done; next = await execution.next()) {
      if (next.value.kind === 'entered' && next.value.state === 'delete') break;
      const [command] = lab.runCommand.pending();
      if (next.value.kind !== 'token' || !command) continue;
      lab.deliver(command);
      await lab.settle(eventOf(command));
    }
    expect(await pinAll(lab)).toHaveLength(2);
  });

  it('can be believed to be lost after its time: then its points are spared and can be pinned', async () => {
    const { lab } = await stopped();
    lab.advance(HOUR);
    expect(outputOf(await lab.prune(new Date(lab.now).toISOString()))).toMatchObject({ spared: 5 });
    expect(await pinAll(lab)).toHaveLength(5);
  });

  it('is not sent any more by a run that somebody else took the bucket from', async () => {
    const lab = await nightsOf(5);
    await prune(lab);
    lab.advance(DAY);
    const execution = lab.start(new Date(lab.now).toISOString(), 'sales/orders', lab.functions, 'prune');
    const name = lab.newestExecution;
    for (let next = await execution.next(); !next.done; next = await execution.next()) {
      if (next.value.kind === 'entered' && next.value.state === 'delete') break;
      const [command] = lab.runCommand.pending();
      if (next.value.kind !== 'token' || !command) continue;
      lab.deliver(command);
      await lab.settle(eventOf(command));
    }
    lab.executions.stop(name);
    lab.retention = LONG;
    lab.advance(HOUR);
    await prune(lab);
    lab.executions.redrive(name);
    const sent = lab.runCommand.commands.length;
    for (let next = await execution.next(); !next.done; next = await execution.next())
      for (const command of lab.runCommand.pending()) lab.deliver(command);
    expect(lab.runCommand.commands).toHaveLength(sent);
    expect(namesOn(lab, 'source')).toHaveLength(5);
  });
});

describe('nothing is deleted', () => {
  const ripe = async (options: LabOptions = {}): Promise<Lab> => {
    const lab = await nightsOf(5, options);
    await prune(lab);
    lab.advance(DAY);
    return lab;
  };
  const untouched = (lab: Lab): void => {
    for (const side of ['source', 'replica'] as const) expect(namesOn(lab, side), side).toHaveLength(5);
  };

  it.each(['prod', 'dr'])('when %s does not answer', async (service) => {
    const lab = await ripe();
    lab.ozone.setFaults([{ id: 'down', effect: { kind: 'unreachable', service } }]);
    const result = await prune(lab);
    expect(result.status).toBe('FAILED');
    lab.ozone.setFaults([]);
    untouched(lab);
  });

  it('when the replica bucket is gone', async () => {
    const lab = await ripe();
    for (const name of namesOn(lab, 'replica')) ozone(lab, 'snapshot', 'delete', 'o3://dr/sales/orders', name);
    lab.advance(HOUR);
    lab.replica.change(Array.from({ length: 5 }, (_, n) => ({ op: 'rm', path: `f${n}` })));
    ozone(lab, 'bucket', 'delete', 'o3://dr/sales/orders');
    expect(await prune(lab)).toMatchObject({ status: 'FAILED', error: 'PruneRefused' });
    expect(namesOn(lab, 'source')).toHaveLength(5);
    expect(states(await lab.ledger.livingPoints(pair), 'source').filter((it) => it === 'deleted')).toEqual([]);
  });

  it('of a policy that was only just made shorter', async () => {
    const lab = new Lab({
      retention: { ...RETENTION, coolingOffHours: 72, source: { keepLast: 9 }, replica: { keepLast: 9 } },
    });
    await lab.expand();
    for (let day = 0; day < 5; day++) await night(lab, day);
    lab.retention = { ...RETENTION, coolingOffHours: 72 };
    expect(await lab.expand()).toMatchObject({
      announcements: [expect.stringMatching(/^nightly: the retention was changed; what was before counts until /)],
    });
    expect(outputOf(await prune(lab))).toMatchObject({ condemned: 0, kept: 10 });
    lab.advance(3 * DAY);
    expect(outputOf(await prune(lab))).toMatchObject({ condemned: 5 });
    expect((await said(lab, 'policy-weakened'))[0]).toMatchObject({ policy: 'nightly', bucket: 'sales/orders' });
  });

  it('of a policy that no schedule has seen yet', async () => {
    const lab = new Lab({ retention: { ...RETENTION, coolingOffHours: 72 } });
    for (let day = 0; day < 5; day++) await night(lab, day);
    expect(outputOf(await prune(lab))).toMatchObject({ deleted: 0, condemned: 0 });
  });

  it('by a name that came to mean a snapshot of somebody else', async () => {
    const lab = await ripe();
    const [name = ''] = namesOn(lab, 'source');
    ozone(lab, 'snapshot', 'delete', 'o3://prod/sales/orders', name);
    lab.advance(HOUR);
    ozone(lab, 'snapshot', 'create', 'o3://prod/sales/orders', name);
    await prune(lab);
    expect(namesOn(lab, 'source')).toContain(name);
    const others = (await said(lab, 'deleted')).filter(({ byUs }) => !byUs);
    expect(others.flatMap(({ snapshots }) => snapshots.map((it) => it.name))).toEqual([name]);
  });

  it('by a name that came to mean another snapshot just before the command ran', async () => {
    let swapped = '';
    const lab: Lab = await ripe({
      between: (name, port) =>
        name !== 'host'
          ? port
          : new Proxy(port, {
              get: (target, method) => {
                const value = Reflect.get(target, method);
                if (typeof value !== 'function') return value;
                return (...args: readonly unknown[]) => {
                  if (JSON.stringify(args).includes('"verb":"delete"') && swapped === '') {
                    swapped = namesOn(lab, 'source')[0] ?? '';
                    ozone(lab, 'snapshot', 'delete', 'o3://prod/sales/orders', swapped);
                    lab.advance(HOUR);
                    ozone(lab, 'snapshot', 'create', 'o3://prod/sales/orders', swapped);
                  }
                  return value.apply(target, args);
                };
              },
            }),
    });
    const result = await prune(lab);
    expect(swapped).not.toBe('');
    expect(result).toMatchObject({ status: 'FAILED', error: 'ChangedMeanwhile' });
    untouched(lab);
    // The host has answered that it deleted nothing: a pin is not too late.
    const [, kept = ''] = namesOn(lab, 'source');
    await lab.decide(`pin sales/orders ${kept}`);
    // The next prune sees what is there: somebody else's snapshot stays, the others go.
    await prune(lab);
    expect(namesOn(lab, 'source')).toContain(swapped);
    expect(namesOn(lab, 'replica')).not.toContain(swapped);
    for (const side of ['source', 'replica'] as const) expect(namesOn(lab, side)).toContain(kept);
    const byOthers = (await said(lab, 'deleted')).flatMap(({ byUs, snapshots }) => (byUs ? [] : snapshots));
    expect(byOthers).toMatchObject([{ side: 'source', name: swapped }]);
  });
});

describe('points of a policy that is not in the file any more', () => {
  it('stay, and every prune says how many they are', async () => {
    const lab = await nightsOf(5);
    const living = await lab.ledger.livingPoints(pair);
    for (const point of living.slice(-2))
      await lab.ledger.putPoint(pair, { ...point, policy: PolicyName.parse('former') });
    const notes = ['4 snapshots of the policy former, which is not in the policy file: no prune judges them'];
    expect(outputOf(await prune(lab))).toMatchObject({ condemned: 1, notes });
    lab.advance(DAY);
    expect(outputOf(await prune(lab))).toMatchObject({ deleted: 1, notes });
  });
});

describe('backups and prunes of one bucket', () => {
  it('count the same: also what is deleted and not yet purged, for that counts towards the limit', async () => {
    const lab = await nightsOf(3);
    lab.ozone.setSettings({ '*': { purgeAfterMs: 30 * DAY } });
    /** Somebody else's snapshot, deleted a moment later; then what each side lists. */
    const listed = (name: string) => {
      for (const action of ['create', 'delete']) ozone(lab, 'snapshot', action, 'o3://prod/sales/orders', name);
      return { source: listedOn(lab, 'source').length, replica: listedOn(lab, 'replica').length };
    };
    const counted = async () => (await lab.ledger.loadPair(pair)).counted;
    const forPrune = listed('by-hand');
    expect(forPrune.source).toBe(namesOn(lab, 'source').length + 1);
    await prune(lab);
    expect(await counted()).toMatchObject(forPrune);
    lab.advance(DAY);
    const forBackup = listed('by-hand-too');
    expect(forBackup.source).toBe(namesOn(lab, 'source').length + 2);
    await lab.backUp(new Date(lab.now).toISOString());
    expect(await counted()).toMatchObject(forBackup);
  });

  it('a backup waits for a prune that is at work, and then does its slot', async () => {
    const lab = await nightsOf(4);
    const slot = new Date(lab.now + DAY).toISOString();
    lab.advance(DAY);
    const pruning = lab.start(slot, 'sales/orders', lab.functions, 'prune');
    // The prune has the lease as soon as its run is open.
    await pruning.next();
    await pruning.next();
    const backup = lab.start(slot);
    await backup.next();
    const waits = await backup.next();
    expect(waits.value).toMatchObject({ kind: 'wait' });
    await pruning.return(undefined as never);
    lab.advance(10_000);
    const again = await backup.next();
    expect(again.value).toMatchObject({ kind: 'entered', state: 'OpenRun' });
    expect((await backup.next()).value).toMatchObject({ kind: 'entered', state: 'Decide' });
  });
});
