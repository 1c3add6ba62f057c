import { describe, expect, it } from 'vitest';
import type { Observation } from '../../../functions/core/domain/ledger.ts';
import { epochMs } from '../../../functions/core/domain/units.ts';
import { type Member, memberOf, stays } from '../../../functions/core/planner/batch.ts';
import { decideBackup } from '../../../functions/core/planner/decide-backup.ts';
import { historyOf, slot, type World } from './world.ts';

const aMinuteIn = epochMs(slot + 60_000);
const taken: World = { source: 'a* t1', replica: 'a*', run: 't1:taken', batched: true };
const away: World = { ...taken, replica: 'unreachable' };
const survey = { kind: 'survey' } as const;
const waited = [{ kind: 'wait', seconds: 15, reason: 'r' } as never, { kind: 'elapsed' }] as const;
const lost = (error: string): Observation => ({ kind: 'no-answer', error, cause: 'nobody knows' });
const notDone = (outcome: 'unreachable' | 'refused' | 'failed', code: string): Observation => ({
  kind: 'not-done',
  outcome,
  code,
  message: 'm',
  data: null,
  deletion: null,
});

const asked = (world: World): { readonly step: string; readonly member: Member } => {
  const history = historyOf(world);
  const step = decideBackup(history, aMinuteIn);
  return { step: step.kind, member: memberOf(history, step) };
};

describe('how a run stands to its batch', () => {
  const cases: readonly (readonly [string, World, string, Partial<Member>])[] = [
    ['nothing is known', { ...taken, surveys: 0 }, 'survey', { kind: 'goes-on' }],
    ['nothing changed', taken, 'seal-unchanged', { kind: 'goes-on' }],
    [
      'its point is verified',
      { ...taken, source: 'a* t1', replica: 'a* t1', run: 't1:verified' },
      'done',
      { kind: 'goes-on' },
    ],
    ['the replica is away', away, 'wait', { kind: 'out-of-reach', what: 'replica' }],
    ['the source is away', { ...taken, source: 'unreachable' }, 'wait', { kind: 'out-of-reach', what: 'source' }],
    ['the replica was away and is looked at again', { ...away, after: [waited] }, 'survey', { kind: 'goes-on' }],
    ['the replica stays away', { ...away, surveys: 3 }, 'fail', { kind: 'out-of-reach', what: 'replica' }],
    [
      'the host never answered',
      { ...taken, after: [[survey, lost('EdgeUnreachable')]] },
      'wait',
      { kind: 'out-of-reach', what: 'host' },
    ],
    [
      'the host died',
      { ...taken, after: [[survey, lost('EdgeInterrupted')]] },
      'wait',
      { kind: 'out-of-reach', what: 'host' },
    ],
    [
      'the cluster was away in the middle',
      { ...taken, after: [[survey, notDone('unreachable', 'unreachable')]] },
      'wait',
      { kind: 'out-of-reach', what: 'cluster' },
    ],
    ['its operation may be going on', { ...taken, after: [[survey, null]] }, 'survey', { kind: 'leaves' }],
    [
      'the answer was not understood',
      { ...taken, after: [[survey, lost('EdgeReplyInvalid')]] },
      'fail',
      { kind: 'leaves' },
    ],
    [
      'it was refused',
      { ...taken, after: [[survey, notDone('refused', 'permission-denied')]] },
      'fail',
      { kind: 'leaves' },
    ],
    [
      'its bucket is busy',
      { ...taken, after: [[survey, notDone('refused', 'bucket-busy')]] },
      'wait',
      { kind: 'leaves' },
    ],
    [
      'it failed and is looked at again',
      { ...taken, after: [[survey, notDone('failed', 'internal')]] },
      'survey',
      { kind: 'leaves' },
    ],
    ['the replica is missing', { ...taken, replica: 'missing' }, 'fail', { kind: 'leaves' }],
    ['it has to copy', { ...taken, batched: false }, 'compute-diff', { kind: 'leaves' }],
  ];
  it.each(cases)('%s', (_, world, step, member) => {
    expect(asked(world)).toMatchObject({ step, member });
  });
});

describe('what several of a batch found together', () => {
  const alone = asked(away).member;
  const well = asked(taken).member;
  const many = (count: number, member: Member): readonly Member[] => Array.from({ length: count }, () => member);

  it('what most of them found they wait out together', () => {
    expect(stays(alone, [...many(20, alone), ...many(5, well)])).toBe(true);
    expect(stays(alone, many(2, alone))).toBe(true);
  });

  it('what one or few found is handed over, and whoever goes on stays', () => {
    expect(stays(alone, [alone])).toBe(false);
    expect(stays(alone, [...many(2, alone), ...many(2, well)])).toBe(false);
    expect(stays(well, [...many(20, alone), well])).toBe(true);
  });

  it('those of one command count, and those who found the same', () => {
    const elsewhere: Member = { ...well, command: 'survey@other' };
    expect(stays(alone, [...many(2, alone), ...many(20, elsewhere)])).toBe(true);
    expect(stays(alone, [...many(2, alone), ...many(2, { ...alone, what: 'host' })])).toBe(false);
  });
});
