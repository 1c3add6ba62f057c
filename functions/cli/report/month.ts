import { type EpochMs, epochMs } from '../../core/domain/units.ts';
import { UsageError } from '../options.ts';
import type { Span } from './attainment.ts';

export interface Month extends Span {
  /** `2026-10` */
  readonly name: string;
  /** False while it is going on: `until` is now. */
  readonly complete: boolean;
}

/** A calendar month in UTC, or of the current one what is over. @throws UsageError */
export const parseMonth = (text: string | undefined, now: EpochMs): Month => {
  const [, year, month] = /^(\d{4})-(0[1-9]|1[0-2])$/.exec(text ?? '') ?? [];
  if (text === undefined || year === undefined || month === undefined)
    throw new UsageError('--month: write a year and a month: --month 2026-10');
  const from = Date.UTC(Number(year), Number(month) - 1, 1);
  const end = Date.UTC(Number(year), Number(month), 1);
  if (from < 0 || from >= now) throw new UsageError(`--month ${text}: nothing of it is over yet`);
  return { name: text, from: epochMs(from), until: epochMs(Math.min(end, now)), complete: end <= now };
};
