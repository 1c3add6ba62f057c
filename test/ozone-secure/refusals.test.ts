import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type SecuredClusters, securedClusters, type User, users } from '../ozone-cluster/secured.ts';
import { type Action, type Answer, Asking, owners, page, statesOf } from './refusals.ts';

const security = fileURLToPath(new URL('../../docs/security.md', import.meta.url));
const between = /(<!-- matrix -->\n).*?(<!-- \/matrix -->)/s;

const row = (
  observe: Answer,
  source: Answer,
  replica: Answer,
  restore: Answer,
  stranger: Answer,
): Readonly<Record<User, Answer>> => ({
  'odr-observe': observe,
  'odr-source': source,
  'odr-replica': replica,
  'odr-restore': restore,
  stranger,
});

/** One owner takes and deletes snapshots; all others read, or not even that. */
const expectedOnSource: Readonly<Record<Action, Readonly<Record<User, Answer>>>> = {
  'list snapshots': row('yes', 'yes', 'yes', 'yes', 'READ on volume'),
  'create a snapshot': row('owner', 'yes', 'owner', 'owner', 'owner'),
  'delete a snapshot': row('owner', 'yes', 'owner', 'owner', 'owner'),
  'read a file of a snapshot': row('yes', 'yes', 'yes', 'yes', 'READ on volume'),
  'write a key': row('CREATE on key', 'yes', 'CREATE on key', 'CREATE on key', 'READ on volume'),
  'overwrite a key': row('CREATE on key', 'yes', 'CREATE on key', 'CREATE on key', 'READ on volume'),
  'delete a key': row('DELETE on key', 'yes', 'DELETE on key', 'DELETE on key', 'READ on volume'),
  'change the access list': row(
    'WRITE_ACL on bucket',
    'yes',
    'WRITE_ACL on bucket',
    'WRITE_ACL on bucket',
    'READ on volume',
  ),
  'change the owner': row('WRITE_ACL on bucket', 'yes', 'WRITE_ACL on bucket', 'WRITE_ACL on bucket', 'READ on volume'),
};

/** The owner is another one, and the identity of the source is as good as a stranger. */
const expectedOnReplica: Readonly<Record<Action, Readonly<Record<User, Answer>>>> = {
  'list snapshots': row('yes', 'READ on volume', 'yes', 'yes', 'READ on volume'),
  'create a snapshot': row('owner', 'owner', 'yes', 'owner', 'owner'),
  'delete a snapshot': row('owner', 'owner', 'yes', 'owner', 'owner'),
  'read a file of a snapshot': row('yes', 'READ on volume', 'yes', 'yes', 'READ on volume'),
  'write a key': row('CREATE on key', 'READ on volume', 'yes', 'CREATE on key', 'READ on volume'),
  'overwrite a key': row('CREATE on key', 'READ on volume', 'yes', 'CREATE on key', 'READ on volume'),
  'delete a key': row('DELETE on key', 'READ on volume', 'yes', 'DELETE on key', 'READ on volume'),
  'change the access list': row(
    'WRITE_ACL on bucket',
    'READ on volume',
    'yes',
    'WRITE_ACL on bucket',
    'READ on volume',
  ),
  'change the owner': row('WRITE_ACL on bucket', 'READ on volume', 'yes', 'WRITE_ACL on bucket', 'READ on volume'),
};

describe('who may do what on two secured clusters', () => {
  const directory = mkdtempSync(join(tmpdir(), 'refusals-'));
  let clusters: SecuredClusters;
  let asking: Asking;

  beforeAll(async () => {
    clusters = await securedClusters();
    const file = join(directory, 'another-content');
    writeFileSync(file, 'another content');
    asking = await Asking.begin(clusters, file);
  });
  afterAll(() => rmSync(directory, { recursive: true, force: true }));

  it('who does not own a bucket changes nothing in it: not its snapshots, not its keys, not its rights', async () => {
    const others = (['source', 'replica'] as const).flatMap((side) =>
      users.filter((user) => user !== owners[side]).map((user) => ({ side, user })),
    );
    const before = await statesOf(clusters);
    for (const side of ['source', 'replica'] as const) {
      expect(before[side].snapshots).toHaveLength(6);
      expect(before[side].tree.size).toBeGreaterThan(users.length);
      expect(before[side].grants.length).toBeGreaterThan(4);
      expect(before[side].owner).toBe(owners[side]);
    }
    await asking.ask(others);
    expect(await statesOf(clusters)).toEqual(before);
  });

  it('the owner of a bucket does all of it: who takes snapshots deletes them', async () => {
    await asking.ask([
      { side: 'source', user: owners.source },
      { side: 'replica', user: owners.replica },
    ]);
    const after = await statesOf(clusters);
    for (const side of ['source', 'replica'] as const) {
      const { snapshots, tree } = after[side];
      expect(snapshots).toContain(`made-by-${owners[side]}`);
      expect(snapshots).not.toContain(`goes-with-${owners[side]}`);
      expect(tree.has(`dir/written-by-${owners[side]}`)).toBe(true);
      expect(tree.has(`dir/goes-with-${owners[side]}`)).toBe(false);
    }
  });

  it('each is refused what it must not do, by the right that it lacks', () => {
    const { source, replica } = asking.refusals().answers;
    const plain = (rows: typeof source) =>
      Object.fromEntries(rows.map(([action, row]) => [action, Object.fromEntries(row)]));
    expect(plain(source)).toEqual(expectedOnSource);
    expect(plain(replica)).toEqual(expectedOnReplica);
  });

  it('the page carries what was measured; SECURITY_PAGE=write writes it', () => {
    const text = readFileSync(security, 'utf8');
    const measured = text.replace(between, (_all, begin, end) => `${begin}\n${page(asking.refusals())}\n\n${end}`);
    expect(between.test(text), 'docs/security.md has a place for the matrix').toBe(true);
    if (process.env.SECURITY_PAGE === 'write') writeFileSync(security, measured);
    expect(readFileSync(security, 'utf8')).toBe(measured);
  });
});
