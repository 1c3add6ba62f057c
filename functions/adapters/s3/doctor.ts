import { ListObjectsV2Command, PutObjectCommand, type S3Client } from '@aws-sdk/client-s3';
import type { DoctorReports, StoredOutputs } from '../../core/ports.ts';

/** Reports in a bucket, one object each: `doctor/<time>.json`. */
export const s3DoctorReports = (s3: S3Client, bucket: string): DoctorReports => ({
  put: async (at, text) => {
    const key = `doctor/${new Date(at).toISOString()}.json`;
    await s3.send(new PutObjectCommand({ Bucket: bucket, Key: key, Body: text, ContentType: 'application/json' }));
    return `s3://${bucket}/${key}`;
  },
});

/** What is below the prefix of a command, which is its operation id. */
export const s3StoredOutputs = (s3: S3Client, bucket: string): StoredOutputs => ({
  isThere: async (operation) => {
    const found = await s3.send(new ListObjectsV2Command({ Bucket: bucket, Prefix: `${operation}/`, MaxKeys: 1 }));
    return (found.Contents ?? []).length > 0;
  },
});
