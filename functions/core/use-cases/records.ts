/** Snapshots of one entry, so that an item of the ledger stays far below what DynamoDB takes (400 KB). */
const PER_ENTRY = 500;

export const chunksOf = <T>(items: readonly T[]): readonly T[][] =>
  Array.from({ length: Math.ceil(items.length / PER_ENTRY) }, (_, n) =>
    items.slice(n * PER_ENTRY, (n + 1) * PER_ENTRY),
  );
