import * as z from 'zod';
import { BucketRef, PolicyName, SnapshotName } from './names.ts';
import { RelativePath } from './restore.ts';
import { Side } from './retention.ts';

/** A page of changes: the side that gave the one before, whose pages alone follow it, and what its cluster calls it. */
export const PageToken = z
  .string()
  .regex(/^(source|replica)\.[0-9]{1,40}$/, 'write what the page before has as next')
  .transform((text): { readonly side: Side; readonly token: string } => {
    const dot = text.indexOf('.');
    return { side: Side.parse(text.slice(0, dot)), token: text.slice(dot + 1) };
  });
export type PageToken = z.infer<typeof PageToken>;

const EITHER = 'ask either for versionsOf a path, or for changesFrom one point and changesTo another';

/** What a person asks for, as the input of the look machine. */
export const LookRequest = z
  .strictObject({
    policy: PolicyName,
    bucket: BucketRef,
    versionsOf: RelativePath.optional(),
    /** Instead of the newest ones. */
    points: z.array(SnapshotName).min(1).max(100).optional(),
    /** The older of two points. */
    changesFrom: SnapshotName.optional(),
    changesTo: SnapshotName.optional(),
    page: PageToken.optional(),
    AWS_STEP_FUNCTIONS_STARTED_BY_EXECUTION_ID: z.string().optional(),
  })
  .transform(({ policy, bucket, versionsOf, points, changesFrom, changesTo, page }, { addIssue }) => {
    const asked = { policy, bucket };
    if (versionsOf !== undefined && changesFrom === undefined && changesTo === undefined && page === undefined)
      return { ...asked, kind: 'versions' as const, path: versionsOf, points: points ?? null };
    if (changesFrom !== undefined && changesTo !== undefined && versionsOf === undefined && points === undefined)
      return { ...asked, kind: 'changes' as const, from: changesFrom, to: changesTo, page: page ?? null };
    addIssue(EITHER);
    return z.NEVER;
  });
export type LookRequest = z.infer<typeof LookRequest>;

/** One point as a look found it, for people: times in ISO 8601. */
export interface Version {
  readonly point: SnapshotName;
  readonly at: string;
  readonly state: 'file' | 'directory' | 'absent' | 'no-snapshot';
  readonly bytes: number | null;
  readonly modified: string | null;
  readonly checksum: string | null;
  /** Against the version before; null when that is not known. */
  readonly changed: boolean | null;
  /** Input of the restore machine, but for who and why; null where there is nothing to restore. */
  readonly restore: object | null;
}

export type LookOutput =
  | {
      readonly bucket: BucketRef;
      readonly path: RelativePath;
      /** The cluster that was read. */
      readonly cluster: string;
      /** Newest first. */
      readonly versions: readonly Version[];
    }
  | {
      readonly bucket: BucketRef;
      readonly from: SnapshotName;
      readonly to: SnapshotName;
      readonly cluster: string;
      readonly entries: readonly { readonly kind: string; readonly path: string; readonly to: string | null }[];
      /** What to ask for as `page`; null: there is no more. */
      readonly next: string | null;
    };
