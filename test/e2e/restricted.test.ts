import { describe, expect, it } from 'vitest';
import { PairId } from '../../functions/core/domain/names.ts';
import { type BackupResult, Lab } from '../in-process-edge/lab.ts';

const BUCKET = 'o3://prod/sales/orders';
const PAIR = PairId.parse('prod/sales/orders#dr');
const OURS = 'user:zoe:rwcld,user:bob:rl[DEFAULT],group:staff:a[DEFAULT],world::r';

/** A bucket that is backed up, with an ACL that lets some people write. */
const scene = async (restrict = true) => {
  const lab = new Lab({ failover: { restrict } });
  const sh = (...argv: readonly string[]): string => {
    const { exit, stdout, stderr } = lab.ozone.run('ozone', ['sh', ...argv]);
    if (exit !== 0) throw new Error(stderr);
    return stdout;
  };
  sh('bucket', 'addacl', '-a', OURS, BUCKET);
  lab.source.change([{ op: 'put', path: 'a', size: 10, seed: 1 }]);
  lab.advance(60_000);
  await lab.backUp(new Date(lab.now).toISOString());
  lab.advance(60_000);
  const ask = (work: 'failover' | 'failback', kind: string) => {
    lab.advance(60_000);
    return lab.confirmed(work, { kind });
  };
  const acl = (): readonly string[] =>
    JSON.parse(sh('bucket', 'getacl', BUCKET))
      .map((it: { type: string; name: string; aclScope: string; aclList: readonly string[] }) =>
        [it.type, it.name, it.aclList.join(), it.aclScope].join(':'),
      )
      .sort();
  const role = async () => (await lab.ledger.loadPair(PAIR)).role;
  const away = () => lab.ozone.setFaults([{ id: 'away', match: {}, effect: { kind: 'unreachable', service: 'prod' } }]);
  return { lab, ask, acl, role, away };
};

const kinds = ({ steps }: BackupResult) => steps.map(({ decision }) => decision.kind);
const notes = (result: BackupResult): string =>
  result.status === 'SUCCEEDED' ? JSON.stringify(result.output) : `${result.error} ${result.cause}`;

describe('a failover of a policy that restricts', () => {
  it('leaves people the right to read at the old primary, and the failback gives back exactly what was there', async () => {
    const { ask, acl, role } = await scene();
    const before = acl();
    const over = await ask('failover', 'planned');
    expect(over).toMatchObject({ status: 'SUCCEEDED', output: { kind: 'failed-over', restricted: true } });
    expect(kinds(over).slice(-3)).toEqual(['safety-snapshot', 'restrict', 'done']);
    expect(acl()).toEqual([
      'GROUP:root:READ,LIST:ACCESS',
      'GROUP:staff:READ,LIST:DEFAULT',
      'USER:bob:READ,LIST:DEFAULT',
      'USER:root:READ,LIST:ACCESS',
      'USER:zoe:READ,LIST:ACCESS',
      'WORLD:WORLD:READ:ACCESS',
    ]);
    expect((await role())?.restricted).toMatchObject({ cluster: 'prod' });

    expect(await ask('failback', 'prepare')).toMatchObject({ status: 'SUCCEEDED' });
    expect((await role())?.restricted).toMatchObject({ cluster: 'prod' });
    const back = await ask('failback', 'switch');
    expect(back).toMatchObject({ status: 'SUCCEEDED', output: { kind: 'failed-over', restricted: false } });
    expect(kinds(back).slice(-2)).toEqual(['restrict', 'done']);
    expect(acl()).toEqual(before);
    expect(await role()).toMatchObject({ primary: 'source', state: 'settled', restricted: null });
  });

  it('succeeds when the source does not answer, tries once, and says so', async () => {
    const { ask, acl, role, away, lab } = await scene();
    const before = acl();
    away();
    const over = await ask('failover', 'unplanned');
    expect(over).toMatchObject({ status: 'SUCCEEDED', output: { kind: 'failed-over', restricted: false } });
    expect(kinds(over).filter((kind) => kind === 'restrict')).toHaveLength(1);
    expect(notes(over)).toContain('so nothing keeps people from writing to sales/orders on prod');
    expect(await role()).toMatchObject({ primary: 'replica', state: 'settled', restricted: null });
    lab.ozone.setFaults([]);
    expect(acl()).toEqual(before);
  });
});

it('a failover of a policy that does not restrict leaves the ACL as it is', async () => {
  const { ask, acl } = await scene(false);
  const before = acl();
  const over = await ask('failover', 'planned');
  expect(over).toMatchObject({ status: 'SUCCEEDED', output: { kind: 'failed-over', restricted: null } });
  expect(kinds(over)).not.toContain('restrict');
  expect(acl()).toEqual(before);
});
