/** Splits `.snapshot/<name>/<path>`; any other path belongs to the live bucket, whose snapshot is `''`. */
export function splitSnapshotPath(path: string): { readonly snapshot: string; readonly path: string } {
  const match = /^\.snapshot\/([^/]+)\/?(.*)$/s.exec(path);
  return match ? { snapshot: match[1] ?? '', path: match[2] ?? '' } : { snapshot: '', path };
}
