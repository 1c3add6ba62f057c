import { createHash } from 'node:crypto';
import { OperationId, type RunId } from '../domain/names.ts';

const numbered = (text: string, n: number): OperationId =>
  OperationId.parse(`op-${createHash('sha256').update(text).digest('hex').slice(0, 24)}-${String(n).padStart(3, '0')}`);

/** The operation of one step of one run: the same for every attempt of its Task. */
export const operationId = (run: RunId, step: number): OperationId => numbered(run, step);

/** The command of one round of a batch for what belongs together. */
export const batchOperationId = (execution: string, group: string, round: number): OperationId =>
  numbered(`${execution} ${group}`, round);

export const isOperationOf = (operation: OperationId, run: RunId): boolean =>
  operation.slice(0, -3) === operationId(run, 0).slice(0, -3);
