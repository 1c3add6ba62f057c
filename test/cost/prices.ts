/**
 * List prices in US dollars, without free tiers and taxes: compare them with the pages of your region before you rely on a sum. `page`: where
 * AWS says them. `seen`: a stored copy of a page that says the same, which was looked up on the day of `noted`; where there is none the price is
 * from memory.
 */
export const PRICES = {
  region: 'us-east-1',
  noted: '2026-11-22',
  /** Standard workflows. */
  transition: {
    usd: 0.025 / 1000,
    page: 'https://aws.amazon.com/step-functions/pricing/',
    seen: 'https://raw.githubusercontent.com/aws/agent-toolkit-for-aws/main/plugins/aws-startup-advisor/skills/architect-for-startups/references/step-functions.md',
  },
  invocation: {
    usd: 0.2 / 1e6,
    page: 'https://aws.amazon.com/lambda/pricing/',
    seen: 'https://git.mcrn.ar/mariano/lambda_local_runner/src/commit/957e45b8adae23ce50b966346229585b5df18b4d/docs/lambdas-md/lambda-13-cost.md?display=rendered',
  },
  /** Arm, first tier. */
  gigabyteSecond: {
    usd: 0.0000133334,
    page: 'https://aws.amazon.com/lambda/pricing/',
    seen: 'https://cloudchipr.com/blog/aws-lambda-pricing',
  },
  /** On demand, standard class. */
  readUnit: {
    usd: 0.125 / 1e6,
    page: 'https://aws.amazon.com/dynamodb/pricing/on-demand/',
    seen: 'https://www.linkedin.com/pulse/amazon-dynamodb-pricing-explained-detailed-breakdown-examples-raheja-u9bbc',
  },
  writeUnit: {
    usd: 0.625 / 1e6,
    page: 'https://aws.amazon.com/dynamodb/pricing/on-demand/',
    seen: 'https://www.linkedin.com/pulse/amazon-dynamodb-pricing-explained-detailed-breakdown-examples-raheja-u9bbc',
  },
  /** On EC2, and of hybrid hosts up to a thousand of the standard tier. */
  remoteCommand: { usd: 0, page: 'https://aws.amazon.com/systems-manager/pricing/', seen: null },
  s3Write: {
    usd: 0.005 / 1000,
    page: 'https://aws.amazon.com/s3/pricing/',
    seen: 'https://devnotes.tech/understanding-aws-s3-pricing-a-complete-cost-breakdown-with-examples',
  },
  s3Read: {
    usd: 0.0004 / 1000,
    page: 'https://aws.amazon.com/s3/pricing/',
    seen: 'https://devnotes.tech/understanding-aws-s3-pricing-a-complete-cost-breakdown-with-examples',
  },
  schedule: {
    usd: 1 / 1e6,
    page: 'https://aws.amazon.com/eventbridge/pricing/',
    seen: 'https://cloudburn.io/blog/amazon-eventbridge-pricing',
  },
  event: {
    usd: 1 / 1e6,
    page: 'https://aws.amazon.com/eventbridge/pricing/',
    seen: 'https://cloudburn.io/blog/amazon-eventbridge-pricing',
  },
  logGigabyte: {
    usd: 0.5,
    page: 'https://aws.amazon.com/cloudwatch/pricing/',
    seen: 'https://www.factualminds.com/blog/amazon-cloudwatch-pricing-metrics-logs-alarms-dashboards/',
  },
  /** Each month. */
  alarm: { usd: 0.1, page: 'https://aws.amazon.com/cloudwatch/pricing/', seen: null },
  compositeAlarm: { usd: 0.5, page: 'https://aws.amazon.com/cloudwatch/pricing/', seen: null },
  customMetric: {
    usd: 0.3,
    page: 'https://aws.amazon.com/cloudwatch/pricing/',
    seen: 'https://signoz.io/guides/cloudwatch-pricing',
  },
  dashboard: {
    usd: 3,
    page: 'https://aws.amazon.com/cloudwatch/pricing/',
    seen: 'https://www.factualminds.com/blog/amazon-cloudwatch-pricing-metrics-logs-alarms-dashboards/',
  },
  /** A gigabyte for a month: of the table with its point-in-time recovery, of a bucket, of a log group. */
  tableStored: {
    usd: 0.25,
    page: 'https://aws.amazon.com/dynamodb/pricing/on-demand/',
    seen: 'https://aws.amazon.com/dynamodb/pricing/',
  },
  tableRecovery: { usd: 0.2, page: 'https://aws.amazon.com/dynamodb/pricing/on-demand/', seen: null },
  objectStored: {
    usd: 0.023,
    page: 'https://aws.amazon.com/s3/pricing/',
    seen: 'https://devnotes.tech/understanding-aws-s3-pricing-a-complete-cost-breakdown-with-examples',
  },
  logStored: { usd: 0.03, page: 'https://aws.amazon.com/cloudwatch/pricing/', seen: null },
} as const;
