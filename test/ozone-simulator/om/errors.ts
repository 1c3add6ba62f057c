/** A refusal of the Ozone Manager: `code` is its result code, `ozone sh` prints `<code> <message>` and exits 255. */
export class OmError extends Error {
  override readonly name = 'OmError';
  readonly code: string;
  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

/** The client could not reach the Ozone Manager. `attempts` is 0 when the client was not told to ever give up. */
export class UnreachableError extends Error {
  override readonly name = 'UnreachableError';
  constructor() {
    super('Connection refused');
  }
}

/** Anything that `ozone sh` prints as a bare line: bad addresses, local files. */
export class ClientError extends Error {
  override readonly name = 'ClientError';
}
