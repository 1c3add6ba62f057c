import { createHash } from 'node:crypto';
import { type Nonce, NonceId } from '../domain/nonce.ts';
import { later, seconds } from '../domain/units.ts';
import { DrError } from '../errors.ts';
import type { Clock, NonceRefusal, Nonces } from '../ports.ts';

/** What a form is for: the act, and all that it is about but what is still typed into it. */
export interface Act {
  readonly act: string;
  readonly about: Readonly<Record<string, string>>;
}

export interface NonceDependencies {
  readonly nonces: Nonces;
  readonly clock: Clock;
  /** 128 random bits, in hex. */
  readonly random: () => string;
}

/** Long enough to read a plan, short enough that a form left open overnight does nothing in the morning. */
const VALID = seconds(1800);

/** The same for the same act, whatever the order of what it is about. */
const hashOfAct = ({ act, about }: Act): Nonce['what'] =>
  createHash('sha256')
    .update(JSON.stringify([act, Object.entries(about).toSorted(([one], [other]) => (one < other ? -1 : 1))]))
    .digest('hex');

/** The right to submit one form once. */
export const makeNonce = async (
  { nonces, clock, random }: NonceDependencies,
  act: Act,
  dashboard: string,
): Promise<NonceId> => {
  const id = NonceId.parse(random());
  const expires = later(clock.now(), VALID);
  await nonces.make({ id, what: hashOfAct(act), expires, usedAt: null, dashboard: dashboard.slice(0, 300) });
  return id;
};

const WHY: Readonly<Record<NonceRefusal, string>> = {
  unknown: 'This form was never shown by this console. Nothing was done. Here is a fresh one',
  used: 'This form was sent before, and what it asked for was started then. Nothing more was done. Look under operations what came of it; if you want it once more, here is a fresh form',
  expired:
    'This form was open for more than half an hour, and what it showed may be old. Nothing was done. Here is a fresh one',
  other: 'This form was shown for something else. Nothing was done. Here is a fresh one',
};

/** Uses the right up. @throws NotConfirmed that says why it does not count (any more) */
export const useNonce = async (
  { nonces, clock }: Pick<NonceDependencies, 'nonces' | 'clock'>,
  id: string | undefined,
  act: Act,
): Promise<NonceId> => {
  const parsed = NonceId.safeParse(id);
  const found = parsed.success ? await nonces.use(parsed.data, hashOfAct(act), clock.now()) : 'unknown';
  if (!parsed.success || found !== 'used-now')
    throw new DrError('NotConfirmed', WHY[found === 'used-now' ? 'unknown' : found]);
  return parsed.data;
};
