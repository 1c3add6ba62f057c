import { randomUUID } from 'node:crypto';
import type { Clock } from './clock.ts';
import type { Counters } from './counters.ts';
import type { JsonObject } from './json.ts';

export const accountId = '123456789012';
export const region = 'eu-central-1';

export const arnOf = (service: string, resource: string): string =>
  `arn:aws:${service}:${region}:${accountId}:${resource}`;
export const iamArn = (resource: string): string => `arn:aws:iam::${accountId}:${resource}`;

/** Something that happened, for a live print-out; `at` is the emulator's time in epoch milliseconds. */
export interface CloudEvent extends JsonObject {
  readonly at: number;
  readonly kind: string;
}

/** Who makes a call: the name of a role of the template, or `root` (the person or test outside), who may do everything. */
export type Caller = string;
export const root: Caller = 'root';

/** Judges one action on one resource; throws `AccessDeniedException`. `context` holds condition keys. */
export type Authorize = (
  caller: Caller,
  action: string,
  resource: string,
  context?: Readonly<Record<string, string>>,
) => void;

export type Measure = (
  namespace: string,
  name: string,
  dimensions: Readonly<Record<string, string>>,
  value: number,
) => void;

/** What all parts of the emulator share. */
export interface World {
  readonly clock: Clock;
  readonly counters: Counters;
  readonly authorize: Authorize;
  /** Tells the listeners that `kind` happened. */
  readonly tell: (kind: string, detail: JsonObject) => void;
  /** A data point of a metric of AWS's own, at the emulator's time. */
  readonly measure: Measure;
  /** Uniform in [0, 1): jitter. */
  readonly random: () => number;
}

export const requestId = (): string => randomUUID();

/** AWS's JSON protocols carry times as epoch seconds with a fraction. */
export const seconds = (epochMs: number): number => epochMs / 1000;
export const iso = (epochMs: number): string => new Date(epochMs).toISOString();
