import { runDistCp } from './distcp/distcp.ts';
import { runFs } from './fs/shell.ts';
import type { Runtime } from './runtime.ts';
import { Session } from './session.ts';
import { runShell } from './shell/shell.ts';
import type { Universe } from './universe.ts';

export type Program = 'ozone' | 'hadoop';

const hadoopVersion = `Hadoop 3.4.3
Source code repository https://github.com/apache/hadoop.git -r 9d50c6884666e794e45102260a4017bb31802e1b
Compiled by stevel on 2026-02-12T15:31Z
`;

/** Runs one command line of `ozone` or `hadoop` and returns its exit code. */
export function runProgram(universe: Universe, runtime: Runtime, program: Program, argv: readonly string[]): number {
  const session = new Session(universe, runtime, universe.strike(program, argv));
  const words = argv[0] === '--loglevel' ? argv.slice(2) : argv;
  const [command = '', ...rest] = words;
  switch (`${program} ${command}`) {
    case 'ozone sh':
    case 'ozone shell':
      return runShell(session, rest);
    case 'ozone fs':
    case 'hadoop fs':
      return runFs(session, rest);
    case 'hadoop distcp':
      return runDistCp(session, rest);
    case 'ozone version':
      session.runtime.out(`${session.cli === '2.1' ? 'Ozone 2.1.0' : 'Ozone 2.2.0'}\n`);
      return 0;
    case 'hadoop version':
      session.runtime.out(hadoopVersion);
      return 0;
    default:
      session.runtime.err(`ERROR: ${command} is not COMMAND nor fully qualified CLASSNAME.\n`);
      return 1;
  }
}
