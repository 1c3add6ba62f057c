import { chmodSync, copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { BUCKETS, type DoctorStage, doctorStage } from '../doctor/stage.ts';
import { policyText, REPLICA_HOST, SOURCE_HOST } from '../fixtures/deployment.ts';
import { type SecuredClusters, securedClusters } from '../ozone-cluster/secured.ts';
import { prepare } from './grants.ts';
import { SecuredHosts } from './identities.ts';

/** What a secured cluster answers, and what a real ticket is, no simulator says. */
describe('the doctor on a secured pair', () => {
  const directory = mkdtempSync(join(tmpdir(), 'doctor-'));
  let clusters: SecuredClusters;
  let hosts: SecuredHosts;
  let stage: DoctorStage;

  beforeAll(async () => {
    clusters = await securedClusters();
    const policies = policyText(BUCKETS);
    await prepare(clusters, policies, BUCKETS);
    hosts = new SecuredHosts(clusters);
    stage = await doctorStage(hosts.clusters(), { policies });
  });
  afterAll(async () => {
    await stage?.close();
    rmSync(directory, { recursive: true, force: true });
  });

  const wrong = async (): Promise<readonly string[]> => {
    const { findings } = await stage.visit();
    return [
      ...new Set(findings.flatMap(({ severity, code, where }) => (severity === 'note' ? [] : [`${code}: ${where}`]))),
    ].sort();
  };
  it('finds nothing wrong with what the printed grants prepared, and nobody without a ticket', async () => {
    const { status, findings } = await stage.visit();
    expect(findings.map(({ code }) => code)).not.toContain('security-off');
    expect(findings.filter(({ severity }) => severity !== 'note')).toEqual([]);
    expect(status).toBe('SUCCEEDED');
  });

  it('finds who does not own what it seals, who only looks and may write, and what is wrong with keytabs', async () => {
    const open = join(directory, 'open');
    copyFileSync(clusters.kdc.keytab('odr-observe'), open);
    chmodSync(open, 0o644);
    await hosts.configure(SOURCE_HOST, { protect: 'odr-restore', observe: 'odr-source' });
    await hosts.configure(
      REPLICA_HOST,
      {},
      {
        keytab_observe: open,
        keytab_protect: clusters.kdc.keytab('stranger'),
        keytab_restore: join(directory, 'none'),
      },
    );
    expect(await wrong()).toEqual([
      `access-denied: ${SOURCE_HOST} observe to dr`,
      `keytab-missing: ${REPLICA_HOST} restore`,
      `keytab-open: ${REPLICA_HOST} observe`,
      // Of what is not observed one bucket stands for all.
      `not-owner: prod ${BUCKETS[0]}`,
      `observer-may-write: ${SOURCE_HOST} on prod`,
      `ticket-missing: ${REPLICA_HOST} protect`,
    ]);
  });

  it('finds who may not read, a ticket that ends within the hour, and one that is over', async () => {
    const given = { principal_protect: '', keytab_protect: '' };
    const ending = await clusters.kdc.ticket('odr-source', join(directory, 'ending'), 600);
    const over = await clusters.kdc.ticket('odr-replica', join(directory, 'over'), 1);
    await hosts.configure(SOURCE_HOST, {}, { ...given, ticket_protect: ending });
    await hosts.configure(REPLICA_HOST, { observe: 'stranger' }, { ...given, ticket_protect: over });
    expect(await wrong()).toEqual([
      `access-denied: ${REPLICA_HOST} observe to dr`,
      `access-denied: ${REPLICA_HOST} observe to prod`,
      `ticket-ending: ${SOURCE_HOST} protect`,
      `ticket-expired: ${REPLICA_HOST} protect`,
    ]);
  });
});
