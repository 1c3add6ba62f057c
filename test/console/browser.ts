import { accessSync, constants, mkdirSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Browser, chromium } from 'playwright-core';

const NAMES = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable', 'chrome'];
const PLACES = ['/usr/bin', '/usr/local/bin', '/snap/bin', '/opt/google/chrome'];
const MAC = '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome';

const isThere = (path: string): boolean => {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
};

/** Where the browser of this machine is. @throws Error that says how to get one */
export const chromiumPath = (environment: NodeJS.ProcessEnv = process.env): string => {
  const { CHROMIUM, PATH = '' } = environment;
  if (CHROMIUM) {
    if (isThere(CHROMIUM)) return CHROMIUM;
    throw new Error(`CHROMIUM names ${CHROMIUM}, which is not a program`);
  }
  const folders = [...PATH.split(delimiter).filter((it) => it !== ''), ...PLACES];
  const found = [...folders.flatMap((folder) => NAMES.map((name) => join(folder, name))), MAC].find(isThere);
  if (found) return found;
  throw new Error(
    'these tests need Chromium or Chrome, and there is none: install one (Debian: apt-get install chromium), or name it: CHROMIUM=/path/to/chrome',
  );
};

/** Headless, and with nothing that reaches beyond this machine. */
export const openBrowser = (): Promise<Browser> =>
  chromium.launch({
    executablePath: chromiumPath(),
    // Chromium refuses to run its sandbox as root, which CI is.
    args: [
      ...(process.getuid?.() === 0 ? ['--no-sandbox'] : []),
      '--disable-dev-shm-usage',
      '--force-color-profile=srgb',
    ],
  });

const ARTEFACTS = fileURLToPath(new URL('./.artefacts/', import.meta.url));

/** Where the picture of a screen goes. */
export const artefact = (name: string): string => {
  mkdirSync(ARTEFACTS, { recursive: true });
  return join(ARTEFACTS, name);
};
