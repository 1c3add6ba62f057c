import { runProgram } from './cli.ts';
import { processRuntime } from './runtime.ts';
import { folderUniverse } from './universe.ts';

/** The executables: `node main.mjs <folder of the clusters> ozone|hadoop <arguments …>`. */
const [directory = '', program = '', ...argv] = process.argv.slice(2);
process.exitCode = runProgram(
  folderUniverse(directory, process.env),
  processRuntime(),
  program === 'hadoop' ? 'hadoop' : 'ozone',
  argv,
);
