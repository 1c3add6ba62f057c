import { describe, expect, it } from 'vitest';
import { type Endpoints, links } from '../../../functions/console/endpoints.ts';
import { bucketMarkup, bucketPage } from '../../../functions/console/pages/bucket.ts';
import { operationsMarkup, operationsPage } from '../../../functions/console/pages/operations.ts';
import {
  type AssessedPolicy,
  overviewMarkup,
  overviewPage,
  policyMarkup,
  policyPage,
} from '../../../functions/console/pages/overview.ts';
import type { WidgetRequest } from '../../../functions/console/widget-event.ts';
import { emptyEnrolment } from '../../../functions/core/domain/buckets.ts';
import { BucketRef, type PolicyName } from '../../../functions/core/domain/names.ts';
import { epochMs } from '../../../functions/core/domain/units.ts';
import { explainBucket } from '../../../functions/core/planner/explain.ts';
import { INJECTIONS } from '../../fixtures/injections.ts';
import { BUCKET, HOUR, lineageOf, nameOf, now, policyOf, type World } from '../planner/lineage-world.ts';
import { assessed, fleet, poisoned } from './models.ts';
import { payloadsOf, seen, textsOf } from './skeleton.ts';

const ENDPOINTS: Endpoints = {
  view: 'arn:aws:lambda:eu-central-1:111122223333:function:customWidgetOzoneDrView',
  act: 'arn:aws:lambda:eu-central-1:111122223333:function:customWidgetOzoneDrAct',
};
const LINKS = links(ENDPOINTS);
const policy = policyOf({});
const clock = { now: () => now };
const request = (more: Partial<WidgetRequest> = {}): WidgetRequest => ({
  isDescribe: false,
  page: undefined,
  fields: {},
  form: {},
  view: { theme: 'light', width: 800, height: 600, dashboard: 'x' },
  ...more,
});

const bucketOf = (world: World) => explainBucket(lineageOf(world), 40, now);
const shown = (world: World): string => String(bucketMarkup(bucketOf(world), LINKS, 800));

const execution = (workflow: string, name: string) => ({
  arn: `arn:aws:states:eu-central-1:111122223333:execution:ozone-dr-${workflow}:${name}`,
  name,
  startedAt: epochMs(now - HOUR),
});
const command = (of: { readonly arn: string }, more: object = {}) => ({
  id: 'op-0' as never,
  execution: of.arn,
  pair: 'prod/sales/orders#restore' as never,
  host: 'i-0123456789abcdef0' as never,
  createdAt: epochMs(now - 60_000),
  deadline: epochMs(now + HOUR),
  state: 'sent' as const,
  verb: 'restore',
  ...more,
});

describe('the bucket page', () => {
  const healthy: World = { points: 'w* x* y* z*', base: 'z', previous: 'y', drilled: 'y:40', pins: 'x' };

  it('answers first whether it is safe', () => {
    expect(textsOf(shown({ points: 'z*', rpo: 26 * 30 }))).toContain('Yes, it is safe:');
    expect(textsOf(shown({ points: 'z*' }))).toContain('No, it is late:');
    expect(textsOf(shown({ points: 'z' }))).toContain('No: no point was ever verified');
  });

  it('leads to a restore with the newest good point chosen, and with each other one', () => {
    const payloads = payloadsOf(shown(healthy)).filter(({ page }) => page === 'restore');
    expect(payloads[0]).toEqual({ page: 'restore', policy: 'nightly', bucket: BUCKET, point: nameOf('z') });
    expect(payloads.slice(1).map(({ point }) => point)).toEqual(['z', 'y', 'x', 'w'].map(nameOf));
  });

  it('offers no restore where nothing is left to restore from', () => {
    const payloads = payloadsOf(shown({ points: 'y z*', removals: 'y:deleting' }));
    expect(payloads.filter(({ page, point }) => page === 'restore' && point === nameOf('y'))).toEqual([]);
    expect(textsOf(shown({ points: '' }))).toContain('There is nothing to restore from.');
  });

  it('says where the data can be read right now, how long a restore takes, and which drill passed', () => {
    const text = textsOf(shown(healthy));
    expect(text).toContain(`ofs://dr-om/${BUCKET}/.snapshot/${nameOf('z')}`);
    expect(text).toContain('last drill that passed');
  });

  it('draws each point in time: form and letter say what colour says, and its title the rest', () => {
    const markup = shown({ ...healthy, points: 'u v~ w! x* y* z*' });
    const titles = markup.match(/<title>[^<]*<\/title>/g) ?? [];
    expect(titles).toHaveLength(6);
    expect(titles[3]).toContain(nameOf('x'));
    expect(titles[3]).toContain('pinned by');
    const xs = [...markup.matchAll(/<text class="odr-soft" x="(\d+)"[^>]*>[BIR–]</g)].map(([, x]) => Number(x));
    expect(xs).toHaveLength(6);
    for (const [index, x] of xs.slice(1).entries()) expect(x - (xs[index] ?? 0)).toBeGreaterThanOrEqual(16);
  });

  it('says what is wrong, and leads to where something can be done about it', () => {
    const markup = shown({
      points: 'y* z',
      run: { status: 'failed', failure: { error: 'SourceUnreachable', cause: 'gone' } },
    });
    expect(textsOf(markup)).toContain('failed');
    expect(payloadsOf(markup)).toContainEqual({ page: 'back-up', policy: 'nightly', bucket: BUCKET });
  });

  const deps = (found: World) => {
    const facts = lineageOf(found);
    return {
      policies: [facts.policy],
      ledger: {
        loadPair: async () => facts.pair,
        livingPoints: async () => facts.points,
        loadEnrolment: async (of: PolicyName) => emptyEnrolment(of),
        loadPolicyState: async () => ({ policy: facts.policy.name, version: 0, versions: [] }) as never,
      },
      runs: { latestBackup: async () => facts.lastRun },
      clock,
      links: LINKS,
    };
  };

  it('asks for a bucket when none is named, and says what was wrong with the one that was typed', async () => {
    const page = bucketPage(deps(healthy));
    expect(String(await page.show(request()))).toContain('Find a bucket');
    expect(textsOf(String(await page.show(request({ form: { bucket: 'sales' } }))))).toContain(
      'write volume/bucket, for example sales/orders',
    );
    expect(textsOf(String(await page.show(request({ form: { bucket: 'sales/order' } }))))).toContain(
      'did you mean sales/orders?',
    );
    expect(textsOf(String(await page.show(request({ form: { bucket: ' sales/orders ' } }))))).toContain(nameOf('z'));
    expect(textsOf(String(await page.show(request({ fields: { bucket: BUCKET, policy: 'other' } }))))).toContain(
      'the policy other does not have it',
    );
  });

  it('asks which policy is meant when several have the bucket', async () => {
    const it = deps(healthy);
    const page = bucketPage({ ...it, policies: [...it.policies, { ...policy, name: 'hourly' as never }] });
    expect(payloadsOf(String(await page.show(request({ fields: { bucket: BUCKET } })))).slice(-2)).toEqual([
      { page: 'bucket', bucket: BUCKET, policy: 'nightly' },
      { page: 'bucket', bucket: BUCKET, policy: 'hourly' },
    ]);
  });
});

describe('the overview', () => {
  const overview = (...policies: readonly AssessedPolicy[]): string =>
    String(overviewMarkup(policies, fleet, now, LINKS));

  it('says that all is safe when it is', () => {
    expect(textsOf(overview(assessed('first', 10)))).toContain('Yes, everything is safe:');
    expect(textsOf(overview(assessed('first', 10)))).not.toContain('Buckets that need somebody');
  });

  it('has the worst policy first, and names its buckets with why', () => {
    const markup = overview(assessed('fine', 10), assessed('worst', 80), assessed('late', 30), {
      policy: { ...policy, name: 'new' as never },
      found: null,
    });
    const policies = payloadsOf(markup).filter(({ page }) => page === 'policy');
    expect(policies.map((it) => it.policy)).toEqual(['worst', 'late', 'new', 'fine']);
    expect(textsOf(markup)).toContain('No, not everything is safe.');
    expect(textsOf(markup)).toContain('newest point taken is 3 d 8 h old, 26 h are allowed');
    expect(payloadsOf(markup)).toContainEqual({ page: 'bucket', policy: 'worst', bucket: BUCKET });
  });

  it('calls nothing safe that was not assessed for a while, or not at all', () => {
    expect(textsOf(overview(assessed('first', 10, { at: now - HOUR })))).toContain('not assessed for 1 h');
    expect(textsOf(overview({ policy, found: null }))).toContain('not assessed yet');
    expect(textsOf(overview())).toContain('There are no policies');
  });

  it('does not call a bucket safe that has nothing to restore from yet, however young it is', () => {
    const young = assessed('young', 1);
    const named = young.found?.named.map((it) => ({
      ...it,
      clocks: { ...it.clocks, verified: it.clocks.verified && { ...it.clocks.verified, point: null } },
    }));
    const text = textsOf(overview({ ...young, found: young.found && { ...young.found, named: named ?? [] } }));
    expect(text).not.toContain('everything is safe:');
    expect(text).toContain('no good point yet');
    expect(text).toContain('1 without a good point yet');
  });

  it('says since when a bucket is gone, where it can be restored from, and what to do, and calls that safe nowhere', () => {
    const gone = assessed('first', 10, {
      vanished: [{ bucket: BucketRef.parse('sales/gone'), at: epochMs(now - 2 * HOUR) }],
    });
    const markup = overview(gone);
    expect(textsOf(markup)).not.toContain('everything is safe:');
    expect(textsOf(markup)).toContain('1 vanished');
    expect(textsOf(markup)).toContain('vanished 2 h ago');
    expect(textsOf(markup)).toContain('and can be restored: was it meant?');
    expect(payloadsOf(markup)).toContainEqual({ page: 'bucket', policy: 'first', bucket: 'sales/gone' });
    expect(textsOf(String(policyMarkup(gone, now, LINKS)))).toContain('vanished 2 h ago');
  });

  it('says who paused, what waits for a person, what failed, and which host is offline', () => {
    const text = textsOf(
      overview(
        assessed('first', 10, { paused: { by: 'Ada', reason: 'move', at: now }, held: 1, failed: { snapshot: 2 } }),
      ),
    );
    for (const it of ['paused', 'Ada', '2 failed last time', '1 offline', 'dr did not answer 1 h ago'])
      expect(text).toContain(it);
  });

  it('reads once per policy, and once for the fleet', async () => {
    let reads = 0;
    const found = assessed('nightly', 10).found;
    const assessments = {
      load: async () => {
        reads++;
        return found;
      },
      loadFleet: async () => {
        reads++;
        return fleet;
      },
    };
    const many = Array.from({ length: 100 }, (_, n) => ({ ...policy, name: `p${n}` as never }));
    await overviewPage({ policies: many, assessments, clock, links: LINKS }).show(request());
    expect(reads).toBe(101);
  });

  it('leads to a policy with all its buckets, and to its pause', async () => {
    const assessments = { load: async () => assessed('nightly', 30).found, loadFleet: async () => null };
    const page = policyPage({ policies: [policy], assessments, clock, links: LINKS });
    const payloads = payloadsOf(String(await page.show(request({ fields: { policy: 'nightly' } }))));
    expect(payloads).toContainEqual({ page: 'pause', policy: 'nightly' });
    expect(payloads.filter((it) => it.page === 'bucket' && it.bucket === BUCKET)).toHaveLength(1);
    await expect(page.show(request({ fields: { policy: 'nightl' } }))).rejects.toThrow('did you mean nightly?');
    await expect(page.show(request())).rejects.toThrow('name a policy');
  });
});

describe('the operations page', () => {
  it('shows what runs with its command, and cancels restores, drills and what moves roles alone', () => {
    const [restore, backup] = [execution('restore', 'r1'), execution('backup', 'b1')];
    const [fleet, drill] = [execution('failover-fleet', 'f1'), execution('drill', 'd1')];
    const markup = String(
      operationsMarkup(
        [
          { workflow: 'restore', executions: [restore], isCut: false },
          { workflow: 'failover-fleet', executions: [fleet], isCut: false },
          { workflow: 'drill', executions: [drill], isCut: false },
          { workflow: 'backup', executions: [backup], isCut: false },
        ],
        [command(restore), command(backup, { verb: 'replicate', deadline: now - 60_000 })],
        now,
        LINKS,
      ),
    );
    expect(payloadsOf(markup).filter(({ page }) => page === 'cancel')).toEqual([
      { page: 'cancel', execution: restore.arn },
      { page: 'cancel', execution: fleet.arn },
      { page: 'cancel', execution: drill.arn },
    ]);
    expect(payloadsOf(markup).filter(({ page }) => page?.endsWith('-run'))).toEqual([
      { page: 'restore-run', execution: restore.arn },
      { page: 'failover-fleet-run', execution: fleet.arn },
    ]);
    expect(textsOf(markup)).toContain('restore on i-0123456789abcdef0 since 1 min');
    expect(textsOf(markup)).toContain('should have ended 1 min ago');
  });

  it('names commands whose work is over, unless it does not show all work', () => {
    const gone = command(execution('restore', 'gone'));
    expect(textsOf(String(operationsMarkup([], [gone], now, LINKS)))).toContain('Commands whose work is over');
    expect(textsOf(String(operationsMarkup([], [], now, LINKS)))).toContain('Nothing is running.');
    const cut = [{ workflow: 'backup' as const, executions: [execution('backup', 'b1')], isCut: true }];
    expect(textsOf(String(operationsMarkup(cut, [gone], now, LINKS)))).not.toContain('Commands whose work is over');
  });

  it('asks once per workflow and once per host', async () => {
    const asked: string[] = [];
    await operationsPage({
      policies: [policy, policy],
      executions: {
        running: async (workflow) => {
          asked.push(workflow);
          return { newest: [], isCut: false };
        },
      },
      operations: {
        on: async (host) => {
          asked.push(host);
          return [];
        },
      },
      clock,
      links: LINKS,
    }).show(request());
    expect(asked.toSorted()).toEqual([
      'backup',
      'backup-fleet',
      'decision',
      'drill',
      'failback',
      'failover',
      'failover-fleet',
      'i-0123456789abcdef0',
      'look',
      'mi-0123456789abcdef0',
      'prune',
      'restore',
    ]);
  });
});

describe('whatever people and clusters call things', () => {
  const world: World = {
    points: 'u v~ w! x* y* z',
    pins: 'x',
    holds: 'y',
    removals: 'u:condemned',
    drilled: 'x:20',
    run: { status: 'failed', failure: { error: 'E', cause: 'c' } },
  };
  const bucket = bucketOf(world);
  const policies = [assessed('first', 80, { paused: { by: 'Ada', reason: 'move', at: now } }), assessed('second', 10)];
  const running = execution('restore', 'r1');
  const working = [{ workflow: 'restore' as const, executions: [running], isCut: true }];
  const PAGES: Readonly<Record<string, (text: string) => string>> = {
    bucket: (text) => String(bucketMarkup(poisoned(bucket, text), LINKS, 800)),
    overview: (text) => String(overviewMarkup(poisoned(policies, text), poisoned(fleet, text), now, LINKS)),
    policy: (text) => String(policyMarkup(poisoned(policies[0] ?? { policy, found: null }, text), now, LINKS)),
    operations: (text) => {
      const it = poisoned(working, text);
      return String(operationsMarkup(it, [command({ arn: text }, { pair: text, host: text, verb: text })], now, LINKS));
    },
  };

  it('there are more than a hundred of them', () => {
    expect(new Set(INJECTIONS).size).toBeGreaterThan(150);
  });

  it.each(Object.keys(PAGES))(
    'the page %s has the same elements, and shows it as text',
    (name) => {
      const page = PAGES[name] ?? String;
      const harmless = seen(page('a harmless text'));
      for (const text of INJECTIONS) {
        const found = seen(page(text));
        expect(found.skeleton, text).toBe(harmless.skeleton);
        // Control characters are shown as a mark.
        expect(found.texts, text).toContain(text.replace(/(?![\t\n\r])[\p{Cc}\p{Cs}]/gu, '\ufffd'));
        for (const endpoint of found.endpoints) expect(Object.values(ENDPOINTS), text).toContain(endpoint);
        expect(
          found.payloads.map((it) => it.page),
          text,
        ).toEqual(harmless.payloads.map((it) => it.page));
      }
    },
    120_000,
  );
});
