import { GetObjectCommand, PutObjectCommand, type S3Client } from '@aws-sdk/client-s3';
import { getSignedUrl } from '@aws-sdk/s3-request-presigner';
import type { PlanHash } from '../../core/domain/retention.ts';
import type { Selections } from '../../core/ports.ts';

const keyOf = (hash: PlanHash): string => `selections/${hash}`;

/** Run Command delivers within five minutes, and the script reads the list before it does anything else. */
const SECONDS_VALID = 1800;

/** Lists of paths in a bucket, one object each under its hash. A host needs no permission of its own to read one. */
export const s3Selections = (s3: S3Client, bucket: string): Selections => ({
  put: async (hash, text) => {
    await s3.send(new PutObjectCommand({ Bucket: bucket, Key: keyOf(hash), Body: text, ContentType: 'text/plain' }));
  },
  urlOf: (hash) =>
    getSignedUrl(s3, new GetObjectCommand({ Bucket: bucket, Key: keyOf(hash) }), { expiresIn: SECONDS_VALID }),
});
