import { DescribeInstanceInformationCommand, type SSMClient } from '@aws-sdk/client-ssm';
import { HostId } from '../../core/domain/names.ts';
import type { HostWatch } from '../../core/ports.ts';

/** Values of one filter (API reference, InstanceInformationStringFilter). */
const ASKED = 100;
/** Nodes in one page. */
const PAGE = 50;

/** Hosts whose agent has lately reported to Systems Manager: `PingStatus` Online. */
export const hostWatch = (ssm: SSMClient): HostWatch => ({
  online: async (hosts) => {
    const online = new Set<HostId>();
    for (let from = 0; from < hosts.length; from += ASKED) {
      let next: string | undefined;
      do {
        const page = await ssm.send(
          new DescribeInstanceInformationCommand({
            Filters: [{ Key: 'InstanceIds', Values: hosts.slice(from, from + ASKED) }],
            MaxResults: PAGE,
            ...(next ? { NextToken: next } : {}),
          }),
        );
        for (const { InstanceId, PingStatus } of page.InstanceInformationList ?? []) {
          const host = HostId.safeParse(InstanceId);
          if (host.success && PingStatus === 'Online') online.add(host.data);
        }
        next = page.NextToken;
      } while (next);
    }
    return online;
  },
});
