// What the AWS SDK would put into every bundle though no handler ever runs it: an esbuild plugin.
import { readdirSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** In a Lambda function credentials come from its environment; the other places to look for them are clients of their own. */
const CREDENTIALS = `
  import { fromEnv } from '@aws-sdk/credential-provider-env';
  export const defaultProvider = (init) => fromEnv(init);
`;

/** Only the version of a client is read, for its User-Agent. */
const versionOnly = (text) => `export default ${JSON.stringify({ version: JSON.parse(text).version })};`;

/**
 * `{ [_hH]: x }` may call anything while it is evaluated, for all that esbuild knows, so every shape of every operation would be kept. With
 * the key written out, `{ "httpHeader": x }`, those of operations that nobody sends are left out.
 */
const plainKeys = (text) => {
  const constants = new Map([...text.matchAll(/^const (_\w+) = (".*");$/gm)].map(([, name, value]) => [name, value]));
  return text.replace(/\[(_\w+)\]:/g, (computed, name) => (constants.has(name) ? `${constants.get(name)}:` : computed));
};

/**
 * Systems Manager has 140 classes of errors. What no adapter names is told by its name alone, as the SDK tells of errors that are newer than
 * itself.
 */
const namedErrors = (text, adapters) => {
  const named = new Set(adapters.match(/\w+/g));
  return text.replace(/^n0_registry\.registerError\(\w+\$, (\w+)\);$/gm, (registration, error) =>
    named.has(error) ? registration : '',
  );
};

const sourcesBelow = (folder) =>
  Promise.all(
    readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => readFile(join(entry.parentPath, entry.name), 'utf8')),
  ).then((texts) => texts.join('\n'));

export const leanSdk = {
  name: 'lean-sdk',
  setup({ onResolve, onLoad }) {
    const adapters = sourcesBelow(fileURLToPath(new URL('./adapters/', import.meta.url)));
    onResolve({ filter: /^@aws-sdk\/credential-provider-node$/ }, ({ path, resolveDir }) => ({
      path,
      namespace: 'lean-sdk',
      pluginData: resolveDir,
      sideEffects: false,
    }));
    onLoad({ filter: /.*/, namespace: 'lean-sdk' }, ({ pluginData }) => ({
      contents: CREDENTIALS,
      resolveDir: pluginData,
    }));
    onLoad({ filter: /node_modules\/@aws-sdk\/[^/]+\/package\.json$/ }, async ({ path }) => ({
      contents: versionOnly(await readFile(path, 'utf8')),
    }));
    onLoad({ filter: /\/schemas\/schemas_0\.js$/ }, async ({ path }) => {
      const text = plainKeys(await readFile(path, 'utf8'));
      return { contents: path.includes('/client-ssm/') ? namedErrors(text, await adapters) : text };
    });
  },
};
