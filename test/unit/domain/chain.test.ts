import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { sha256 } from '../../../functions/adapters/sha256.ts';
import {
  canonicalJson,
  inParts,
  type Link,
  nextEntry,
  readEntry,
  verifyChain,
} from '../../../functions/core/domain/chain.ts';
import { BucketRef, ClusterName, pairId, runId, snapshotName } from '../../../functions/core/domain/names.ts';
import type { Happening } from '../../../functions/core/domain/record.ts';
import { epochMs } from '../../../functions/core/domain/units.ts';
import { policyOf, slot } from '../planner/world.ts';

const pair = pairId(ClusterName.parse('prod'), BucketRef.parse('sales/orders'), ClusterName.parse('dr'));
const otherPair = pairId(ClusterName.parse('prod'), BucketRef.parse('sales/returns'), ClusterName.parse('dr'));
const policy = policyOf('resync').name;

const happening = (detail: string): Happening => ({
  kind: 'verified',
  runId: runId(pair, policy, slot),
  name: snapshotName(policy, slot, 1),
  equal: detail === '',
  detail,
});

const chainOf = (details: readonly string[], of = pair): readonly Link[] => {
  const links: Link[] = [];
  for (const [i, detail] of details.entries())
    links.push(
      nextEntry(sha256, links.at(-1), { id: `id-${i}`, pair: of, at: epochMs(slot + i), happening: happening(detail) }),
    );
  return links;
};
const five = chainOf(['a', 'b', 'c', 'd', 'e']);
const at = (links: readonly Link[], n: number): Link => {
  const link = links[n - 1];
  if (!link) throw new Error(`there is no entry ${n}`);
  return link;
};
const headOf = (links: readonly Link[]) => ({ n: links.length, hash: links.at(-1)?.hash ?? '' });
const check = (links: readonly Link[], known: Parameters<typeof verifyChain>[3] = []) =>
  verifyChain(sha256, pair, links, known);
/** An entry with another text, and the hash that belongs to that text. */
const forged = (link: Link, change: (body: Record<string, unknown>) => void): Link => {
  const body = JSON.parse(link.text) as Record<string, unknown>;
  change(body);
  const text = canonicalJson(body as never);
  return { ...link, text, hash: sha256(text) };
};
const replaced = (n: number, link: Link): readonly Link[] => five.map((it) => (it.n === n ? link : it));
/** As somebody with access to the table would write the chain anew from an entry to its end. */
const rewritten = (n: number): readonly Link[] => {
  const links: Link[] = five.slice(0, n - 1).map((it) => it);
  for (const old of five.slice(n - 1))
    links.push(
      forged(old, (body) => {
        body.previous = links.at(-1)?.hash ?? '0'.repeat(64);
        if (old.n === n) body.happening = happening('forged');
      }),
    );
  return links;
};

describe('a chain', () => {
  it('that nobody touched is whole, and says which entry is its head', () => {
    expect(check(five)).toEqual({ kind: 'whole', head: headOf(five) });
    expect(check([])).toEqual({ kind: 'whole', head: { n: 0, hash: '0'.repeat(64) } });
  });

  it('can be verified by anybody who knows SHA-256: the hash is of the text, the text names the hash before', () => {
    expect(sha256(at(five, 2).text)).toBe(at(five, 2).hash);
    expect(JSON.parse(at(five, 2).text)).toEqual({
      at: slot + 1,
      happening: happening('b'),
      id: 'id-1',
      n: 2,
      pair,
      previous: at(five, 1).hash,
      schema: 1,
    });
  });

  /** The hash is that of sha256sum. Changing how entries are written breaks every chain that there is. */
  it('is written as it always was', () => {
    expect(at(chainOf(['a ß']), 1)).toEqual({
      n: 1,
      text: `{"at":1795140000000,"happening":{"detail":"a ß","equal":false,"kind":"verified","name":"odr-nightly-20261120t020000z-1","runId":"prod/sales/orders#dr#nightly#20261120t020000z"},"id":"id-0","n":1,"pair":"prod/sales/orders#dr","previous":"${'0'.repeat(64)}","schema":1}`,
      hash: 'c42f8a3b89c78a17cddc91e2c0ab4030a8018961a0ec257b0bf0b685c7114aed',
    });
  });

  it.each<readonly [string, readonly Link[], number, RegExp]>([
    ['a changed text', replaced(3, { ...at(five, 3), text: at(five, 3).text.replace('"c"', '"C"') }), 3, /was changed/],
    ['a changed hash', replaced(3, { ...at(five, 3), hash: 'f'.repeat(64) }), 3, /was changed/],
    [
      'a changed text whose hash was made to fit',
      replaced(
        3,
        forged(at(five, 3), (it) => Object.assign(it, { id: 'x' })),
      ),
      4,
      /follows one with the hash/,
    ],
    ['a first entry that was taken out', five.slice(1), 1, /missing: the next one is 2/],
    ['an entry in the middle that was taken out', five.filter((it) => it.n !== 3), 3, /missing: the next one is 4/],
    ['two entries that were moved', [at(five, 1), at(five, 3), at(five, 2), at(five, 4)], 2, /missing/],
    [
      'two entries that changed their places',
      [at(five, 1), { ...at(five, 3), n: 2 }, { ...at(five, 2), n: 3 }],
      2,
      /calls itself 3/,
    ],
    ['an entry that is there twice', [at(five, 1), at(five, 1), at(five, 2)], 2, /entry 1 stands in its place/],
    [
      'an entry that was put in',
      [
        at(five, 1),
        nextEntry(sha256, at(five, 1), { id: 'new', pair, at: slot, happening: happening('new') }),
        ...five.slice(1),
      ],
      3,
      /entry 2 stands in its place/,
    ],
    [
      'an entry that was put in, all after it renumbered by key',
      [
        at(five, 1),
        nextEntry(sha256, at(five, 1), { id: 'new', pair, at: slot, happening: happening('new') }),
        ...five.slice(1).map((it) => ({ ...it, n: it.n + 1 })),
      ],
      3,
      /calls itself 2/,
    ],
    ['an entry of another bucket', replaced(1, at(chainOf(['a'], otherPair), 1)), 1, /is of prod\/sales\/returns#dr/],
    [
      'a first entry that follows something',
      [forged(at(five, 1), (it) => Object.assign(it, { previous: 'f'.repeat(64) }))],
      1,
      /follows one with the hash f/,
    ],
    ['a text that is not JSON', replaced(5, { n: 5, text: 'x', hash: sha256('x') }), 5, /form of schema 1/],
    [
      'an entry with a field too many',
      replaced(
        5,
        forged(at(five, 5), (it) => Object.assign(it, { extra: 1 })),
      ),
      5,
      /form of schema 1/,
    ],
    [
      'an entry of an unknown schema',
      replaced(
        5,
        forged(at(five, 5), (it) => Object.assign(it, { schema: 2 })),
      ),
      5,
      /form of schema 1/,
    ],
  ])('with %s is broken there', (_, links, n, why) => {
    expect(check(links)).toMatchObject({ kind: 'broken', n, why: expect.stringMatching(why) });
  });

  it('of every kind of happening stays whole when later versions know more: what happened is not looked at', () => {
    const links = replaced(
      5,
      forged(at(five, 5), (it) => Object.assign(it, { happening: { kind: 'of-tomorrow' } })),
    );
    expect(check(links)).toMatchObject({ kind: 'whole' });
    expect(readEntry(at(links, 5))).toMatchObject({ problem: expect.stringContaining('entry 5') });
  });
});

describe('the head that somebody noted', () => {
  it('of any entry fits a chain that has grown since', () => {
    for (const n of [1, 3, 5]) expect(check(five, [headOf(five.slice(0, n))])).toMatchObject({ kind: 'whole' });
    expect(check(five, [{ n: 0, hash: '0'.repeat(64) }])).toMatchObject({ kind: 'whole' });
  });

  it('shows that the tail was cut off, which the chain alone does not', () => {
    expect(check(five.slice(0, 3))).toMatchObject({ kind: 'whole' });
    expect(check(five.slice(0, 3), [headOf(five)])).toEqual({
      kind: 'broken',
      n: 4,
      why: 'the chain ends at 3; it once had 5 entries',
    });
    expect(check([], [headOf(five)])).toMatchObject({ kind: 'broken', n: 1 });
  });

  it('shows that the chain was written anew, which the chain alone does not', () => {
    for (const n of [1, 3, 5]) {
      expect(check(rewritten(n))).toMatchObject({ kind: 'whole' });
      expect(check(rewritten(n), [headOf(five)])).toMatchObject({
        kind: 'broken',
        n: 5,
        why: expect.stringMatching(/once was/),
      });
    }
    expect(check(rewritten(3), [headOf(five.slice(0, 2))])).toMatchObject({ kind: 'whole' });
  });

  it('of several notes the oldest that does not fit is named', () => {
    expect(check(rewritten(3), [headOf(five), headOf(five.slice(0, 4))])).toMatchObject({ n: 4 });
  });
});

describe('any change of any entry', () => {
  const chains = fc
    .array(fc.string({ unit: 'binary', maxLength: 20 }), { minLength: 1, maxLength: 12 })
    .map((details) => chainOf(details));
  const withPlace = chains.chain((links) => fc.record({ links: fc.constant(links), i: fc.nat(links.length - 1) }));

  it('of its text, its hash or its number is detected', () => {
    fc.assert(
      fc.property(
        withPlace,
        fc.constantFrom('text', 'hash', 'n'),
        fc.nat(),
        fc.integer({ min: 1, max: 65_535 }),
        ({ links, i }, field, where, by) => {
          const link = at(links, i + 1);
          const edit = (text: string): string => {
            const place = where % text.length;
            return (
              text.slice(0, place) + String.fromCharCode((text.charCodeAt(place) + by) % 65_536) + text.slice(place + 1)
            );
          };
          const changed =
            field === 'n' ? { ...link, n: link.n + by } : { ...link, [field]: edit(link[field as 'text' | 'hash']) };
          const result = check(links.map((it) => (it === link ? changed : it)));
          return result.kind === 'broken' && result.n === link.n;
        },
      ),
      { numRuns: 2000 },
    );
  });

  it('that was hashed again is detected in the next entry, or by the head', () => {
    fc.assert(
      fc.property(withPlace, fc.string({ unit: 'binary', minLength: 1 }), ({ links, i }, id) => {
        const link = at(links, i + 1);
        fc.pre(id !== `id-${i}`);
        const changed = links.map((it) => (it === link ? forged(it, (body) => Object.assign(body, { id })) : it));
        const result = check(changed, [headOf(links)]);
        return result.kind === 'broken' && result.n === Math.min(link.n + 1, links.length);
      }),
      { numRuns: 1000 },
    );
  });

  it('of their order, of what is missing or there twice is detected with the head', () => {
    fc.assert(
      fc.property(chains, fc.array(fc.nat(), { maxLength: 14 }), (links, picks) => {
        const picked = picks.map((it) => at(links, (it % links.length) + 1));
        fc.pre(picked.length !== links.length || picked.some((it, i) => it !== links[i]));
        return check(picked, [headOf(links)]).kind === 'broken';
      }),
      { numRuns: 2000 },
    );
  });
});

describe('canonical JSON', () => {
  it('does not depend on the order in which members were set', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const shuffled = (it: unknown): unknown =>
          Array.isArray(it)
            ? it.map(shuffled)
            : it !== null && typeof it === 'object'
              ? Object.fromEntries(
                  Object.entries(it)
                    .reverse()
                    .map(([name, member]) => [name, shuffled(member)]),
                )
              : it;
        const text = canonicalJson(value as never);
        expect(canonicalJson(shuffled(value) as never)).toBe(text);
        expect(JSON.parse(text)).toEqual(JSON.parse(JSON.stringify(value)));
      }),
    );
  });
});

describe('a list too long for one entry', () => {
  const reasons = Array.from({ length: 40 }, () => 'ß'.repeat(2000));
  const snapshots = Array.from({ length: 60 }, (_, i) => ({
    side: 'replica' as const,
    name: snapshotName(policy, epochMs(slot + i * 1000), 1),
    id: `00000000-0000-4000-8000-${String(i).padStart(12, '0')}` as never,
    reasons,
  }));
  const long: Happening = { kind: 'spared', runId: runId(pair, policy, slot), snapshots };

  it('comes in parts that each fit, with reasons cut, and nothing left out', () => {
    const parts = inParts({ id: 'plan', pair, at: slot, happening: long });
    expect(parts.length).toBeGreaterThan(1);
    const links = parts.map((part) => nextEntry(sha256, undefined, part));
    for (const { text } of links) expect(Buffer.byteLength(text)).toBeLessThanOrEqual(300_000);
    const names = parts.flatMap(({ happening: it }) => (it.kind === 'spared' ? it.snapshots : []));
    expect(names.map((it) => it.name)).toEqual(snapshots.map((it) => it.name));
    expect(names[0]?.reasons).toEqual(Array.from({ length: 20 }, () => 'ß'.repeat(500)));
  });

  it('that is empty is one entry', () => {
    expect(inParts({ id: 'plan', pair, at: slot, happening: { ...long, snapshots: [] } })).toHaveLength(1);
  });
});
