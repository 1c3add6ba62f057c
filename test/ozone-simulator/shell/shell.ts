import { type O3Address, parseO3 } from '../om/address.ts';
import { ClientError, OmError, UnreachableError } from '../om/errors.ts';
import type { Session } from '../session.ts';
import { type CommandSpec, parseArguments, splitWords, UsageError, usageOf } from './arguments.ts';
import { bucketCommands } from './bucket-commands.ts';
import type { Call, Command } from './command.ts';
import { diffCommands } from './diff-commands.ts';
import { keyCommands } from './key-commands.ts';
import { snapshotCommands } from './snapshot-commands.ts';

const commands: readonly Command[] = [...bucketCommands, ...keyCommands, ...snapshotCommands, ...diffCommands];

interface Root {
  readonly words: readonly string[];
  readonly batch: readonly string[];
  readonly verbose: boolean;
  readonly properties: ReadonlyMap<string, string>;
}

/** `ozone sh …`. @returns the exit code: 0, 255 for a refusal, 2 for a usage error. */
export function runShell(session: Session, argv: readonly string[]): number {
  const { runtime } = session;
  const root = parseRoot(argv);
  session.addServices(root.properties.get('ozone.om.service.ids'));
  let open = true;
  const output = {
    print: (text: string) => {
      if (open) runtime.out(text);
    },
    closeStdout: () => {
      open = false;
    },
  };
  if (root.batch.length === 0) return runOne(session, root, root.words, output);
  for (const line of root.batch) {
    output.print(`${line}\n`);
    const exit = runOne(session, root, splitWords(line), output);
    if (exit !== 0 && !session.has('batch-goes-on-after-a-failure')) return exit;
    output.print('\n');
  }
  return 0;
}

function parseRoot(argv: readonly string[]): Root {
  const properties = new Map<string, string>();
  const batch: string[] = [];
  let verbose = false;
  let i = 0;
  const property = (text: string) => {
    const at = text.indexOf('=');
    if (at > 0) properties.set(text.slice(0, at), text.slice(at + 1));
  };
  for (; i < argv.length; i++) {
    const word = argv[i] ?? '';
    if (word === '-D' || word === '--set') property(argv[++i] ?? '');
    else if (word.startsWith('-D')) property(word.slice(2));
    else if (word.startsWith('--set=')) property(word.slice(6));
    else if (word === '--execute') batch.push(argv[++i] ?? '');
    else if (word.startsWith('--execute=')) batch.push(word.slice(10));
    else if (word === '--verbose') verbose = true;
    else if (!word.startsWith('-conf')) break;
  }
  return { words: argv.slice(i), batch, verbose, properties };
}

function runOne(
  session: Session,
  root: Root,
  words: readonly string[],
  output: Pick<Call, 'print' | 'closeStdout'>,
): number {
  const { runtime } = session;
  const [group = '', name = ''] = words;
  const inGroup = commands.filter((command) => command.spec.path.startsWith(`${group} `));
  const command = inGroup.find((candidate) => candidate.names.includes(name));
  if (!command) {
    runtime.err(
      inGroup.length > 0 ? `Unmatched argument at index 1: '${name}'\n` : `Unmatched argument at index 0: '${group}'\n`,
    );
    return 2;
  }
  try {
    const parsed = parseArguments(specFor(session, command), words.slice(2), 2);
    const address = addressOf(session, command, parsed.parameters[0] ?? '');
    command.run({ session, parsed, address, verbose: root.verbose || parsed.has('--verbose'), ...output });
    return 0;
  } catch (error) {
    if (error instanceof UsageError) {
      runtime.err(`${error.message}\n${usageOf(command.spec)}`);
      return 2;
    }
    return refused(session, root, error);
  }
}

/** Before 2.2 `diff` had no `--get-report`. */
const specFor = (session: Session, { spec }: Command): CommandSpec =>
  session.cli === '2.1'
    ? { ...spec, flags: spec.flags.filter((flag) => flag !== '--get-report' && flag !== '-r') }
    : spec;

function addressOf(session: Session, command: Command, text: string): O3Address {
  const address = parseO3(text, session.services);
  const tooLong =
    (command.takes === 'bucket' &&
      address.key !== '' &&
      'Invalid bucket name. Delimiters (/) not allowed in bucket name') ||
    (command.takes === 'volume' &&
      address.bucket !== '' &&
      'Invalid volume name. Delimiters (/) not allowed in volume name');
  if (tooLong) {
    throw new UsageError(
      `Invalid value for positional parameter at index 0 (<value>): cannot convert '${text}' to OzoneAddress ` +
        `(org.apache.hadoop.ozone.client.OzoneClientException: ${tooLong})`,
    );
  }
  return address;
}

function refused(session: Session, root: Root, error: unknown): number {
  const { runtime } = session;
  if (error instanceof OmError) runtime.err(`${error.code} ${error.message}\n`);
  else if (error instanceof ClientError) runtime.err(`${error.message}\n`);
  else if (error instanceof UnreachableError) {
    if (!root.properties.has('ozone.client.failover.max.attempts')) runtime.hang();
    runtime.err(`${error.message}\n`);
  } else throw error;
  return 255;
}
