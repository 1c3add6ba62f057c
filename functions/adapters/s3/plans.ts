import { GetObjectCommand, NoSuchKey, PutObjectCommand, type S3Client } from '@aws-sdk/client-s3';
import type { PlanHash } from '../../core/domain/retention.ts';
import type { PlanStore } from '../../core/ports.ts';

const keyOf = (hash: PlanHash): string => `plans/${hash}.json`;

/** Plans of deletions in a bucket, one object each under its hash. The hash is for the reader to check. */
export const s3Plans = (s3: S3Client, bucket: string): PlanStore => ({
  put: async (hash, body) => {
    await s3.send(
      new PutObjectCommand({ Bucket: bucket, Key: keyOf(hash), Body: body, ContentType: 'application/json' }),
    );
  },
  load: async (hash) => {
    try {
      const found = await s3.send(new GetObjectCommand({ Bucket: bucket, Key: keyOf(hash) }));
      return await found.Body?.transformToString('utf8');
    } catch (error) {
      if (error instanceof NoSuchKey) return undefined;
      throw error;
    }
  },
});
