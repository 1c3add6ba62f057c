import { GetObjectCommand, PutObjectCommand, type S3Client } from '@aws-sdk/client-s3';
import * as z from 'zod';
import { FleetItem, FleetResult } from '../../core/domain/fleet.ts';
import type { FleetLists } from '../../core/ports.ts';

/** As the ResultWriter of a Map writes it (Step Functions developer guide, "ResultWriter (Map)"). */
const Files = z.array(z.object({ Key: z.string() })).default([]);
const Manifest = z.object({
  DestinationBucket: z.string(),
  ResultFiles: z.object({ SUCCEEDED: Files, FAILED: Files, PENDING: Files }),
});
/** What a child of the Map hands on. */
const Achieved = z.object({ results: z.array(FleetResult) });
/** A child that failed, or was never begun: its input is the text of its item. */
const Unachieved = z.object({
  Input: z.string(),
  Status: z.string(),
  Error: z.string().optional(),
});

/** Due lists and results in a bucket, below `fleet/`. */
export const s3FleetLists = (s3: S3Client, bucket: string): FleetLists => {
  const textOf = async (from: string, key: string): Promise<string> => {
    const found = await s3.send(new GetObjectCommand({ Bucket: from, Key: key }));
    return (await found.Body?.transformToString('utf8')) ?? '';
  };
  const lines = async (from: string, key: string): Promise<readonly unknown[]> =>
    (await textOf(from, key)).split('\n').flatMap((line) => (line === '' ? [] : [JSON.parse(line)]));
  return {
    put: async (name, items) => {
      const key = `fleet/${name}`;
      if (items !== null) {
        const body = items.map((item) => `${JSON.stringify(item)}\n`).join('');
        await s3.send(new PutObjectCommand({ Bucket: bucket, Key: key, Body: body, ContentType: 'application/jsonl' }));
      }
      return { bucket, key };
    },
    results: async ({ Bucket, Key }) => {
      const { DestinationBucket, ResultFiles } = Manifest.parse(JSON.parse(await textOf(Bucket, Key)));
      // A handful: each file gathers what thousands of children said.
      const read = (files: z.infer<typeof Files>) =>
        Promise.all(files.map(({ Key: key }) => lines(DestinationBucket, key)));
      const achieved = (await read(ResultFiles.SUCCEEDED)).flat().flatMap((line) => Achieved.parse(line).results);
      const unachieved = (await read([...ResultFiles.FAILED, ...ResultFiles.PENDING])).flat().flatMap((line) => {
        const { Input, Status, Error: error } = Unachieved.parse(line);
        return FleetItem.parse(JSON.parse(Input)).runs.map((run) => ({ ...run, error: error ?? Status }));
      });
      return [...achieved, ...unachieved];
    },
  };
};
