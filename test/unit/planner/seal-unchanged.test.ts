import { describe, expect, it } from 'vitest';
import type { Observation } from '../../../functions/core/domain/ledger.ts';
import { HostId } from '../../../functions/core/domain/names.ts';
import { Verification } from '../../../functions/core/domain/policy.ts';
import { epochMs } from '../../../functions/core/domain/units.ts';
import { absorb } from '../../../functions/core/planner/absorb.ts';
import { decideBackup } from '../../../functions/core/planner/decide-backup.ts';
import type { RunHistory } from '../../../functions/core/planner/history.ts';
import { baseOf, historyOf, nameOf, operationOf, slot, targetOf, type World } from './world.ts';

const aMinuteIn = epochMs(slot + 60_000);
const taken: World = { source: 'a* t1', replica: 'a*', run: 't1:taken', batched: true };
const seal = { kind: 'seal-unchanged', target: targetOf('t1'), base: baseOf('a'), level: 'listing' } as const;
const lost: Observation = { kind: 'no-answer', error: 'EdgeInterrupted', cause: 'killed' };
const interrupted: Extract<Observation, { kind: 'not-done' }> = {
  kind: 'not-done',
  outcome: 'interrupted',
  code: 'interrupted',
  message: 'm',
  data: null,
  deletion: null,
};
const survey = (world: World) => [{ kind: 'survey' } as const, historyOf(world).steps[0]?.observed ?? null] as const;

const decide = (world: World, change: (history: RunHistory) => RunHistory = (it) => it) =>
  decideBackup(change(historyOf(world)), aMinuteIn);
const byLevel =
  (text: string, ofBase: 'listing' | 'changed' | 'full') =>
  (history: RunHistory): RunHistory => ({
    ...history,
    run: { ...history.run, policy: { ...history.run.policy, verification: Verification.parse(text) } },
    points: history.points.map((point) => ({
      ...point,
      verification: point.verification && { ...point.verification, level: ofBase },
    })),
  });

describe('buckets in which nothing happened', () => {
  it('a batch takes the snapshot without a diff and then asks whether anything changed', () => {
    expect(decide({ source: 'a*', replica: 'a*', batched: true })).toMatchObject({
      kind: 'create-snapshot',
      base: null,
    });
    expect(decide(taken)).toMatchObject(seal);
  });

  it('an ordinary run asks for the diff and never for listings', () => {
    expect(decide({ source: 'a*', replica: 'a*' })).toMatchObject({ kind: 'create-snapshot', base: baseOf('a') });
    expect(decide({ ...taken, batched: false })).toMatchObject({ kind: 'compute-diff' });
  });

  it('it is asked of the host that holds the fence', () => {
    const host = HostId.parse('mi-0123456789abcdef1');
    const pinned = (history: RunHistory) => ({ ...history, pair: { ...history.pair, pinned: { host, seeded: true } } });
    expect(decide(taken, pinned)).toMatchObject({ kind: 'seal-unchanged', host });
  });

  const same = (history: RunHistory): RunHistory => history;
  const ordinary: readonly (readonly [string, World, (history: RunHistory) => RunHistory])[] = [
    ['a bucket without a base', { ...taken, source: 't1', replica: '' }, same],
    ['a replica in doubt', { ...taken, dirty: true }, same],
    ['a replica without the newest base', { ...taken, source: 'a* b* t1', replica: 'a*' }, same],
    ['a source without the newest base', { ...taken, source: 'a* t1', replica: 'a* b*' }, same],
    ['a policy that compares everything', { ...taken, mode: 'resync' }, same],
    ['a policy with checksums of all files', taken, byLevel('full', 'full')],
    ['a policy with checksums of a part', taken, byLevel('rolling/7', 'full')],
    ['checksums of what changed since a base that was compared by listing only', taken, byLevel('changed', 'listing')],
    [
      'a bucket of many keys',
      taken,
      (history) => ({
        ...history,
        steps: history.steps.map((step) =>
          step.observed?.kind === 'survey' && step.observed.source.state === 'read'
            ? {
                ...step,
                observed: {
                  ...step.observed,
                  source: {
                    ...step.observed.source,
                    bucket: { ...step.observed.source.bucket, usedNamespace: 20_001 },
                  },
                },
              }
            : step,
        ),
      }),
    ],
    [
      'a bucket in which something did change',
      { ...taken, after: [[seal, { kind: 'unchanged', data: { unchanged: false } }]] },
      same,
    ],
    ['a bucket that was asked in vain', { ...taken, after: [[seal, interrupted], survey(taken)] }, same],
  ];
  it.each(ordinary)('%s goes the ordinary way', (_, world, change) => {
    expect(decide(world, change).kind).not.toBe('seal-unchanged');
  });

  describe('points that the replica missed', () => {
    const missed: World = { ...taken, source: 'a* b c t1', replica: 'a*', run: 'b:taken c:taken t1:taken' };
    const since = (base: string) => ({ ...seal, base: baseOf(base) });
    const unchanged = (token: string): Observation => ({
      kind: 'unchanged',
      data: {
        unchanged: true,
        seal: { ...baseOf(token), id: baseOf(token).replicaId, status: 'ACTIVE' },
        summary: { files: 1, dirs: 0, bytes: 3 as never },
      },
    });

    it('are sealed by the batch as well, oldest first, and then the point of the slot', () => {
      expect(decide({ ...missed, source: 'a* b c', run: 'b:taken c:taken' })).toMatchObject({
        kind: 'create-snapshot',
        base: null,
      });
      expect(decide(missed)).toMatchObject({ ...since('a'), target: targetOf('b') });
      const one = [{ ...since('a'), target: targetOf('b') }, unchanged('b')] as const;
      const after: World = { ...missed, source: 'a* b* c t1', run: 'c:taken t1:taken', after: [one] };
      expect(decide(after)).toMatchObject({ ...since('b'), target: targetOf('c') });
      const two = [{ ...since('b'), target: targetOf('c') }, unchanged('c')] as const;
      const last: World = { ...missed, source: 'a* b* c* t1', run: 't1:taken', after: [one, two] };
      expect(decide(last)).toMatchObject({ ...since('c'), target: targetOf('t1') });
    });

    it('go the ordinary way from the first one in which something changed', () => {
      const changed: Observation = { kind: 'unchanged', data: { unchanged: false } };
      const world: World = { ...missed, after: [[{ ...since('a'), target: targetOf('b') }, changed]] };
      expect(decide(world)).toMatchObject({ kind: 'compute-diff', base: baseOf('a'), target: targetOf('b') });
    });

    it('a seal of one that nobody answered for is compared first', () => {
      const world: World = { ...missed, replica: 'a* b', run: 'b:sealed c:taken t1:taken' };
      const sealed = (history: RunHistory) => ({
        ...history,
        points: history.points.map((it) => (it.state === 'sealed' ? { ...it, changed: null } : it)),
      });
      expect(decide(world, sealed)).toMatchObject({ kind: 'verify', target: targetOf('b') });
    });
  });

  it('a base that the pair does not know as yet, of a run that was cut off, is one', () => {
    const behind = (history: RunHistory) => ({ ...history, pair: { ...history.pair, base: baseOf('a') } });
    const world: World = { ...taken, source: 'a* b* t1', replica: 'a* b*' };
    expect(decide(world, behind)).toMatchObject({ ...seal, base: baseOf('b') });
  });

  it('a host that gave no answer is not asked a second time, another one is', () => {
    const [asked] = historyOf({ ...taken, after: [[seal, lost]] }).steps.slice(-1);
    const host = asked && 'host' in asked.decision ? asked.decision.host : undefined;
    const pinned = (history: RunHistory) => ({
      ...history,
      pair: { ...history.pair, pinned: host ? { host, seeded: true } : null },
    });
    const again = decide({ ...taken, after: [[seal, lost], survey(taken)] }, pinned);
    expect(again).toMatchObject({ kind: 'seal-unchanged', host: HostId.parse('mi-0123456789abcdef1') });
  });

  it('where the base was compared by checksum, a policy with checksums of what changed has them all', () => {
    expect(decide(taken, byLevel('changed', 'full'))).toMatchObject({ kind: 'seal-unchanged', level: 'changed' });
  });

  /** What the next survey makes of a seal that is there after an answer. */
  const surveyedAfter = (answer: Observation) => {
    const world: World = { ...taken, replica: 'a* t1', batched: false };
    const history = historyOf({ ...world, after: [[seal, answer], survey(world)] });
    const last = history.steps.at(-1);
    if (!last?.observed) throw new Error('the survey is the last step');
    const { points } = absorb(history, last, last.observed, operationOf(2), aMinuteIn);
    const merged = history.points.map((point) => points.find(({ name }) => name === point.name) ?? point);
    return { points, next: decideBackup({ ...history, points: merged }, aMinuteIn) };
  };
  it.each([
    ['the answer was lost', lost],
    ['the host died', interrupted],
  ])('a seal that is there although %s is compared like that of a copy', (_, observed) => {
    const { points, next } = surveyedAfter(observed);
    expect(points).toMatchObject([{ name: nameOf('t1'), state: 'sealed', mode: 'incremental', base: nameOf('a') }]);
    expect(next).toMatchObject({ kind: 'verify', target: targetOf('t1') });
  });

  it('so is one that came late, when another host had been asked and found it there', () => {
    const refused: Observation = { ...interrupted, outcome: 'refused', code: 'seal-exists' };
    const world: World = { ...taken, replica: 'a* t1', batched: false };
    const history = historyOf({ ...world, after: [[seal, lost], [seal, refused], survey(world)] });
    const last = history.steps.at(-1);
    if (!last?.observed) throw new Error('the survey is the last step');
    expect(absorb(history, last, last.observed, operationOf(3), aMinuteIn).points).toMatchObject([{ state: 'sealed' }]);
  });

  it('so is one whose host was silent for an hour, and said then that it had died', () => {
    const world: World = { ...taken, replica: 'a* t1', batched: false };
    const history = historyOf({ ...world, after: [[seal, { kind: 'elapsed' }], [seal, interrupted], survey(world)] });
    const attached = history.steps.findLast(({ decision }) => decision.kind === 'seal-unchanged');
    const steps = history.steps.map((step) =>
      step === attached ? { ...step, decidedAt: epochMs(step.decidedAt + 3_600_000) } : step,
    );
    const last = steps.at(-1);
    if (!last?.observed) throw new Error('the survey is the last step');
    const { points } = absorb({ ...history, steps }, last, last.observed, operationOf(3), aMinuteIn);
    expect(points).toMatchObject([{ name: nameOf('t1'), state: 'sealed' }]);
  });

  it('one that somebody wrote into while it was made is not: the next attempt has another name', () => {
    const { points, next } = surveyedAfter({ ...interrupted, outcome: 'failed', code: 'replica-modified' });
    expect(points).toEqual([]);
    expect(next).toMatchObject({ kind: 'create-snapshot', attempt: 2 });
  });

  it('a snapshot of that name which no step of ours may have made is another one: the next attempt has another name', () => {
    expect(decide({ ...taken, replica: 'a* t1' })).toMatchObject({ kind: 'create-snapshot', attempt: 2 });
  });

  it('an older copy that may be alive is followed first', () => {
    const replicate = {
      kind: 'replicate',
      mode: 'incremental',
      base: baseOf('a'),
      target: targetOf('t1'),
    } as const;
    const busy = decide({ ...taken, after: [[replicate, lost], survey(taken)], copyDeadline: 3600 });
    expect(busy).toMatchObject({ kind: 'probe', copy: operationOf(1) });
  });
});
