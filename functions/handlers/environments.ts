import * as z from 'zod';

const Name = z.string().min(1);

/** Environment variables of each handler; the CDK constructs are typed by the same schemas. */
export const StoreEnv = z.object({ TABLE_NAME: Name });

/** Where plans of deletions are kept. */
export const PlanStoreEnv = StoreEnv.extend({ RECORDS_BUCKET: Name });

/** What shows the console. ARNs of its two functions, and what the ARNs of all machines of the deployment begin with. */
export const ViewConsoleEnv = StoreEnv.extend({ VIEW_ENDPOINT: Name, ACT_ENDPOINT: Name, MACHINES: Name });

/** What acts for the console. */
export const ActConsoleEnv = ViewConsoleEnv.extend({ RECORDS_BUCKET: Name });

/** Namespace of all metrics; the dimension `service` is the prefix of the deployment. */
export const METRICS = 'OzoneDr';

/** `DEPLOYMENT` is the prefix of its names: the dimension `service` of its metrics, and who its events are of. */
export const MeasuringEnv = StoreEnv.extend({ DEPLOYMENT: Name });

/** Of functions that keep plans or lists of a fleet, and put what they record on the event bus. */
export const PlanRecordEnv = PlanStoreEnv.extend({ DEPLOYMENT: Name });

/** Where prunes read listings that are too long for an item. */
export const DecidePruneEnv = PlanRecordEnv.extend({ OUTPUT_BUCKET: Name });

export const AnnounceAlarmEnv = MeasuringEnv.extend({ PAGE_TOPIC_ARN: Name, TICKET_TOPIC_ARN: Name });

export const StartOperationEnv = StoreEnv.extend({
  /** The SSM document that this function sends, and the one that asks hosts how they are for it. */
  DOCUMENT_NAME: Name,
  DOCTOR_DOCUMENT_NAME: Name,
  /** The one with the verbs of observe for which its document has no room; of another radius its own document. */
  LOOK_DOCUMENT_NAME: Name,
  /** The one with the batches of protect; of another radius its own document. */
  BATCH_DOCUMENT_NAME: Name,
  /** The one with the copies of protect that YARN does; of another radius its own document. */
  YARN_DOCUMENT_NAME: Name,
  BLAST_RADIUS: z.enum(['observe', 'protect', 'destroy', 'restore']),
  /** Bucket that receives the whole output of each command. */
  OUTPUT_BUCKET: Name,
  /** Bucket that holds the lists of paths of restores. */
  RECORDS_BUCKET: Name,
});
export type StartOperationEnv = z.infer<typeof StartOperationEnv>;

export const SettleOperationEnv = MeasuringEnv.extend({ OUTPUT_BUCKET: Name });
export type SettleOperationEnv = z.infer<typeof SettleOperationEnv>;

/** Where the doctor looks for outputs, and where it keeps its reports. */
export const JudgeDoctorEnv = StoreEnv.extend({ OUTPUT_BUCKET: Name, RECORDS_BUCKET: Name });
