/**
 * Does the work for each item, for at most so many at a time; the results are in the order of the items.
 * @throws the first error; work that is under way goes on behind it
 */
export const inParallel = async <T, R>(
  items: readonly T[],
  atMost: number,
  work: (item: T) => Promise<R>,
): Promise<readonly R[]> => {
  const results: R[] = [];
  const left = items.entries();
  const takeTurns = async (): Promise<void> => {
    for (const [index, item] of left) results[index] = await work(item);
  };
  await Promise.all(Array.from({ length: Math.min(atMost, items.length) }, takeTurns));
  return results;
};
