/** How many characters have to be changed, left out or put in to make one text of the other. */
const distance = (a: string, b: string): number => {
  let above = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const changed = (above[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      row.push(Math.min(changed, (above[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1));
    }
    above = row;
  }
  return above[b.length] ?? 0;
};

/** The names that a person may have meant, the most alike first; of equally alike ones the earlier in the list. */
export const nearestNames = (wanted: string, names: readonly string[], most = 3): readonly string[] => {
  // Names of Ozone have at most 63 characters; what is much longer is no misspelling of one.
  const typed = wanted.slice(0, 100);
  return names
    .map((name) => ({ name, away: distance(typed, name) }))
    .sort((one, other) => one.away - other.away)
    .slice(0, most)
    .map(({ name }) => name);
};
