import type { Work } from '../in-process-edge/execution.ts';
import { unit } from '../ozone-simulator/faults/rules.ts';
import { BACKUPS, type BackupScenario, BackupTrial, PRUNE_TROUBLES } from './crash-matrix-backups.ts';
import { BATCHES, type BatchScenario, BatchTrial } from './crash-matrix-batches.ts';
import { RESTORE_TROUBLES, RESTORES, type RestoreScenario, RestoreTrial } from './crash-matrix-restores.ts';
import { ROLES, type RoleScenario, RoleTrial } from './crash-matrix-roles.ts';
import { keyOf, type Manner, type Place, type Side, type Strike, type Times } from './crash-matrix-strikes.ts';
import {
  DELIVERY_TROUBLES,
  EXECUTION_TROUBLES,
  type Onward,
  prefixOf,
  type Trial,
  type Troubles,
  type Verdict,
} from './crash-matrix-trial.ts';

export type Scenario = BackupScenario | BatchScenario | RestoreScenario | RoleScenario;
export const SCENARIOS: readonly Scenario[] = [...BACKUPS, ...RESTORES, ...ROLES, ...BATCHES];

const trialOf = (scenario: Scenario, strike: Strike | undefined): Trial => {
  if ('again' in scenario) return new BatchTrial(scenario, strike);
  if ('asked' in scenario) return new RoleTrial(scenario, strike);
  return 'request' in scenario ? new RestoreTrial(scenario, strike) : new BackupTrial(scenario, strike);
};

export interface Case {
  readonly scenario: Scenario;
  readonly strike: Strike;
  readonly onward: Onward;
}

export const nameOf = ({ scenario, strike, onward }: Case): string =>
  [
    scenario.name,
    scenario.mode,
    `${keyOf(strike.place)} #${strike.nth}`,
    strike.side,
    strike.manner,
    strike.times,
    onward,
  ].join(' | ');

/** Calls that change nothing: to die after one is to die before the next call. */
const READS: ReadonlySet<string> = new Set([
  'ledger.livingPoints',
  'ledger.loadPolicyState',
  'plans.load',
  'selections.urlOf',
  'ledger.loadPair',
  'ledger.loadRun',
  'ledger.recentPoints',
  'operations.load',
  'operations.open',
  'edge.find',
  'edge.state',
  'callbacks.isRunning',
]);

const WORKS: readonly Work[] = ['backup', 'prune', 'restore', 'drill', 'failover', 'failback'];
const TROUBLES: Readonly<Record<Work, Troubles>> = {
  backup: {},
  'backup-batch': {},
  prune: PRUNE_TROUBLES,
  restore: RESTORE_TROUBLES,
  drill: RESTORE_TROUBLES,
  failover: RESTORE_TROUBLES,
  failback: RESTORE_TROUBLES,
};

const mannersAt = ({ layer, step: stepOfWork, effect }: Place, side: Side): readonly string[] => {
  const work = WORKS.find((it) => prefixOf(it) !== '' && stepOfWork.startsWith(prefixOf(it))) ?? 'backup';
  const step = stepOfWork.slice(prefixOf(work).length);
  if (READS.has(effect) && side === 'after') return [];
  switch (layer) {
    case 'delivery':
      return side === 'before' ? Object.keys(DELIVERY_TROUBLES) : [];
    case 'execution':
      if (side === 'after') return [];
      return [...Object.keys(EXECUTION_TROUBLES), ...Object.keys(TROUBLES[work])];
    case 'program':
      return ['rebooted', 'resumed', 'gone'];
    case 'inside a program':
      return ['program', 'rebooted'];
    default:
      if (effect === 'edge.send')
        return ['killed', 'retried', side === 'before' ? 'unknown host' : 'overtaken'] satisfies Manner[];
      if (step === 'sweep') return ['killed', 'refused'];
      return step.startsWith('event of ') ? ['killed'] : ['killed', 'retried'];
  }
};

/** How often it strikes, and how people go on. */
const STORIES: readonly (readonly [Times, Onward])[] = [
  ['once', 'next slot'],
  ['once', 'same slot'],
  ['again at once', 'next slot'],
  ['again in the next run', 'same slot'],
  ['again in the next run', 'next slot'],
  ['again at once', 'same slot'],
];

const SIDES: readonly Side[] = ['before', 'after'];

/** Everything that can go wrong in a scenario, found by one run in which nothing does. @throws when that run is not good */
export const casesOf = async (scenario: Scenario): Promise<readonly Case[]> => {
  const healthy = trialOf(scenario, undefined);
  const { wrong, told } = await healthy.judge({ times: 'once', onward: 'next slot' });
  if (wrong.length > 0) throw new Error(`${scenario.name}, ${scenario.mode}: ${[...wrong, ...told].join('\n')}`);
  const cases: Case[] = [];
  for (const { place, count } of healthy.strikes.reached.values()) {
    if (scenario.isWithoutEvents && !place.step.endsWith('sweep')) continue;
    for (let nth = 1; nth <= count; nth += 1)
      for (const side of SIDES)
        for (const manner of mannersAt(place, side))
          for (const [times, onward] of STORIES)
            cases.push({ scenario, strike: { place, nth, side, manner, times }, onward });
  }
  return cases;
};

/** All cases of all scenarios, in their order. */
export const allCases = async (): Promise<readonly Case[]> => {
  const cases: Case[] = [];
  for (const scenario of SCENARIOS) cases.push(...(await casesOf(scenario)));
  return cases;
};

/** Where troubles are no effects of the product, each is a row of its own. */
export const isTrouble = ({ layer }: Place): boolean => layer === 'delivery' || layer === 'execution';

/**
 * Of each place, each time it is reached and each side one case that strikes once and one that strikes twice, by lot
 * among manners and ways to go on. A place that an earlier scenario has too is struck once or twice.
 */
export const choose = (cases: readonly Case[], seed: number): readonly Case[] => {
  const groups = new Map<string, Case[]>();
  for (const it of cases) {
    const { place, nth, side, manner } = it.strike;
    const key = `${keyOf(place)} #${nth} ${side}${isTrouble(place) ? manner : ''}`;
    const known = groups.get(key) ?? [];
    groups.set(key, known);
    known.push(it);
  }
  let drawn = 0;
  const oneOf = (from: readonly Case[]): readonly Case[] => {
    drawn += 1;
    const one = from[Math.floor(unit(seed * 1009 + drawn) * from.length)];
    return one ? [one] : [];
  };
  return [...groups.values()].flatMap((group) =>
    [...new Set(group.map(({ scenario }) => scenario))].flatMap((scenario, n) => {
      const own = group.filter((it) => it.scenario === scenario);
      const isOnce = ({ strike }: Case) => strike.times === 'once';
      return n > 0 ? oneOf(own) : [...oneOf(own.filter(isOnce)), ...oneOf(own.filter((it) => !isOnce(it)))];
    }),
  );
};

/** At most so many cases, drawn by lot, from each layer in turn. */
export const sample = (cases: readonly Case[], most: number, seed: number): readonly Case[] => {
  const layers = new Map<string, Case[]>();
  const drawn = cases.map((it, n) => ({ it, lot: unit(seed * 31 + n) })).toSorted((one, other) => one.lot - other.lot);
  for (const { it } of drawn) {
    const own = layers.get(it.strike.place.layer) ?? [];
    layers.set(it.strike.place.layer, own);
    own.push(it);
  }
  const longest = Math.max(0, ...[...layers.values()].map((own) => own.length));
  return Array.from({ length: longest }, (_, n) => [...layers.values()].flatMap((own) => own.slice(n, n + 1)))
    .flat()
    .slice(0, most);
};

export const judge = ({ scenario, strike, onward }: Case): Promise<Verdict> =>
  trialOf(scenario, strike).judge({ times: strike.times, onward });
