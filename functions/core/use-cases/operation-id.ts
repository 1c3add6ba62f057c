import { createHash } from 'node:crypto';
import { OperationId, type RunId } from '../domain/names.ts';

/** The operation of one step of one run: the same for every attempt of its Task. */
export const operationId = (run: RunId, step: number): OperationId =>
  OperationId.parse(
    `op-${createHash('sha256').update(run).digest('hex').slice(0, 24)}-${String(step).padStart(3, '0')}`,
  );

export const isOperationOf = (operation: OperationId, run: RunId): boolean =>
  operation.slice(0, -3) === operationId(run, 0).slice(0, -3);
