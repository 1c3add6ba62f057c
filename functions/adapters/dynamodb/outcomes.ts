import { gunzipSync, gzipSync } from 'node:zlib';
import * as z from 'zod';
import { parseEdgeReply } from '../../core/domain/edge-reply.ts';
import type { OperationId } from '../../core/domain/names.ts';
import { Operation, OperationOutcome } from '../../core/domain/operation.ts';

/** Replies up to this many characters are kept as they are, for people who look into the table. */
const PLAIN = 50_000;
/** DynamoDB takes items up to 400 KB; the rest of an operation is far below the difference. */
const LARGEST = 350_000;

/** A long reply, gzipped. Surveys of buckets with thousands of snapshots are. */
interface Packed {
  readonly kind: 'packed';
  readonly reply: Uint8Array;
}

const Unpacked = z
  .object({ kind: z.literal('packed'), reply: z.instanceof(Uint8Array) })
  .transform(({ reply }, { addIssue }): OperationOutcome => {
    try {
      return { kind: 'reply', reply: gunzipSync(reply).toString('utf8') };
    } catch (error) {
      addIssue(`the reply cannot be unpacked: ${error}`);
      return z.NEVER;
    }
  });

/** An operation as its item is read: how its outcome is stored does not show. */
export const StoredOperation = Operation.extend({ outcome: z.union([OperationOutcome, Unpacked]).nullable() });

const countOf = (id: OperationId, text: string): string => {
  const parsed = parseEdgeReply(text, id);
  if (!('reply' in parsed) || parsed.reply.verb !== 'survey' || !parsed.reply.data) return '';
  const { source, replica } = parsed.reply.data;
  const [here, there] = [source, replica].map((side) => (side?.state === 'read' ? side.snapshots.length : 0));
  return `, with ${here} snapshots of the source and ${there} of the replica`;
};

/** The outcome as it can be stored; of a reply that is too long even so, that it was. */
export const storable = (id: OperationId, outcome: OperationOutcome): OperationOutcome | Packed => {
  if (outcome.kind !== 'reply' || outcome.reply.length <= PLAIN) return outcome;
  const reply = gzipSync(outcome.reply);
  if (reply.length <= LARGEST) return { kind: 'packed', reply };
  const detail = `the reply is too long to keep: ${outcome.reply.length} characters, ${reply.length} bytes packed${countOf(id, outcome.reply)}`;
  return { kind: 'lost', error: 'EdgeReplyInvalid', detail };
};
