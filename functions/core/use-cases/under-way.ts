import type { RecoveryPoint } from '../domain/ledger.ts';
import type { OperationId } from '../domain/names.ts';
import type { Operation } from '../domain/operation.ts';
import { Side } from '../domain/retention.ts';
import type { EpochMs } from '../domain/units.ts';
import type { OperationStore } from '../ports.ts';

/** The commands that were to delete these points, as far as they were begun. */
const deletions = (
  operations: Pick<OperationStore, 'load'>,
  points: readonly RecoveryPoint[],
): Promise<readonly (Operation | undefined)[]> => {
  const told = new Set(
    points.flatMap(({ removal }) =>
      Side.options.flatMap((side) => {
        const of = removal[side];
        return of?.state === 'deleting' && of.operation ? [of.operation] : [];
      }),
    ),
  );
  return Promise.all([...told].map((id) => operations.load(id)));
};

/** A host has answered it, or Run Command is over with it. */
const isOver = ({ outcome, deadline }: Operation, now: EpochMs): boolean =>
  outcome?.kind === 'reply' || deadline <= now;

/**
 * Commands that were to delete points and may still do so. A run that was stopped leaves such a command behind; one that
 * was not begun by then is not begun any more. For whoever holds the lease.
 */
export const deletionsUnderWay = async (
  operations: Pick<OperationStore, 'load'>,
  points: readonly RecoveryPoint[],
  now: EpochMs,
): Promise<ReadonlySet<OperationId>> =>
  new Set((await deletions(operations, points)).flatMap((it) => (it && !isOver(it, now) ? [it.id] : [])));

/**
 * Commands that were to delete points and are over. For whoever does not hold the lease: a command that is not begun yet
 * is about to be.
 */
export const deletionsOver = async (
  operations: Pick<OperationStore, 'load'>,
  points: readonly RecoveryPoint[],
  now: EpochMs,
): Promise<ReadonlySet<OperationId>> =>
  new Set((await deletions(operations, points)).flatMap((it) => (it && isOver(it, now) ? [it.id] : [])));
