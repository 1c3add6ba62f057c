import { describe, expect, it } from 'vitest';
import type { BackupStep } from '../../../functions/core/domain/backup-step.ts';
import { BucketRef, HostId, pairId, runId } from '../../../functions/core/domain/names.ts';
import type { Resource, Slots } from '../../../functions/core/domain/slots.ts';
import { Bytes, type EpochMs, epochMs, seconds } from '../../../functions/core/domain/units.ts';
import {
  admit,
  emptiestHost,
  needsOf,
  requestOf,
  type SlotRequest,
  workersOf,
} from '../../../functions/core/planner/admission.ts';
import { chooseHost, otherHosts } from '../../../functions/core/planner/choose-host.ts';
import { decideBackup } from '../../../functions/core/planner/decide-backup.ts';
import type { RunHistory } from '../../../functions/core/planner/history.ts';
import { historyOf, nameOf, slot } from './world.ts';

const HOUR = 3_600_000;
const HOSTS = Array.from({ length: 8 }, (_, n) => HostId.parse(`mi-0123456789abcdef${n}`));
const COPIES = 20;
const WORKERS = 5;

const random = (seed: number) => (): number => {
  seed = (seed + 0x6d2b79f5) | 0;
  let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
  return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
};

type Copy = Extract<BackupStep, { kind: 'replicate' }>;
interface Bucket {
  readonly history: RunHistory;
  readonly copy: Copy;
  /** How long its copy really takes. */
  readonly takes: number;
  /** When its newest verified point is as old as it may be. */
  readonly due: number;
}

const template = historyOf({ source: 'a* t1', replica: 'a*', run: 't1:taken', mode: 'resync' });
const decided = decideBackup(template, epochMs(slot + 60_000));
if (decided.kind !== 'replicate' || !template.run.policy.replica) throw new Error('the run copies');
const copyOfAll: Copy = decided;
const replica = { ...template.run.policy.replica, hosts: HOSTS, copies: COPIES, workers: WORKERS };

/** A bucket of a fleet: its last point is a day old, and it may be up to two days older than that before it is late. */
const bucketOf = (n: number, chance: () => number): Bucket => {
  const rpo = seconds(Math.round((26 + 46 * chance()) * 3600));
  // Most are done in minutes, one of two hundred takes hours.
  const takes = Math.round(chance() < 0.005 ? 7200 * (1 + chance()) : 30 + 500 * chance() ** 2) * 1000;
  const pair = pairId(template.run.policy.source.name, BucketRef.parse(`sales/bucket-${n}`), replica.name);
  const source = { ...template.run.policy.source, copies: COPIES };
  const policy = { ...template.run.policy, source, replica, objectives: { rpo, rto: rpo } };
  const at = epochMs(slot - 24 * HOUR);
  const verified = { listing: { name: nameOf('a'), at } };
  const run = { ...template.run, pair, policy, runId: runId(pair, policy.name, slot) };
  const unpinned = {
    ...template,
    run,
    pair: { ...template.pair, newest: { [policy.name]: { taken: null, verified, runs: {} } } },
  };
  const host = chooseHost(unpinned, 'replicate');
  // Two thirds were copied before, and stay where that was.
  const pinned = n % 3 === 0 ? null : { host, seeded: true };
  const estimate = {
    keys: 0,
    bytesAtMost: Bytes.parse(0),
    seconds: seconds(Math.round((takes / 1000) * (0.5 + chance()))),
  };
  return {
    history: { ...unpinned, pair: { ...unpinned.pair, pinned } },
    copy: { ...copyOfAll, host, estimate, copySeconds: seconds(6 * 3600) },
    takes,
    due: at + rpo * 1000,
  };
};

type Happening = 'asks' | 'ends' | 'is-lost';
interface Event {
  readonly bucket: Bucket;
  readonly copy: Copy;
  readonly what: Happening;
}

interface Lost {
  readonly host: HostId;
  readonly from: number;
  readonly to: number;
}

/** Nothing is finer than that. */
const TICK = 5000;
/** Until the loss of a command is known, and what it had is given back. */
const NOTICED = 600_000;

/** A night in virtual time, decided by the planner alone. A copy on a lost host begins again on the next one. */
const play = (buckets: readonly Bucket[], lost: Lost) => {
  const books = new Map<Resource, Slots>();
  const of = (resource: Resource): Slots => books.get(resource) ?? { resource, revision: 0, holders: {}, waiters: {} };
  const agenda = new Map<number, Event[]>();
  const plan = (at: number, event: Event): void => {
    const tick = Math.ceil(at / TICK) * TICK;
    agenda.set(tick, [...(agenda.get(tick) ?? []), event]);
  };
  const visits = new Map<Bucket, SlotRequest['visits']>();
  const asks = new Map<Bucket, number>();
  const finished = new Map<Bucket, number>();
  let [mostHeld, longestItem, worked] = [0, 0, 0];

  // They do not change, but for the visits.
  const requests = new Map<Copy, SlotRequest>();
  const requestFor = ({ history }: Bucket, copy: Copy): SlotRequest => {
    const request = requests.get(copy) ?? requestOf(history, copy);
    requests.set(copy, request);
    return request;
  };
  const take = (bucket: Bucket, copy: Copy, now: EpochMs) => {
    const request = { ...requestFor(bucket, copy), visits: visits.get(bucket) ?? [] };
    const seen = request.needs.map(({ resource }) => of(resource));
    const { refusal, changed } = admit(seen, request, now);
    for (const it of changed) books.set(it.resource, it);
    return refusal;
  };
  /** As a run does it: on another host when its own is full and it is bound to none. */
  const begin = (bucket: Bucket, copy: Copy, now: EpochMs) => {
    const refusal = take(bucket, copy, now);
    if (!refusal?.resource.startsWith('host:')) return { refusal, copy };
    const seen = otherHosts(bucket.history, copy).map((host) => ({ host, slots: of(workersOf(host)) }));
    const host = emptiestHost(seen, replica, requestFor(bucket, copy), now);
    const moved = host && { ...copy, host };
    return moved && !take(bucket, moved, now) ? { refusal: null, copy: moved } : { refusal, copy };
  };
  const giveBack = ({ history }: Bucket, copy: Copy): void => {
    for (const { resource } of needsOf(history.run.policy, copy)) {
      const { [history.run.runId]: _held, ...holders } = of(resource).holders;
      books.set(resource, { ...of(resource), holders });
    }
  };

  for (const [n, bucket] of buckets.entries())
    plan(slot + (n % 600) * 1000, { bucket, copy: bucket.copy, what: 'asks' });
  for (let now = slot; agenda.size > 0; now = epochMs(now + TICK)) {
    const due = agenda.get(now) ?? [];
    agenda.delete(now);
    for (const { bucket, copy, what } of due) {
      if (what === 'ends') {
        giveBack(bucket, copy);
        finished.set(bucket, now);
        continue;
      }
      if (what === 'is-lost') {
        giveBack(bucket, copy);
        const next = HOSTS[(HOSTS.indexOf(copy.host) + 1) % HOSTS.length] ?? copy.host;
        plan(now + 15_000, { bucket, copy: { ...copy, host: next }, what: 'asks' });
        continue;
      }
      asks.set(bucket, (asks.get(bucket) ?? 0) + 1);
      const { refusal, copy: begun } = begin(bucket, copy, now);
      if (refusal) {
        visits.set(bucket, [...(visits.get(bucket) ?? []), { at: now, place: refusal.place }]);
        plan(now + refusal.pause * 1000, { bucket, copy, what: 'asks' });
        continue;
      }
      visits.delete(bucket);
      const isLost = lost.host === begun.host && now < lost.to && now + bucket.takes > lost.from;
      if (isLost) plan(Math.max(now, lost.from) + NOTICED, { bucket, copy: begun, what: 'is-lost' });
      else plan(now + bucket.takes, { bucket, copy: begun, what: 'ends' });
      worked += isLost ? 0 : bucket.takes;
    }
    for (const { resource, holders, waiters } of now % 600_000 === 0 ? books.values() : []) {
      if (resource === 'copy:dr') mostHeld = Math.max(mostHeld, Object.keys(holders).length);
      longestItem = Math.max(longestItem, JSON.stringify({ holders, waiters }).length);
    }
  }
  const ends = [...finished.values()].map((end) => (end - slot) / HOUR).toSorted((one, other) => one - other);
  return {
    finished: ends.length,
    late: buckets.filter((bucket) => (finished.get(bucket) ?? Infinity) > bucket.due).length,
    /** In hours, with the hours that the copies would have taken if no place had ever been empty. */
    nearlyAll: ends[Math.floor(ends.length * 0.95)] ?? Infinity,
    atBest: worked / COPIES / HOUR,
    mostAsks: Math.max(...asks.values()),
    asks: [...asks.values()].reduce((sum, n) => sum + n, 0) / buckets.length,
    mostHeld,
    longestItem,
  };
};

describe('a night of 2,000 buckets with objectives of their own, on eight hosts', () => {
  const chance = random(11);
  const buckets = Array.from({ length: 2000 }, (_, n) => bucketOf(n, chance));
  const [host] = replica.hosts;
  if (!host) throw new Error('there are hosts');

  it('one of which is lost for two hours: everybody is within its objective, nobody starves, and few places stay empty', () => {
    const night = play(buckets, { host, from: slot + HOUR, to: slot + 3 * HOUR });
    expect(night).toMatchObject({ finished: buckets.length, late: 0, mostHeld: COPIES });
    expect(night.nearlyAll).toBeLessThan(1.25 * night.atBest);
    // Each is a wait and a decision; a run may take 999 steps.
    expect(night.asks).toBeLessThan(40);
    expect(night.mostAsks).toBeLessThan(300);
    expect(night.longestItem).toBeLessThan(20_000);
  }, 300_000);
});
