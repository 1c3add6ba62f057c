import { Duration, RemovalPolicy, Stack, type StackProps } from 'aws-cdk-lib';
import { AttributeType, BillingMode, ProjectionType, Table } from 'aws-cdk-lib/aws-dynamodb';
import { BlockPublicAccess, Bucket, BucketEncryption } from 'aws-cdk-lib/aws-s3';
import type { Construct } from 'constructs';
import { acknowledge } from '../constructs/acknowledge.ts';
import { stateNames } from './names.ts';

/** What must outlive every deployment: the ledger, and the output of the commands. Rarely touched. */
export class StateStack extends Stack {
  constructor(scope: Construct, id: string, props: StackProps & { readonly prefix: string }) {
    super(scope, id, { ...props, terminationProtection: true });
    const names = stateNames(this, props.prefix);

    const table = new Table(this, 'Ledger', {
      tableName: names.table,
      partitionKey: { name: 'pk', type: AttributeType.STRING },
      sortKey: { name: 'sk', type: AttributeType.STRING },
      billingMode: BillingMode.PAY_PER_REQUEST,
      pointInTimeRecoverySpecification: { pointInTimeRecoveryEnabled: true },
      // Of items that are worth nothing any more, such as forms that were shown. Nothing relies on when they go.
      timeToLiveAttribute: names.deleteAt,
      deletionProtection: true,
      removalPolicy: RemovalPolicy.RETAIN,
    });
    // Sparse: only operations whose outcome has not reached their run carry these attributes.
    table.addGlobalSecondaryIndex({
      indexName: names.openIndex,
      partitionKey: { name: 'openHost', type: AttributeType.STRING },
      sortKey: { name: 'openSince', type: AttributeType.NUMBER },
      projectionType: ProjectionType.ALL,
    });

    const output = new Bucket(this, 'CommandOutput', {
      bucketName: names.outputBucket,
      encryption: BucketEncryption.S3_MANAGED,
      blockPublicAccess: BlockPublicAccess.BLOCK_ALL,
      enforceSSL: true,
      removalPolicy: RemovalPolicy.RETAIN,
      lifecycleRules: [{ expiration: Duration.days(30), abortIncompleteMultipartUploadAfter: Duration.days(1) }],
    });
    acknowledge(output, {
      'AwsSolutions-S1':
        'The bucket holds 30 days of command output, listings of paths and no content; it is written by the edge hosts and read by three functions. A log of its requests would cost more than it tells; CloudTrail data events can be switched on for an inquiry.',
    });

    const records = new Bucket(this, 'Records', {
      bucketName: names.recordsBucket,
      encryption: BucketEncryption.S3_MANAGED,
      blockPublicAccess: BlockPublicAccess.BLOCK_ALL,
      enforceSSL: true,
      // A plan that was written over is still the one that its hash says.
      versioned: true,
      removalPolicy: RemovalPolicy.RETAIN,
      lifecycleRules: [{ abortIncompleteMultipartUploadAfter: Duration.days(1) }],
    });
    acknowledge(records, {
      'AwsSolutions-S1':
        'The bucket holds plans of deletions under their hashes, which two functions write and read; the hash-chained record in the table says which of them were followed.',
    });
  }
}
