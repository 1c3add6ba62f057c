import { describe, expect, it } from 'vitest';
import type { Copy, Observation } from '../../../functions/core/domain/ledger.ts';
import { HostId } from '../../../functions/core/domain/names.ts';
import { type EpochMs, epochMs, seconds } from '../../../functions/core/domain/units.ts';
import { chooseHost, otherHosts } from '../../../functions/core/planner/choose-host.ts';
import { decideBackup } from '../../../functions/core/planner/decide-backup.ts';
import type { RunHistory } from '../../../functions/core/planner/history.ts';
import { historyOf, operationOf, slot, targetOf, type World } from './world.ts';

const [away, up] = [HostId.parse('mi-0123456789abcdef0'), HostId.parse('mi-0123456789abcdef1')];
const noAnswer = (error = 'EdgeUnreachable'): Observation => ({ kind: 'no-answer', error, cause: 'why' });
const wait = { kind: 'wait', seconds: seconds(15), reason: 'r' } as const;
const elapsed: Observation = { kind: 'elapsed' };
const survey = { kind: 'survey', host: away } as const;
const copy = { kind: 'replicate', mode: 'incremental', target: targetOf('t1'), host: away } as const;
const probe = { kind: 'probe', copy: operationOf(1), host: away } as const;
const running: Observation = { kind: 'probe', state: 'running' };

/** A pair that is pinned to the host that is away, with a snapshot to copy. */
const pinned = (after: World['after'], copyDeadline = 3600) => {
  const history = historyOf({
    source: 'a* t1',
    replica: 'a*',
    run: 't1:taken',
    surveys: 1,
    copyDeadline,
    ...(after ? { after } : {}),
  });
  return { ...history, pair: { ...history.pair, pinned: { host: away, seeded: true } } };
};
const inSeconds = (of: number): EpochMs => epochMs(slot + of * 1000);

describe('the host of a pair that is away', () => {
  const hosts: readonly (readonly [string, World['after'], HostId])[] = [
    ['has its work as long as it answered last', [], away],
    ['has none of it after any command that it did not answer', [[survey, noAnswer()]], up],
    [
      'has it again when it answers again',
      [
        [survey, noAnswer()],
        [survey, elapsed],
        [probe, running],
      ],
      away,
    ],
    [
      'keeps it when no host answers',
      [
        [survey, noAnswer()],
        [{ kind: 'survey', host: up }, noAnswer()],
      ],
      away,
    ],
  ];
  it.each(hosts)('%s', (_, after, host) => {
    expect(chooseHost(pinned(after), 'replicate')).toBe(host);
    expect(chooseHost(pinned(after), 'seal-unchanged')).toBe(host);
  });

  it('is not offered what another host has no place for', () => {
    const history = { ...pinned([[survey, noAnswer()]]), pair: { ...pinned([]).pair, pinned: null } };
    expect(otherHosts(history, { kind: 'verify', host: up })).toEqual([]);
  });
});

describe('a copy for which its pair’s host has no place', () => {
  const seal = { kind: 'seal-unchanged', target: targetOf('t1'), host: away } as const;
  const changed: Observation = { kind: 'unchanged', data: { unchanged: false } };
  const refused: Observation = {
    ...{ kind: 'not-done', outcome: 'refused', code: 'bucket-busy', message: 'm', data: null, deletion: null },
  };
  const elsewhere = (history: RunHistory) => otherHosts(history, { kind: 'replicate', host: away });
  const withCopies = (change: Partial<Copy>): RunHistory => {
    const history = pinned([[seal, changed]]);
    const copy: Copy = {
      ...{ operation: operationOf(9), point: targetOf('a').name, mode: 'resync', base: null, host: away },
      ...{ from: slot, deadline: slot, to: slot, ...change },
    };
    return { ...history, pair: { ...history.pair, copies: [copy] } };
  };

  it('begins on another one when that host has taken this run’s token and all that was asked of it is over', () => {
    expect(elsewhere(pinned([[seal, changed]]))).toEqual([up]);
    expect(elsewhere(withCopies({}))).toEqual([up]);
  });

  const bound: readonly (readonly [string, RunHistory])[] = [
    ['has not taken a token of this run', pinned([])],
    ['refused this run’s token', pinned([[seal, refused]])],
    ['did not answer', pinned([[seal, noAnswer()]])],
    ['has still to answer', pinned([[seal, null]])],
    [
      'answered once and not again',
      pinned([
        [seal, changed],
        [seal, noAnswer()],
      ]),
    ],
    ['is not the one that took the token', pinned([[{ ...seal, host: up }, changed]])],
    ['has a copy without an end', withCopies({ to: null })],
    ['had a copy on YARN', withCopies({ application: operationOf(9) })],
    ['had a copy on YARN that came to no good end', withCopies({ application: null })],
  ];
  it.each(bound)('waits for it when it %s', (_, history) => expect(elsewhere(history)).toEqual([]));
});

describe('a copy on a host that does not say how it ended', () => {
  const surveyed = (n: number) =>
    Array.from({ length: n }).flatMap(
      (): NonNullable<World['after']> => [
        [probe, noAnswer()],
        [wait, elapsed],
      ],
    );
  const asked = (times: number): World['after'] => [[copy, noAnswer()], ...surveyed(times - 1), [probe, noAnswer()]];

  it('is waited for as often as it takes, and no copy is begun meanwhile', () => {
    for (const times of [1, 2, 3, 5, 9])
      expect(decideBackup(pinned(asked(times)), inSeconds(60 + 300 * times))).toMatchObject({ kind: 'wait' });
  });

  it('is waited for no longer than it can be alive', () => {
    expect(decideBackup(pinned(asked(9)), inSeconds(3590))).toMatchObject({ kind: 'wait', seconds: 12 });
  });

  it('is over when it cannot be alive any more: another host goes on with the run', () => {
    const after: World['after'] = [...(asked(3) ?? []), [wait, elapsed]];
    expect(decideBackup(pinned(after), inSeconds(3603))).toMatchObject({ kind: 'survey', host: up });
    expect(chooseHost(pinned(after), 'replicate')).toBe(up);
  });

  it('ends the run when it may be alive for longer than the objective', () => {
    expect(decideBackup(pinned(asked(3), 30 * 3600), inSeconds(1200))).toMatchObject({
      kind: 'fail',
      error: 'EdgeUnreachable',
    });
  });

  it('ends the run when its host refuses to be asked', () => {
    const after: World['after'] = [
      [copy, noAnswer()],
      [probe, noAnswer('EdgeRefused')],
    ];
    expect(decideBackup(pinned(after), inSeconds(60))).toMatchObject({ kind: 'fail', error: 'EdgeRefused' });
  });
});
