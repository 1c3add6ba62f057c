import { GetCommand } from '@aws-sdk/lib-dynamodb';
import { FleetAssessment, PolicyAssessment } from '../../core/domain/clocks.ts';
import type { PolicyName } from '../../core/domain/names.ts';
import { POLICIES, parseItem, type Table } from './table.ts';

/** What the last assessment found, for those who only look: one eventually consistent read each. */
export const dynamoAssessmentReader = ({ client, name: TableName }: Table) => ({
  load: async (policy: PolicyName): Promise<PolicyAssessment | null> => {
    const { Item } = await client.send(
      new GetCommand({ TableName, Key: { pk: `${POLICIES}${policy}`, sk: 'CLOCKS' } }),
    );
    return Item ? parseItem(PolicyAssessment, Item) : null;
  },
  loadFleet: async (): Promise<FleetAssessment | null> => {
    const { Item } = await client.send(new GetCommand({ TableName, Key: { pk: 'SYSTEM', sk: 'CLOCKS' } }));
    return Item ? parseItem(FleetAssessment, Item) : null;
  },
});
