import { randomBytes } from 'node:crypto';
import { AwsError } from '../errors.ts';
import { type Json, parseJson } from '../json.ts';
import { StateError } from './errors.ts';

/** What a waiting Task wants to hear. */
export interface TokenListener {
  /** ARN of the state machine, which permissions of the callbacks are judged on. */
  readonly machineArn: string;
  readonly ended: (outcome: () => Json) => void;
  readonly beat: () => void;
}

/**
 * Task tokens. A token belongs to one attempt of one Task: after a time-out, a retry or the end of the execution the
 * old token is closed and answers `TaskTimedOut`; a token that never existed answers `InvalidToken`.
 */
export class TaskTokens {
  readonly #open = new Map<string, TokenListener>();
  readonly #closed = new Set<string>();

  open(listener: TokenListener): string {
    const token = `AQB4${randomBytes(96).toString('base64')}`;
    this.#open.set(token, listener);
    return token;
  }

  close(token: string): void {
    if (this.#open.delete(token)) this.#closed.add(token);
  }

  success(token: string, output: string): void {
    const listener = this.listener(token);
    const value = parseJson(output);
    if (value === undefined) throw new AwsError('InvalidOutput', "Invalid Output: 'Output is not valid JSON'");
    this.close(token);
    listener.ended(() => value);
  }

  failure(token: string, error: string, cause: string): void {
    const listener = this.listener(token);
    this.close(token);
    listener.ended(() => {
      throw new StateError(error, cause);
    });
  }

  heartbeat(token: string): void {
    this.listener(token).beat();
  }

  listener(token: string): TokenListener {
    const listener = this.#open.get(token);
    if (listener) return listener;
    if (this.#closed.has(token)) {
      throw new AwsError('TaskTimedOut', "Task Timed Out: 'Provided task does not exist anymore'");
    }
    throw new AwsError('InvalidToken', "Invalid Token: 'Invalid token'");
  }
}
