/** A verified point: of when it is, and since when it counts; epoch milliseconds. */
export interface Verified {
  readonly created: number;
  readonly verifiedAt: number;
}

/**
 * How old the newest verified point of a bucket was at most between two instants, in milliseconds: it ages until another one
 * is verified, and at the end of the time if none is. Infinity while there is none.
 */
export const worstAge = (points: readonly Verified[], from: number, to: number): number => {
  const newestBefore = (at: number): number =>
    points.reduce(
      (newest, it) => (it.verifiedAt < at ? Math.max(newest, it.created) : newest),
      Number.NEGATIVE_INFINITY,
    );
  const changes = points.map(({ verifiedAt }) => verifiedAt).filter((at) => from < at && at < to);
  return Math.max(...[...changes, to].map((at) => at - newestBefore(at)));
};
