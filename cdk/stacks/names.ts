import { Stack } from 'aws-cdk-lib';
import type { Construct } from 'constructs';
import * as z from 'zod';

/** First part of every physical name, so that several deployments fit into one account and region. */
export const Prefix = z
  .string()
  .regex(
    /^[a-z][a-z0-9-]{1,18}[a-z0-9]$/,
    'prefix: write 3 to 20 of a-z, 0-9 and -, a letter first: -c prefix=ozone-dr',
  );

/** Name of a function of the dashboard: CloudWatch offers those whose names begin with customWidget. */
export const widgetName = (prefix: string, what: 'View' | 'Act'): string =>
  `customWidget${prefix
    .split('-')
    .map((part) => part.charAt(0).toUpperCase() + part.slice(1))
    .join('')}${what}`;

/**
 * Names of what the state stack holds. The control stack goes by name, without exports, so that neither stack ever
 * blocks a change of the other.
 */
export const stateNames = (scope: Construct, prefix: string) => {
  const { account, region } = Stack.of(scope);
  return {
    table: `${prefix}-ledger`,
    openIndex: 'open',
    deleteAt: 'deleteAt',
    outputBucket: `${prefix}-output-${account}-${region}`,
    recordsBucket: `${prefix}-records-${account}-${region}`,
  } as const;
};
