import type { Plugin } from 'esbuild';

export const leanSdk: Plugin;
