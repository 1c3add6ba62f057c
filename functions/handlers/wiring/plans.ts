import { S3Client } from '@aws-sdk/client-s3';
import { s3Plans } from '../../adapters/s3/plans.ts';

export const livePlans = (bucket: string) => s3Plans(new S3Client({ maxAttempts: 6 }), bucket);
