import * as z from 'zod';
import { DrError } from '../errors.ts';
import { PairId } from './names.ts';
import { Happening } from './record.ts';
import { EpochMs } from './units.ts';

/** SHA-256 of the UTF-8 bytes of a text, in lower-case hex. Given by the caller: the domain has no cryptography. */
export type Sha256 = (text: string) => string;

export const ChainHash = z
  .string()
  .regex(/^[0-9a-f]{64}$/)
  .brand<'ChainHash'>();
export type ChainHash = z.infer<typeof ChainHash>;

/** What the first entry of a chain says of the entry before it. */
export const NO_ENTRY = ChainHash.parse('0'.repeat(64));

const EntryNumber = z.number().int().positive();

/**
 * An entry as it is stored and hashed: `hash` is of `text`, and `text` holds all the rest as canonical JSON. The text is
 * kept, not its parts, so that what was written stays what is hashed whatever later versions of this product read into
 * it, and so that any tool that knows SHA-256 can verify it. `n` is from the key.
 */
export interface Link {
  /** 0: it stands under a key that no entry has. */
  readonly n: number;
  readonly text: string;
  readonly hash: string;
}

/** All of an entry but its hash. What happened is not looked at here: later versions may know other kinds. */
const Body = z.strictObject({
  schema: z.literal(1),
  /** From 1, without a gap. */
  n: EntryNumber,
  /** Of what is recorded: recording it twice may leave two entries of one id, and readers take the first. */
  id: z.string().min(1).max(5000),
  pair: PairId,
  at: EpochMs,
  happening: z.json(),
  /** The hash of the entry before. */
  previous: ChainHash,
});
type Body = z.infer<typeof Body>;

/** An entry of the ledger of one pair, as readers want it. */
export const Entry = Body.extend({ happening: Happening, hash: ChainHash });
export type Entry = z.infer<typeof Entry>;

/** The newest entry of a chain: whoever knows it notices when later somebody shows a shorter or another chain. */
export interface Head {
  readonly n: number;
  readonly hash: string;
}

type Json = z.infer<ReturnType<typeof z.json>>;

/** JSON without blanks, the members of each object in the order of their names' UTF-16 units. */
export const canonicalJson = (value: Json): string => {
  if (value === null || typeof value !== 'object') return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`;
  const members = Object.keys(value)
    .toSorted()
    .map((name) => `${JSON.stringify(name)}:${canonicalJson(value[name] ?? null)}`);
  return `{${members.join(',')}}`;
};

/** What is to be recorded. */
export interface Occurrence {
  readonly id: string;
  readonly pair: PairId;
  readonly at: EpochMs;
  readonly happening: Happening;
}

/** UTF-8 bytes; DynamoDB takes items up to 400 KB. */
const bytesOf = (text: string): number => new TextEncoder().encode(text).length;
const LARGEST_ENTRY = 300_000;

/** The entry after `last`. @throws ItemInvalid when it is not what an entry can hold, or too large */
export const nextEntry = (sha256: Sha256, last: Head | undefined, occurrence: Occurrence): Link => {
  const { id, pair, at } = occurrence;
  const n = (last?.n ?? 0) + 1;
  const previous = last?.hash ?? NO_ENTRY;
  const happening = Happening.safeParse(occurrence.happening);
  const body = Body.safeParse({ schema: 1, n, id, pair, at, happening: happening.data, previous });
  const error = happening.error ?? body.error;
  if (!body.data) throw new DrError('ItemInvalid', `no entry: ${error ? z.prettifyError(error).slice(0, 2000) : id}`);
  const text = canonicalJson(body.data);
  if (bytesOf(text) > LARGEST_ENTRY) throw new DrError('ItemInvalid', `${id} is too large for an entry of the ledger`);
  return { n, text, hash: sha256(text) };
};

/** Halves of characters, which UTF-8 cannot carry: several such texts would have one hash. */
const HALVES = /\p{Surrogate}/u;

const bodyOf = (text: string): Body | undefined => {
  if (HALVES.test(text)) return undefined;
  try {
    return Body.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
};

/** The id of an entry, or undefined when it cannot be read. */
export const idOf = (link: Link): string | undefined => bodyOf(link.text)?.id;

/** The entry as readers want it, or why it cannot be read. That it is the one that was written is not checked here. */
export const readEntry = (link: Link): { readonly entry: Entry } | { readonly problem: string } => {
  const body = bodyOf(link.text);
  const parsed = Entry.safeParse({ ...body, hash: link.hash });
  return parsed.success
    ? { entry: parsed.data }
    : {
        problem: body
          ? `entry ${link.n}: ${z.prettifyError(parsed.error).slice(0, 500)}`
          : `entry ${link.n} is not readable: it may be of a newer version`,
      };
};

/** What was recorded, each id once: the first entry of it counts, a repeated recording adds nothing. */
export const withoutRepeats = (entries: readonly Entry[]): readonly Entry[] => {
  const seen = new Set<string>();
  return entries.filter(({ id }) => !seen.has(id) && seen.add(id));
};

export type ChainCheck =
  | { readonly kind: 'whole'; readonly head: Head }
  | { readonly kind: 'broken'; readonly n: number; readonly why: string };

/**
 * Whether these are all entries of one chain, each as it was written and in its place. Links come in the order of
 * their keys. An entry that was changed, taken out, moved or put in breaks the chain where it is. Two things do not
 * show in the entries themselves: a tail that was cut off, and a chain that was written anew from some entry to the
 * end. Both show against a head that was noted earlier (`known`).
 */
export const verifyChain = (
  sha256: Sha256,
  pair: PairId,
  links: readonly Link[],
  known: readonly Head[] = [],
): ChainCheck => {
  let previous: string = NO_ENTRY;
  for (const [index, link] of links.entries()) {
    const why = problemOf(sha256, pair, link, { n: index + 1, previous });
    if (why !== undefined) return { kind: 'broken', n: index + 1, why };
    previous = link.hash;
  }
  for (const { n, hash } of known.toSorted((one, other) => one.n - other.n)) {
    if (n > links.length)
      return {
        kind: 'broken',
        n: links.length + 1,
        why: `the chain ends at ${links.length}; it once had ${n} entries`,
      };
    const now = n === 0 ? NO_ENTRY : links[n - 1]?.hash;
    if (now !== hash) return { kind: 'broken', n, why: `the hash is ${now}; it once was ${hash}` };
  }
  return { kind: 'whole', head: { n: links.length, hash: previous } };
};

const problemOf = (
  sha256: Sha256,
  pair: PairId,
  link: Link,
  expected: { readonly n: number; readonly previous: string },
): string | undefined => {
  if (link.n === 0) return 'an item stands here under a key that no entry has';
  if (link.n > expected.n) return `the entry is missing: the next one is ${link.n}`;
  if (link.n < expected.n) return `entry ${link.n} stands in its place`;
  const hash = sha256(link.text);
  if (hash !== link.hash) return `the entry was changed: the hash of its text is ${hash}, recorded is ${link.hash}`;
  const body = bodyOf(link.text);
  if (!body) return 'the entry does not have the form of schema 1';
  if (body.n !== link.n) return `the entry calls itself ${body.n}`;
  if (body.pair !== pair) return `the entry is of ${body.pair}`;
  if (body.previous !== expected.previous)
    return `the entry follows one with the hash ${body.previous}, but the one before it has ${expected.previous}`;
  return undefined;
};

const LARGEST_PART = 200_000;
const REASONS = 20;
const REASON = 500;

type WithSnapshots = Extract<Happening, { snapshots: unknown }>;

/**
 * What is recorded of something whose list is too long for one entry: parts of it, in order, each of the same kind with
 * its own id. Reasons are cut to 20 of 500 characters.
 */
export const inParts = ({ id, happening, ...rest }: Occurrence): readonly Occurrence[] => {
  if (!('snapshots' in happening)) return [{ id, happening, ...rest }];
  const parts: WithSnapshots['snapshots'][] = [[]];
  let size = 0;
  for (const snapshot of happening.snapshots) {
    const short = { ...snapshot, reasons: snapshot.reasons.slice(0, REASONS).map((it) => it.slice(0, REASON)) };
    const bytes = bytesOf(JSON.stringify(short)) + 1;
    if (size > 0 && size + bytes > LARGEST_PART) {
      parts.push([]);
      size = 0;
    }
    parts.at(-1)?.push(short);
    size += bytes;
  }
  return parts.map((snapshots, index) => ({
    ...rest,
    id: index === 0 ? id : `${id}/${index + 1}`,
    happening: { ...happening, snapshots },
  }));
};

/** Of the parts, those that are not recorded by a caller that was cut off, as far as the newest entry shows that. */
export const stillToRecord = (parts: readonly Occurrence[], last: Link | undefined): readonly Occurrence[] => {
  const id = last && idOf(last);
  return parts.slice(parts.findIndex((part) => part.id === id) + 1);
};
