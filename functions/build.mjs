// Bundles every handler by one esbuild call: `dist/functions/<handler>/index.mjs`, one self-contained file each.
import { readdirSync, rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const handlers = fileURLToPath(new URL('./handlers/', import.meta.url));
const outdir = fileURLToPath(new URL('../dist/functions/', import.meta.url));
const names = readdirSync(handlers, { withFileTypes: true })
  .filter((entry) => entry.isFile() && entry.name.includes('-'))
  .map((entry) => entry.name.replace(/\.ts$/, ''));

rmSync(outdir, { recursive: true, force: true });
await build({
  entryPoints: names.map((name) => ({ in: `${handlers}${name}.ts`, out: `${name}/index` })),
  outdir,
  outExtension: { '.js': '.mjs' },
  bundle: true,
  minify: true,
  sourcemap: true,
  platform: 'node',
  format: 'esm',
  target: 'node20',
  mainFields: ['module', 'main'],
  legalComments: 'none',
  // CommonJS dependencies inside an ESM bundle call require() for Node's own modules.
  banner: { js: "import{createRequire as __cr}from'node:module';const require=__cr(import.meta.url);" },
});
process.stdout.write(`bundled ${names.length} handlers into dist/functions\n`);
