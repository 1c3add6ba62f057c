/** JSON values, and the few questions that every part of the emulator asks of them. */
export type Json = null | boolean | number | string | readonly Json[] | JsonObject;
export interface JsonObject {
  readonly [name: string]: Json;
}

export const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Parses JSON text; what cannot be parsed is `undefined`, never an exception. */
export function parseJson(text: string): Json | undefined {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** A deep copy as JSON has it: what JSON cannot say (functions, undefined members, array flags) is gone. */
export const asJson = (value: unknown): Json => JSON.parse(JSON.stringify(value ?? null));

/** Size in bytes as AWS counts a payload: UTF-8 of the JSON text. */
export const sizeOf = (value: Json): number => Buffer.byteLength(JSON.stringify(value));

/** Equality of JSON values, members in any order. */
export function sameJson(a: Json | undefined, b: Json | undefined): boolean {
  return canonical(a) === canonical(b);
}

export function canonical(value: Json | undefined): string {
  return JSON.stringify(value, (_name, member: unknown) =>
    isObject(member) ? Object.fromEntries(Object.entries(member).sort(([x], [y]) => (x < y ? -1 : 1))) : member,
  );
}
