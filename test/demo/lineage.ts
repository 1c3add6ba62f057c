import type { RecoveryPoint, RunStep } from '../../functions/core/domain/ledger.ts';

/** One night of the week, and what came of it. */
export interface LineageNight {
  readonly slot: Date;
  readonly title: string;
  readonly result: 'verified' | 'failed' | 'missed';
  /** One sentence: what came of it, with the error and its cause when it failed. */
  readonly sentence: string;
  /** What the ledger knows of the slot's point; null when none was taken. */
  readonly point: RecoveryPoint | null;
  readonly steps: readonly RunStep[];
  /** The demo's own comparison of both sides; null where there is nothing to compare. */
  readonly readBack: string | null;
}

export interface Lineage {
  readonly bucket: string;
  readonly source: string;
  readonly replica: string;
  readonly nights: readonly LineageNight[];
}

const part = (at: Date, options: Intl.DateTimeFormatOptions): string =>
  new Intl.DateTimeFormat('en-GB', { timeZone: 'UTC', ...options }).format(at);

/** `Tue 10` */
export const dayOf = (at: Date): string => `${part(at, { weekday: 'short' })} ${part(at, { day: '2-digit' })}`;
/** A slot for people: `Tue 10`, with the hour when it is not the nightly one: `Tue 10 11:00`. */
export const labelOfSlot = (at: Date): string =>
  dayOf(at) + (at.getUTCHours() === 2 ? '' : ` ${at.toISOString().slice(11, 16)}`);
export const monthOf = (at: Date): string => part(at, { month: 'long', year: 'numeric' });
/** `02:00:08` */
export const timeOf = (at: Date): string => at.toISOString().slice(11, 19);

/** `34.1 kB`, in powers of 1000. */
export const bytesText = (bytes: number): string => {
  if (bytes < 1000) return `${bytes} B`;
  const [amount, unit] = bytes < 1_000_000 ? [bytes / 1000, 'kB'] : [bytes / 1_000_000, 'MB'];
  return `${amount.toFixed(1)} ${unit}`;
};

/** `4 s`, `1 min 5 s` */
export const secondsText = (seconds: number): string => {
  const whole = Math.round(seconds);
  return whole < 60 ? `${whole} s` : `${Math.floor(whole / 60)} min${whole % 60 === 0 ? '' : ` ${whole % 60} s`}`;
};

/** The night of a snapshot's name (`odr-<policy>-<slot>-<attempt>`) as a day, for people. */
export const dayOfSnapshot = (name: string): string => {
  const [, year, month, day, hour, attempt] = /-(\d{4})(\d\d)(\d\d)t(\d\d)\d{4}z-(\d+)$/.exec(name) ?? [];
  if (day === undefined) return name;
  return (
    labelOfSlot(new Date(`${year}-${month}-${day}T${hour}:00:00Z`)) + (attempt === '1' ? '' : ` (attempt ${attempt})`)
  );
};

/** Snapshot names in a sentence become their days. */
export const withDays = (sentence: string): string =>
  sentence.replace(/\bodr-[a-z0-9-]+-\d{8}t\d{6}z-\d+\b/g, (name) => dayOfSnapshot(name));

/** What the comparison proved, in the words of the policy's level. */
export const proofOf = ({ state, verification }: RecoveryPoint): string => {
  if (!verification) return 'not compared';
  const { level, files, dirs, bytes, differences } = verification;
  if (state !== 'verified') return `${level}: differs, ${differences ?? ''}`;
  return `${level}: ${files} files and ${dirs} directories, ${bytesText(bytes)}: every path, type and length is equal`;
};
