import { S3Client } from '@aws-sdk/client-s3';
import { SSMClient } from '@aws-sdk/client-ssm';
import { s3StoredOutputs } from '../../adapters/s3/doctor.ts';
import { hostDirectory } from '../../adapters/ssm/host-directory.ts';
import { s3Outputs } from '../../adapters/ssm/outputs.ts';
import { commandReader, commandSender } from '../../adapters/ssm/run-command.ts';

const client = () => new SSMClient({ maxAttempts: 8 });

export const liveSender = (outputBucket: string) => commandSender(client(), outputBucket);
export const liveOutputs = (outputBucket: string) => s3Outputs(new S3Client({ maxAttempts: 6 }), outputBucket);
export const liveReader = (outputBucket: string) => commandReader(client(), liveOutputs(outputBucket));
export const liveHosts = () => hostDirectory(client());
export const liveStoredOutputs = (outputBucket: string) =>
  s3StoredOutputs(new S3Client({ maxAttempts: 6 }), outputBucket);
