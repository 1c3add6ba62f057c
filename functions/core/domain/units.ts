import * as z from 'zod';

/** Milliseconds since 1970-01-01T00:00:00Z. */
export const EpochMs = z.number().int().nonnegative().brand<'EpochMs'>();
export type EpochMs = z.infer<typeof EpochMs>;

/** Whole seconds. */
export const DurationSeconds = z.number().int().nonnegative().brand<'DurationSeconds'>();
export type DurationSeconds = z.infer<typeof DurationSeconds>;

/** Whole bytes. */
export const Bytes = z.number().int().nonnegative().brand<'Bytes'>();
export type Bytes = z.infer<typeof Bytes>;

export const epochMs = (value: number): EpochMs => EpochMs.parse(value);
export const seconds = (value: number): DurationSeconds => DurationSeconds.parse(value);

export const later = (from: EpochMs, by: DurationSeconds): EpochMs => epochMs(from + by * 1000);
export const secondsBetween = (from: EpochMs, to: EpochMs): DurationSeconds =>
  seconds(Math.max(0, Math.round((to - from) / 1000)));

const SECONDS_PER_UNIT: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400, w: 604_800 };

const DURATION_FORM = 'write a positive whole number and one unit: 90s, 15m, 26h, 7d or 4w';

/**
 * A duration as people write it in a policy: a positive whole number and one unit, `90s`, `15m`, `26h`, `7d`, `4w`.
 * Anything else (no unit, two units, zero, a sign, a fraction) is refused.
 */
export const Duration = z
  .string(DURATION_FORM)
  .regex(/^[1-9][0-9]{0,5}[smhdw]$/, DURATION_FORM)
  .transform((text): DurationSeconds => seconds(Number(text.slice(0, -1)) * (SECONDS_PER_UNIT[text.slice(-1)] ?? 0)));
