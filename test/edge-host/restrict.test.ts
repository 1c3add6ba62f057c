import { expect, it } from 'vitest';
import { EdgeHost, type Reply } from './edge-host.ts';
import { aclList, bucketInfo } from './ozone-output.ts';

const BUCKET = 'dr/vol/bkt';

/** A host whose cluster answers every command with success, and shows the same ACL whatever was set. */
const restrict = async (acls: string): Promise<Reply> => {
  const host = new EdgeHost();
  host.ozone({
    [`bucket info o3://${BUCKET}`]: { out: bucketInfo() },
    [`bucket getacl o3://${BUCKET}`]: { out: aclList(['USER', 'bob', 'ACCESS', 'ALL']) },
    [`bucket setacl -a user:bob:rl o3://${BUCKET}`]: { out: '' },
    [`bucket setacl -a user:ann:a o3://${BUCKET}`]: { out: '' },
  });
  return (await host.run('restrict', { replica: BUCKET, targetCreated: '2026-11-20T18:22:04.605Z', acls })).reply;
};

it.each([
  ['taking rights away', ''],
  ['giving them back', 'user:ann:a'],
])('%s is not taken for done because Ozone ended with 0', async (_what, acls) => {
  const reply = await restrict(acls);
  expect(reply).toMatchObject({ outcome: 'failed', code: 'acl-differs', jvmStarts: 2 });
  expect(reply.message).toContain('bob');
});
