import type { JsonObject } from './json.ts';

/** An error as an AWS service answers it: `name` is the exception's shape name, `extra` its further members. */
export class AwsError extends Error {
  readonly status: number;
  readonly extra: JsonObject;

  constructor(name: string, message: string, options: { readonly status?: number; readonly extra?: JsonObject } = {}) {
    super(message);
    this.name = name;
    this.status = options.status ?? 400;
    this.extra = options.extra ?? {};
  }
}

/** Thrown while loading a template or a definition: something that this emulator does not have, refused instead of ignored. */
export class NotEmulated extends Error {
  override readonly name = 'NotEmulated';
}
