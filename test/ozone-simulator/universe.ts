import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { CrashPoint } from './faults/points.ts';
import { type FaultCounts, type FaultEffect, type FaultRule, strike } from './faults/rules.ts';
import { type BlobStore, folderBlobs, memoryBlobs } from './store/blobs.ts';
import { withLock } from './store/lock.ts';
import { defaultSettings, type Settings } from './store/model.ts';
import { type ClusterStore, folderStore, memoryStore } from './store/store.ts';

/** `now` null: the machine's clock. `skewMs`: how far a cluster's clock is ahead of the host's. */
export interface Clock {
  readonly now: number | null;
  readonly skewMs: Readonly<Record<string, number>>;
}

/** Everything that commands share: the clusters, the clock, the settings and the faults. */
export interface Universe {
  readonly services: readonly string[];
  readonly blobs: BlobStore;
  store(service: string): ClusterStore;
  settings(service: string): Settings;
  /** Without a service: the host's own clock. */
  now(service?: string): number;
  /** The faults that strike this command; counted once per command. */
  strike(program: 'ozone' | 'hadoop', argv: readonly string[]): readonly FaultEffect[];
  /** Sees every crash point that a command reaches. @returns whether the command dies there */
  readonly watch?: Watch;
}

export type Watch = (point: `before:${CrashPoint}` | `after:${CrashPoint}`) => boolean;

export interface MutableUniverse extends Universe {
  setClock(clock: Clock): void;
  setFaults(rules: readonly FaultRule[]): void;
  setSettings(settings: Readonly<Record<string, Partial<Settings>>>): void;
}

const timeOf = (clock: Clock, service: string | undefined): number =>
  (clock.now ?? Date.now()) + (service === undefined ? 0 : (clock.skewMs[service] ?? 0));

const settingsOf = (all: Readonly<Record<string, Partial<Settings>>>, service: string): Settings => ({
  ...defaultSettings,
  ...all['*'],
  ...all[service],
});

export function memoryUniverse(services: readonly string[], watch: Watch = () => false): MutableUniverse {
  const stores = new Map(services.map((service) => [service, memoryStore()]));
  let clock: Clock = { now: null, skewMs: {} };
  let settings: Readonly<Record<string, Partial<Settings>>> = {};
  let rules: readonly FaultRule[] = [];
  let counts: FaultCounts = {};
  return {
    services,
    watch,
    blobs: memoryBlobs(),
    store: (service) => stores.get(service) ?? memoryStore(),
    settings: (service) => settingsOf(settings, service),
    now: (service) => timeOf(clock, service),
    strike(program, argv) {
      const struck = strike(rules, counts, program, argv);
      counts = struck.counts;
      return struck.effects;
    },
    setClock: (next) => {
      clock = next;
    },
    setFaults: (next) => {
      rules = next;
      counts = {};
    },
    setSettings: (next) => {
      settings = next;
    },
  };
}

const readJson = <T>(path: string, otherwise: T): T =>
  existsSync(path) ? JSON.parse(readFileSync(path, 'utf8')) : otherwise;

const writeJson = (path: string, value: unknown): void => {
  const draft = `${path}.${process.pid}.draft`;
  writeFileSync(draft, JSON.stringify(value, null, 2));
  renameSync(draft, path);
};

/**
 * A folder: `clusters.json` (service ids), `<service>/` (state), `blobs/`, and for tests `clock.json`, `settings.json`
 * and `faults.json`. `OZONE_SIMULATOR_NOW` (epoch milliseconds) in the environment wins over the clock file.
 */
export function folderUniverse(directory: string, env: Readonly<Record<string, string | undefined>>): MutableUniverse {
  const file = (name: string) => join(directory, name);
  const services: readonly string[] = readJson(file('clusters.json'), []);
  const stores = new Map<string, ClusterStore>();
  const clock = (): Clock => {
    const stored: Clock = readJson(file('clock.json'), { now: null, skewMs: {} });
    const given = env.OZONE_SIMULATOR_NOW;
    return given === undefined ? stored : { ...stored, now: Number(given) };
  };
  return {
    services,
    blobs: folderBlobs(file('blobs')),
    store(service) {
      const store = stores.get(service) ?? folderStore(file(service));
      stores.set(service, store);
      return store;
    },
    settings: (service) => settingsOf(readJson(file('settings.json'), {}), service),
    now: (service) => timeOf(clock(), service),
    strike(program, argv) {
      const rules: readonly FaultRule[] = readJson(file('faults.json'), []);
      if (rules.length === 0) return [];
      return withLock(file('faults.lock'), () => {
        const struck = strike(rules, readJson(file('faults-seen.json'), {}), program, argv);
        writeJson(file('faults-seen.json'), struck.counts);
        return struck.effects;
      });
    },
    setClock: (next) => writeJson(file('clock.json'), next),
    setFaults(rules) {
      writeJson(file('faults-seen.json'), {});
      writeJson(file('faults.json'), rules);
    },
    setSettings: (settings) => writeJson(file('settings.json'), settings),
  };
}

/** Makes the folder if it is not there; one that exists keeps its clusters and gains the new ones. */
export function prepareFolder(directory: string, services: readonly string[]): void {
  mkdirSync(directory, { recursive: true });
  const known: readonly string[] = readJson(join(directory, 'clusters.json'), []);
  writeJson(join(directory, 'clusters.json'), [...new Set([...known, ...services])]);
}
