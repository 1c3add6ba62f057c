import type { RecoveryPoint } from '../domain/ledger.ts';
import type { OperationId } from '../domain/names.ts';
import { Side } from '../domain/retention.ts';
import type { EpochMs } from '../domain/units.ts';
import type { OperationStore } from '../ports.ts';

/**
 * Commands that were to delete points and may still do so: no host has answered them, and Run Command may not be over
 * with them yet. A run that was stopped leaves such a command behind.
 */
export const deletionsUnderWay = async (
  operations: Pick<OperationStore, 'load'>,
  points: readonly Pick<RecoveryPoint, 'removal'>[],
  now: EpochMs,
): Promise<ReadonlySet<OperationId>> => {
  const told = new Set(
    points.flatMap(({ removal }) =>
      Side.options.flatMap((side) => {
        const of = removal[side];
        return of?.state === 'deleting' && of.operation ? [of.operation] : [];
      }),
    ),
  );
  const loaded = await Promise.all([...told].map((id) => operations.load(id)));
  return new Set(loaded.flatMap((it) => (it && it.outcome?.kind !== 'reply' && now < it.deadline ? [it.id] : [])));
};
