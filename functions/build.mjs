// Bundles every handler by one esbuild call: `dist/functions/<handler>/index.mjs`, one self-contained file each.
import { mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { leanSdk } from './lean-sdk.mjs';

const handlers = fileURLToPath(new URL('./handlers/', import.meta.url));
const dist = fileURLToPath(new URL('../dist/', import.meta.url));
const names = readdirSync(handlers, { withFileTypes: true })
  .filter((entry) => entry.isFile() && entry.name.includes('-'))
  .map((entry) => entry.name.replace(/\.ts$/, ''));

// Built aside and put in place at once: whoever synthesizes meanwhile finds whole bundles.
mkdirSync(dist, { recursive: true });
const outdir = mkdtempSync(`${dist}functions-`);
await build({
  entryPoints: names.map((name) => ({ in: `${handlers}${name}.ts`, out: `${name}/index` })),
  outdir,
  outExtension: { '.js': '.mjs' },
  bundle: true,
  minify: true,
  sourcemap: true,
  // Node reads the whole map before the first line of a handler runs.
  sourcesContent: false,
  platform: 'node',
  format: 'esm',
  target: 'node20',
  mainFields: ['module', 'main'],
  legalComments: 'none',
  plugins: [leanSdk],
  // CommonJS dependencies inside an ESM bundle call require() for Node's own modules.
  banner: { js: "import{createRequire as __cr}from'node:module';const require=__cr(import.meta.url);" },
});
const old = mkdtempSync(`${dist}old-`);
try {
  renameSync(`${dist}functions`, `${old}/functions`);
} catch (error) {
  if (error.code !== 'ENOENT') throw error;
}
renameSync(outdir, `${dist}functions`);
rmSync(old, { recursive: true, force: true });
process.stdout.write(`bundled ${names.length} handlers into dist/functions\n`);
