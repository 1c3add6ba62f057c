import * as z from 'zod';
import { EpochMs } from './units.ts';

/** Also part of the name of the execution that it starts. */
export const NonceId = z
  .string()
  .regex(/^[0-9a-f]{32}$/, 'write the 32 hex digits that the form was given')
  .brand<'NonceId'>();
export type NonceId = z.infer<typeof NonceId>;

/** The right to submit one form once: made when the form is shown. */
export const Nonce = z.object({
  id: NonceId,
  /** SHA-256 of the act and what it is about, in hex: of another act it is worth nothing. */
  what: z.string().regex(/^[0-9a-f]{64}$/),
  expires: EpochMs,
  usedAt: EpochMs.nullable(),
  /** Where the form was shown; it does not say to whom. */
  dashboard: z.string().max(300),
});
export type Nonce = z.infer<typeof Nonce>;
