import type { ActingDependencies } from './pages/acting.ts';
import { decisionPages } from './pages/decide.ts';
import { failbackPages } from './pages/failback.ts';
import { failoverPages } from './pages/failover.ts';
import { failoverFleetPages } from './pages/failover-fleet.ts';
import { restorePages } from './pages/restore.ts';
import { startStopPages } from './pages/start-stop.ts';
import type { Widget } from './router.ts';

/** The widget that acts: restores, failovers and failbacks, decisions, backups by hand, cancelling. */
export const actWidget = (deps: ActingDependencies, report: Widget['report']): Widget => ({
  title: 'Ozone DR: restore, fail over and decide',
  about:
    'Restores files, folders or buckets by a plan and typed words; makes a replica the primary of its bucket, of one or of several, and brings the roles back; pins and holds points; accepts or rejects changes that were held back; pauses policies; backs up now; cancels restores and drills.',
  params: {
    page: 'What is shown first: restore (default), failover, failover-fleet, failback, approvals, pause or back-up',
    policy: 'A policy of the policy file',
    bucket: 'volume/bucket',
    point: 'The point that is chosen at first',
  },
  example: { page: 'restore', policy: 'nightly', bucket: 'sales/orders' },
  endpoint: deps.links.restore().endpoint,
  pages: [
    ...restorePages(deps),
    ...failoverPages(deps),
    ...failbackPages(deps),
    ...failoverFleetPages(deps),
    ...decisionPages(deps),
    ...startStopPages(deps),
  ],
  report,
});
