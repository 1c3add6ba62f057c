import { existsSync, readdirSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const here = dirname(fileURLToPath(import.meta.url));
const outfile = join(here, '..', '..', 'dist', 'ozone-simulator', 'main.mjs');

const newest = (directory) =>
  Math.max(
    ...readdirSync(directory, { withFileTypes: true }).map((entry) =>
      entry.isDirectory() ? newest(join(directory, entry.name)) : statSync(join(directory, entry.name)).mtimeMs,
    ),
  );

/** Bundles the executables into one file, if the sources are newer. Resolves with its path. */
export async function buildSimulator() {
  if (existsSync(outfile) && statSync(outfile).mtimeMs > newest(here)) return outfile;
  await build({
    entryPoints: [join(here, 'main.ts')],
    outfile,
    bundle: true,
    minify: true,
    platform: 'node',
    target: 'node20',
    format: 'esm',
    legalComments: 'none',
  });
  return outfile;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) console.log(await buildSimulator());
