import type { Bug, CrashPoint } from './points.ts';

/** Which commands a rule is for; what is left out matches anything. */
export interface FaultMatch {
  readonly program?: 'ozone' | 'hadoop';
  /** Regular expression over the arguments joined by blanks. */
  readonly command?: string;
  /** Only the n-th matching command, counted from 1. */
  readonly call?: number;
}

export type FaultEffect =
  /** The Ozone Manager refuses connections. A client without a bound on its retries waits for ever. */
  | { readonly kind: 'unreachable'; readonly service: string }
  | { readonly kind: 'slow'; readonly ms: number }
  /** Only the first bytes of stdout arrive. */
  | { readonly kind: 'cut-output'; readonly bytes: number }
  /** A log line on stdout in front of everything else. */
  | { readonly kind: 'log-line'; readonly text: string }
  /** SIGKILL when the point is reached for the n-th time (1 by default). */
  | { readonly kind: 'crash'; readonly point: `before:${CrashPoint}` | `after:${CrashPoint}`; readonly nth?: number }
  /** Diff jobs submitted now leave out the n-th entry (counted from 1, modulo the length), or all that name a path (`./a/b`). */
  | { readonly kind: 'diff-omits'; readonly service: string; readonly entry: number | string }
  | { readonly kind: 'diff-fails'; readonly service: string; readonly reason: string }
  | { readonly kind: 'diff-rejected'; readonly service: string }
  | { readonly kind: 'diff-slow'; readonly service: string; readonly ms: number }
  | { readonly kind: 'quota-full'; readonly service: string }
  | { readonly kind: 'snapshot-limit'; readonly service: string; readonly limit: number }
  | { readonly kind: 'clock-skew'; readonly service: string; readonly ms: number }
  | { readonly kind: 'permission-denied'; readonly service: string }
  | { readonly kind: 'bug'; readonly name: Bug };

/**
 * One line of `faults.json`. `times` bounds how often it happens (for ever by default); with `probability` it happens
 * by chance, decided by `seed` and the number of the call, so that a run can be repeated.
 */
export interface FaultRule {
  readonly id: string;
  readonly match?: FaultMatch;
  readonly times?: number;
  readonly probability?: number;
  readonly seed?: number;
  readonly effect: FaultEffect;
}

/** How often each rule matched and fired so far. */
export type FaultCounts = Readonly<Record<string, { readonly seen: number; readonly fired: number }>>;

/** Decides which rules strike one command, and counts. */
export function strike(
  rules: readonly FaultRule[],
  counts: FaultCounts,
  program: 'ozone' | 'hadoop',
  argv: readonly string[],
): { readonly effects: readonly FaultEffect[]; readonly counts: FaultCounts } {
  const next: Record<string, { seen: number; fired: number }> = { ...counts };
  const effects: FaultEffect[] = [];
  for (const rule of rules) {
    if (!matches(rule.match ?? {}, program, argv)) continue;
    const { seen, fired } = next[rule.id] ?? { seen: 0, fired: 0 };
    const call = seen + 1;
    const now = (rule.match?.call ?? call) === call && fired < (rule.times ?? Infinity) && byChance(rule, call);
    if (now) effects.push(rule.effect);
    next[rule.id] = { seen: call, fired: fired + (now ? 1 : 0) };
  }
  return { effects, counts: next };
}

const matches = (match: FaultMatch, program: string, argv: readonly string[]): boolean =>
  (match.program ?? program) === program &&
  (match.command === undefined || new RegExp(match.command).test(argv.join(' ')));

const byChance = (rule: FaultRule, call: number): boolean =>
  rule.probability === undefined || unit((rule.seed ?? 0) * 7919 + call) < rule.probability;

/** A number in [0, 1) that only depends on `n` (mulberry32). */
export function unit(n: number): number {
  let t = (n + 0x6d2b79f5) | 0;
  t = Math.imul(t ^ (t >>> 15), t | 1);
  t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
  return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
}
