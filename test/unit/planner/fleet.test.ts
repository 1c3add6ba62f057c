import { describe, expect, it } from 'vitest';
import type { FleetRun } from '../../../functions/core/domain/fleet.ts';
import { BucketRef, HostId, pairId } from '../../../functions/core/domain/names.ts';
import { firstOf } from '../../../functions/core/planner/choose-host.ts';
import { itemsOf } from '../../../functions/core/planner/fleet.ts';
import { policyOf, slot } from './world.ts';

describe('the due list of a slot', () => {
  const { replica, ...rest } = policyOf('incremental');
  if (!replica) throw new Error('the policy has a replica');
  const hosts = (kind: string) => [0, 1, 2, 3].map((n) => HostId.parse(`${kind}-0aaaaaaaaaaaaaaa${n}`));
  const policy = {
    ...rest,
    source: { ...rest.source, hosts: hosts('i') },
    replica: { ...replica, hosts: hosts('mi') },
  };
  const runs = Array.from(
    { length: 2000 },
    (_, n): FleetRun => ({ bucket: BucketRef.parse(`sales/bucket-${n}`), name: `run-${n}` }),
  );
  const hostOf = ({ bucket }: FleetRun): number => firstOf(pairId(policy.source.name, bucket, policy.replica.name), 4);
  const items = itemsOf(policy, { work: 'backup', slot }, runs);

  it('has every run once, most batches with one host of the replica each', () => {
    expect(items.flatMap((item) => item.runs.map(({ name }) => name)).toSorted()).toEqual(
      runs.map(({ name }) => name).toSorted(),
    );
    expect(items.filter((item) => new Set(item.runs.map(hostOf)).size > 1).length).toBeLessThanOrEqual(3);
  });

  it('begins on all hosts, as many batches on each', () => {
    const first = items.slice(0, 16).flatMap((item) => item.runs.slice(0, 1).map(hostOf));
    for (const host of [0, 1, 2, 3]) expect(first.filter((it) => it === host).length).toBeGreaterThanOrEqual(3);
  });

  it('has those that come first in one of the first two turns of their hosts', () => {
    const late = runs.toSpliced(0, 0, ...runs.slice(-20)).slice(0, -20);
    const urgent = new Set(late.slice(0, 20).map(({ name }) => name));
    const first = itemsOf(policy, { work: 'backup', slot }, late).slice(0, 32);
    expect(first.flatMap((item) => item.runs).filter(({ name }) => urgent.has(name))).toHaveLength(20);
  });

  it('is the same again for the same runs', () => {
    expect(itemsOf(policy, { work: 'backup', slot }, runs)).toEqual(items);
  });
});
