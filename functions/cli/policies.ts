import { readFileSync } from 'node:fs';
import { parse } from 'yaml';
import * as z from 'zod';
import { type Policy, PolicyFile, resolvePolicies } from '../core/domain/policy.ts';
import { DrError } from '../core/errors.ts';

/** What a command reads when no other file is named. */
export const DEFAULT_POLICIES = 'policies.yaml';

const invalid = (path: string, message: string): DrError =>
  new DrError('PolicyInvalid', `${path}: ${message}\nname the file that was deployed: --policies <file>`);

/**
 * The policies of a file. What is wrong with it is told in short: `npm run synth -- -c policies=<file>` tells it with
 * lines. @throws PolicyInvalid
 */
export const readPolicies = (path: string): readonly Policy[] => {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch {
    throw invalid(path, 'cannot be read');
  }
  let content: unknown;
  try {
    content = parse(text, { maxAliasCount: 20 });
  } catch (error) {
    throw invalid(path, `is no YAML: ${error instanceof Error ? error.message.split('\n', 1)[0] : String(error)}`);
  }
  const parsed = PolicyFile.safeParse(content);
  if (!parsed.success) throw invalid(path, `is no policy file:\n${z.prettifyError(parsed.error).slice(0, 2000)}`);
  return resolvePolicies(parsed.data);
};
