import type { O3Address } from '../om/address.ts';
import type { Session } from '../session.ts';
import type { CommandSpec, Parsed } from './arguments.ts';

/** What a command of `ozone sh` is given. */
export interface Call {
  readonly session: Session;
  readonly parsed: Parsed;
  readonly verbose: boolean;
  /** The first parameter as an address of the kind the command needs. */
  readonly address: O3Address;
  /** Prints to stdout unless a `snapshot diff` in the same batch has closed it. */
  print(text: string): void;
  closeStdout(): void;
}

export interface Command {
  readonly spec: CommandSpec;
  readonly names: readonly string[];
  readonly takes: 'service' | 'volume' | 'bucket' | 'key';
  run(call: Call): void;
}
