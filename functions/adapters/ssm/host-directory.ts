import { DescribeInstanceInformationCommand, type SSMClient } from '@aws-sdk/client-ssm';
import type { HostSeen } from '../../core/domain/doctor.ts';
import { HostId } from '../../core/domain/names.ts';
import type { HostDirectory } from '../../core/ports.ts';

/** Values of one filter, and nodes in one page (API reference, DescribeInstanceInformation). */
const ASKED = 100;
const PAGE = 50;

/** What Systems Manager says of the hosts: whether they answer, and how old their agents are. */
export const hostDirectory = (ssm: SSMClient): HostDirectory => ({
  describe: async (hosts) => {
    const seen: HostSeen[] = [];
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
        for (const { InstanceId, PingStatus, AgentVersion } of page.InstanceInformationList ?? []) {
          const host = HostId.safeParse(InstanceId);
          if (host.success)
            seen.push({ host: host.data, ping: PingStatus ?? 'unknown', agentVersion: AgentVersion ?? '' });
        }
        next = page.NextToken;
      } while (next);
    }
    return seen;
  },
});
