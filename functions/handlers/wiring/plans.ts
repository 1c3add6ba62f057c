import { S3Client } from '@aws-sdk/client-s3';
import { s3DoctorReports } from '../../adapters/s3/doctor.ts';
import { s3FleetLists } from '../../adapters/s3/fleet.ts';
import { s3Plans } from '../../adapters/s3/plans.ts';
import { s3Selections } from '../../adapters/s3/selections.ts';

const client = () => new S3Client({ maxAttempts: 6 });

export const livePlans = (bucket: string) => s3Plans(client(), bucket);
export const liveSelections = (bucket: string) => s3Selections(client(), bucket);
export const liveDoctorReports = (bucket: string) => s3DoctorReports(client(), bucket);
export const liveFleetLists = (bucket: string) => s3FleetLists(client(), bucket);
