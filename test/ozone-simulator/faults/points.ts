/** Every effect of a simulated command. Each has a moment `before:` and `after:` it at which a fault may kill the process. */
export const crashPoints = [
  'volume-create',
  'bucket-create',
  'bucket-delete',
  'bucket-acl',
  'key-put',
  'key-delete',
  'key-rename',
  'mkdir',
  'set-times',
  'snapshot-create',
  'snapshot-delete',
  'diff-submit',
  'diff-cancel',
  'diff-wait',
  'distcp-temp-snapshot-create',
  'distcp-temp-snapshot-delete',
  'distcp-sync-make-tmp',
  'distcp-sync-move-to-tmp',
  'distcp-sync-move-to-target',
  'distcp-sync-delete-tmp',
  'distcp-copy-directory',
  'distcp-copy-file',
  'distcp-rename-copy',
  'distcp-delete-extra',
] as const;
export type CrashPoint = (typeof crashPoints)[number];

/** Deliberate mistakes, for checking that the contract suite would notice a simulator that drifts from Ozone. */
export const bugs = [
  'snapshot-follows-the-live-bucket',
  'deleted-names-are-free',
  'diff-forgets-renames',
  'diff-leaves-out-directories',
  'paging-skips-an-entry',
  'batch-goes-on-after-a-failure',
  'diff-submission-prints-the-report',
  'target-is-not-checked',
  'temporary-snapshot-stays',
  'update-trusts-the-size',
  'delete-keeps-what-is-extra',
  'flags-count-after-the-paths',
] as const;
export type Bug = (typeof bugs)[number];
