import { GetObjectCommand, NoSuchKey, type S3Client } from '@aws-sdk/client-s3';
import type { Outputs } from '../../core/ports.ts';

/** Outputs in the bucket that the commands were sent with, path-style or virtual-host addresses. */
export const s3Outputs = (s3: S3Client, bucket: string): Outputs => ({
  read: async (url) => {
    const path = decodeURIComponent(new URL(url).pathname.slice(1));
    const key = path.startsWith(`${bucket}/`) ? path.slice(bucket.length + 1) : path;
    try {
      const found = await s3.send(new GetObjectCommand({ Bucket: bucket, Key: key }));
      return await found.Body?.transformToString('utf8');
    } catch (error) {
      if (error instanceof NoSuchKey) return undefined;
      throw error;
    }
  },
});
