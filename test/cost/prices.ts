/**
 * List prices in US dollars, without free tiers and taxes. They were noted by hand from the pages named here: compare them with the pages of
 * your region before you rely on a sum.
 */
export const PRICES = {
  region: 'us-east-1',
  noted: '2026-11-22',
  /** Standard workflows. */
  transition: { usd: 0.025 / 1000, page: 'https://aws.amazon.com/step-functions/pricing/' },
  invocation: { usd: 0.2 / 1e6, page: 'https://aws.amazon.com/lambda/pricing/' },
  /** Arm, first tier. */
  gigabyteSecond: { usd: 0.0000133334, page: 'https://aws.amazon.com/lambda/pricing/' },
  /** On demand, standard class. */
  readUnit: { usd: 0.125 / 1e6, page: 'https://aws.amazon.com/dynamodb/pricing/on-demand/' },
  writeUnit: { usd: 0.625 / 1e6, page: 'https://aws.amazon.com/dynamodb/pricing/on-demand/' },
  /** On EC2, and of hybrid hosts up to a thousand of the standard tier. */
  remoteCommand: { usd: 0, page: 'https://aws.amazon.com/systems-manager/pricing/' },
  s3Write: { usd: 0.005 / 1000, page: 'https://aws.amazon.com/s3/pricing/' },
  s3Read: { usd: 0.0004 / 1000, page: 'https://aws.amazon.com/s3/pricing/' },
  schedule: { usd: 1 / 1e6, page: 'https://aws.amazon.com/eventbridge/pricing/' },
  event: { usd: 1 / 1e6, page: 'https://aws.amazon.com/eventbridge/pricing/' },
  logGigabyte: { usd: 0.5, page: 'https://aws.amazon.com/cloudwatch/pricing/' },
  /** Each month. */
  alarm: { usd: 0.1, page: 'https://aws.amazon.com/cloudwatch/pricing/' },
  compositeAlarm: { usd: 0.5, page: 'https://aws.amazon.com/cloudwatch/pricing/' },
  customMetric: { usd: 0.3, page: 'https://aws.amazon.com/cloudwatch/pricing/' },
  dashboard: { usd: 3, page: 'https://aws.amazon.com/cloudwatch/pricing/' },
} as const;
