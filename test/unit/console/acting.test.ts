import { beforeEach, describe, expect, it } from 'vitest';
import type * as z from 'zod';
import { actWidget } from '../../../functions/console/act-widget.ts';
import { links } from '../../../functions/console/endpoints.ts';
import { answerWidget } from '../../../functions/console/router.ts';
import { BucketRef, ClusterName, RunId } from '../../../functions/core/domain/names.ts';
import { RestorePlan } from '../../../functions/core/domain/restore.ts';
import { FailbackPlan, FailoverFleetPlan, type Role } from '../../../functions/core/domain/roles.ts';
import { epochMs } from '../../../functions/core/domain/units.ts';
import type { ExecutionState, StartedByHand } from '../../../functions/core/ports.ts';
import { failoverOf } from '../../../functions/core/use-cases/failover-fleet.ts';
import { asText } from '../../../functions/core/use-cases/plan-text.ts';
import { INJECTIONS } from '../../fixtures/injections.ts';
import { memoryLedger, memoryNonces } from '../../fixtures/memory-store.ts';
import { restorePolicy } from '../planner/restore-world.ts';
import { historyOf, nameOf } from '../planner/world.ts';
import { memoryPlans } from '../use-cases/restore-fixture.ts';
import { payloadsOf, seen, textsOf } from './skeleton.ts';

const ENDPOINTS = {
  view: 'arn:aws:lambda:eu-central-1:111122223333:function:customWidgetOzoneDrView',
  act: 'arn:aws:lambda:eu-central-1:111122223333:function:customWidgetOzoneDrAct',
};
const OF = { policy: 'nightly', bucket: 'sales/orders' };
const POINT = { ...OF, point: nameOf('a') };
const PLANNING = 'arn:aws:states:eu-central-1:111122223333:execution:ozone-dr-restore:planning';

interface Started {
  readonly workflow: StartedByHand;
  readonly name: string;
  readonly input: Readonly<Record<string, unknown>>;
}

const stageOf = () => {
  const ledger = memoryLedger();
  const { run, points } = historyOf({ source: 'a* b*', replica: 'a* b*', run: '' });
  const started: Started[] = [];
  const stopped: string[] = [];
  /** ARNs of executions that cannot be stopped. */
  const unstoppable = new Set<string>();
  const executions = new Map<string, ExecutionState>();
  const clock = { at: epochMs(Date.UTC(2026, 10, 20, 12)) };
  const plans = memoryPlans();
  let count = 0;
  const nonces = memoryNonces();
  const answer = answerWidget(
    actWidget(
      {
        policies: [restorePolicy()],
        ledger,
        plans,
        nonces,
        machines: {
          start: async (workflow, name, input) => {
            started.push({ workflow, name, input: { ...input } });
            const execution = `arn:execution:${name}`;
            if (!executions.has(execution))
              executions.set(execution, {
                status: 'succeeded',
                startedAt: clock.at,
                input,
                output: { effect: 'as decided' },
                error: null,
                cause: null,
              });
            return execution;
          },
          look: async (execution) => executions.get(execution),
          stop: async (execution, cause) => {
            if (unstoppable.has(execution)) throw new Error('Rate exceeded');
            stopped.push(`${execution} ${cause}`);
          },
        },
        clock: { now: () => clock.at },
        random: () => String(++count).padStart(32, '0'),
        pause: async () => undefined,
        links: links(ENDPOINTS),
      },
      () => undefined,
    ),
  );
  const ask = async (page: string, fields: object = {}, form: object = {}): Promise<string> =>
    String(await answer({ ...fields, page, widgetContext: { dashboardName: 'dr', forms: { all: form } } }));
  /** What the button of a page sends that leads to another page. */
  const sends = (markup: string, page: string): Readonly<Record<string, string>> => {
    const found = payloadsOf(markup).find((it) => it.page === page);
    if (!found) throw new Error(`no button leads to ${page}: ${textsOf(markup)}`);
    const { page: _, ...fields } = found;
    return fields;
  };
  const planned = async (change: object = {}) => {
    const { hash, text } = asText(RestorePlan, {
      schema: 1,
      lineage: run.pair,
      policy: 'nightly',
      madeAt: clock.at,
      expires: clock.at + 3_600_000,
      point: nameOf('a'),
      pointId: points[0]?.source.id ?? '',
      from: 'prod',
      scope: 'x',
      selection: null,
      target: { kind: 'side', cluster: 'prod', bucket: 'sales/orders-restore-1', created: null },
      overwrite: 'never',
      deleteExtra: false,
      files: 1,
      bytes: 10,
      absent: 1,
      replaced: 0,
      leftAlone: 0,
      deleted: 0,
      first: [],
      isKept: false,
      seconds: 60,
      basis: 'measured',
      ...change,
    });
    await plans.put(hash, text);
    const input = { ...POINT, scope: 'bucket', target: 'side', overwrite: 'never', deleteExtra: false };
    executions.set(PLANNING, {
      status: 'succeeded',
      startedAt: clock.at,
      input: {
        ...input,
        verification: 'full',
        by: 'Ada',
        reason: 'lost',
        slot: '2026-11-20T12:00:00Z',
        planOnly: true,
      },
      output: {
        kind: 'restore-planned',
        plan: hash,
        confirmation: 'restore',
        expires: clock.at + 3_600_000,
        summary: '',
      },
      error: null,
      cause: null,
    });
    return hash;
  };
  const fill = async () => {
    for (const point of points) await ledger.putPoint(run.pair, point);
  };
  return {
    ledger,
    pair: run.pair,
    points,
    started,
    stopped,
    unstoppable,
    executions,
    clock,
    plans,
    ask,
    sends,
    planned,
    fill,
  };
};

/** The roles of the bucket, as a failover has moved them. */
const moved = async ({ ledger, pair, points, clock }: ReturnType<typeof stageOf>, change: Partial<Role> = {}) => {
  const by = RunId.parse(`${pair}#failover.nightly#20261120t110000z`);
  const seen = await ledger.loadPair(pair);
  if (!seen.role) {
    const lease = await ledger.takeLease(seen, { runId: by, execution: PLANNING }, clock.at);
    await ledger.releaseLease(pair, lease?.token ?? 0);
  }
  const isMoved = await ledger.moveRole(pair, seen.role, {
    primary: 'replica',
    epoch: 1,
    state: 'settled',
    point: nameOf('b'),
    since: clock.at,
    by,
    opened: points[1] ? { name: nameOf('b'), id: points[1].source.id, created: clock.at } : null,
    prepared: null,
    restricted: null,
    ...change,
  });
  expect(isMoved).toBe(true);
};

let stage: ReturnType<typeof stageOf>;
beforeEach(async () => {
  stage = stageOf();
  await stage.fill();
});

describe('a restore from the dashboard', () => {
  const filled = { paths: '/2026/q1/\r\n\r\n"quoted"', point: nameOf('a'), by: 'Ada', reason: 'lost' };

  it('is planned first: only that, under the name of the form', async () => {
    const form = await stage.ask('restore', POINT);
    const fields = stage.sends(form, 'restore-plan');
    await stage.ask('restore-plan', fields, filled);
    expect(stage.started).toEqual([
      {
        workflow: 'restore',
        name: `console-${fields.nonce}`,
        input: expect.objectContaining({
          ...POINT,
          planOnly: true,
          scope: { paths: ['2026/q1', '"quoted"'] },
          target: 'side',
          overwrite: 'never',
          slot: '2026-11-20T12:00:00Z',
        }),
      },
    ]);
  });

  it.each<readonly [string, object, RegExp]>([
    ['no name', { by: ' ' }, /write your name/],
    ['no reason', { reason: '' }, /write why/],
    ['a path that goes up, by its line', { paths: 'a\n../b' }, /line 2: write a path relative/],
    ['two patterns', { paths: 'a*\nb*', read: 'pattern' }, /write one line: the pattern/],
    ['another bucket that is not named', { where: 'other', cluster: 'dr', to: '' }, /write .*volume\/bucket/],
    ['deleting without replacing', { where: 'in-place', deleteExtra: 'yes' }, /set overwrite/],
    ['a point that is none', { point: '-rf' }, /write the name of a snapshot/],
  ])('is not planned with %s, and the form says what to write', async (_sentence, change, said) => {
    const fields = stage.sends(await stage.ask('restore', POINT), 'restore-plan');
    const again = await stage.ask('restore-plan', fields, { ...filled, ...change });
    expect(textsOf(again)).toMatch(said);
    expect(stage.started).toEqual([]);
    // What was typed is still there, and the new form counts.
    await stage.ask('restore-plan', stage.sends(again, 'restore-plan'), filled);
    expect(stage.started).toHaveLength(1);
  });

  it('is done as planned after the words, once', async () => {
    const plan = await stage.planned();
    const fields = stage.sends(await stage.ask('restore-run', { execution: PLANNING }), 'restore-start');
    const wrong = await stage.ask('restore-start', fields, { confirmation: 'yes' });
    expect(textsOf(wrong)).toContain('what was typed is not "restore"');
    expect(stage.started).toEqual([]);
    const [one, other] = await Promise.all([
      stage.ask('restore-start', fields, { confirmation: ' restore ' }),
      stage.ask('restore-start', fields, { confirmation: 'restore' }),
    ]);
    expect(stage.started).toMatchObject([
      { workflow: 'restore', input: { ...POINT, plan, confirmation: 'restore', slot: '2026-11-20T12:00:00Z' } },
    ]);
    expect(stage.started[0]?.input).not.toHaveProperty('planOnly');
    expect([one, other].filter((it) => it.includes('sent before'))).toHaveLength(1);
  });

  it('is not started from a form that was open too long, nor by the form of another act', async () => {
    await stage.planned();
    const fields = stage.sends(await stage.ask('restore-run', { execution: PLANNING }), 'restore-start');
    stage.clock.at = epochMs(stage.clock.at + 1_800_000);
    expect(textsOf(await stage.ask('restore-start', fields, { confirmation: 'restore' }))).toContain('half an hour');
    const { nonce } = stage.sends(await stage.ask('restore', POINT), 'restore-plan');
    const other = await stage.ask('restore-start', { ...fields, nonce }, { confirmation: 'restore' });
    expect(textsOf(other)).toContain('for something else');
    expect(stage.started).toEqual([]);
  });

  it('with something in the way says what, and has nothing to start', async () => {
    await stage.planned({ obstacles: [{ error: 'QuotaExceeded', reason: 'no room', remedy: 'Raise the quota.' }] });
    const state = stage.executions.get(PLANNING);
    stage.executions.set(PLANNING, {
      ...(state as ExecutionState),
      output: { ...(state?.output as object), confirmation: null },
    });
    const page = await stage.ask('restore-run', { execution: PLANNING });
    expect(textsOf(page)).toContain('no room. Raise the quota.');
    expect(payloadsOf(page).map((it) => it.page)).not.toContain('restore-start');
    // The form again, as it was filled in.
    expect(stage.sends(page, 'restore')).toMatchObject({ ...POINT, by: 'Ada', where: 'side' });
  });
});

describe('a failover from the dashboard', () => {
  const typed = { kind: 'unplanned', by: 'Ada', reason: 'the data centre is lost' };
  const failover = { kind: 'unplanned', from: 'prod', lossSeconds: 21_600 };
  const WORDS = 'fail over sales/orders to dr 0123456789ab';
  /** A plan that waits for its words. */
  const planned = async (change: object = {}) => {
    const plan = await stage.planned({
      target: { kind: 'in-place', cluster: 'dr', bucket: 'sales/orders', created: 'then' },
      failover,
      ...change,
    });
    const { input: _, ...state } = stage.executions.get(PLANNING) as ExecutionState;
    stage.executions.set(PLANNING, {
      ...state,
      input: { ...OF, ...typed, slot: '2026-11-20T12:00:00Z', planOnly: true },
      output: { ...(state.output as object), confirmation: WORDS },
    });
    return plan;
  };
  const ended = (output: unknown, more: Partial<ExecutionState> = {}) =>
    stage.executions.set(PLANNING, {
      status: output ? 'succeeded' : 'failed',
      startedAt: stage.clock.at,
      input: { ...OF, ...typed, slot: '2026-11-20T12:00:00Z' },
      output,
      error: null,
      cause: null,
      ...more,
    });
  it('begins with who is the primary, what would be lost and what the two kinds do', async () => {
    const form = textsOf(await stage.ask('failover', OF));
    for (const said of [
      'prod; it was never failed over',
      nameOf('b'),
      'unplanned: what was written to prod in the last',
      'planned: nothing',
      'prod answers: a last backup is made',
      'prod is lost: it is not asked for anything',
    ])
      expect(form).toContain(said);
  });

  it('is planned first: only that, under the name of the form', async () => {
    const fields = stage.sends(await stage.ask('failover', OF), 'failover-plan');
    await stage.ask('failover-plan', fields, typed);
    await stage.ask('failover-plan', fields, typed);
    expect(stage.started).toEqual([
      {
        workflow: 'failover',
        name: `console-${fields.nonce}`,
        input: { ...OF, ...typed, slot: '2026-11-20T12:00:00Z', planOnly: true },
      },
    ]);
  });

  it.each<readonly [string, object, RegExp]>([
    ['no name', { by: ' ' }, /write your name/],
    ['no reason', { reason: '' }, /write why/],
    ['no kind', { kind: 'whatever' }, /choose one/],
  ])('is not planned with %s, and the form says what to write', async (_sentence, change, said) => {
    const fields = stage.sends(await stage.ask('failover', OF), 'failover-plan');
    const again = await stage.ask('failover-plan', fields, { ...typed, ...change });
    expect(textsOf(again)).toMatch(said);
    expect(stage.started).toEqual([]);
    await stage.ask('failover-plan', stage.sends(again, 'failover-plan'), typed);
    expect(stage.started).toHaveLength(1);
  });

  it('says first what is lost, and is done after its words, once', async () => {
    const plan = await planned();
    const page = await stage.ask('failover-run', { execution: PLANNING });
    expect(textsOf(page)).toMatch(
      /fail over sales\/orders to dr.{0,40}What was written to prod in the last 6 h will not be there\./,
    );
    const fields = stage.sends(page, 'failover-start');
    const wrong = await stage.ask('failover-start', fields, { confirmation: 'fail over' });
    expect(textsOf(wrong)).toContain(`what was typed is not "${WORDS}"`);
    expect(stage.started).toEqual([]);
    const [one, other] = await Promise.all([
      stage.ask('failover-start', fields, { confirmation: ` ${WORDS} ` }),
      stage.ask('failover-start', fields, { confirmation: WORDS }),
    ]);
    expect(stage.started).toEqual([
      {
        workflow: 'failover',
        name: `console-${fields.nonce}`,
        input: { ...OF, ...typed, slot: '2026-11-20T12:00:00Z', plan, confirmation: WORDS },
      },
    ]);
    expect([one, other].filter((it) => it.includes('sent before'))).toHaveLength(1);
  });

  it('is not started by the form of another act, nor from a plan that is too old', async () => {
    await planned();
    const fields = stage.sends(await stage.ask('failover-run', { execution: PLANNING }), 'failover-start');
    const { nonce } = stage.sends(await stage.ask('restore', POINT), 'restore-plan');
    const other = await stage.ask('failover-start', { ...fields, nonce }, { confirmation: WORDS });
    expect(textsOf(other)).toContain('for something else');
    stage.clock.at = epochMs(stage.clock.at + 3_700_000);
    const late = await stage.ask('failover-run', { execution: PLANNING });
    expect(textsOf(late)).toContain('look again before you fail over');
    expect(payloadsOf(late).map((it) => it.page)).not.toContain('failover-start');
    expect(stage.started).toEqual([]);
  });

  it('a planned one says what to stop before it is confirmed', async () => {
    await planned({ failover: { ...failover, kind: 'planned' } });
    expect(textsOf(await stage.ask('failover-run', { execution: PLANNING }))).toMatch(
      /Nothing will be lost\..*Stop what writes to prod now, before you confirm/,
    );
  });

  it('says what has to be repointed when it is done', async () => {
    ended({
      kind: 'failed-over',
      bucket: 'sales/orders',
      failover: 'unplanned',
      from: 'prod',
      to: 'dr',
      epoch: 1,
      point: nameOf('b'),
      lossSeconds: 21_600,
      files: 3,
      bytes: 3000,
      bytesCopied: 1000,
      safetySnapshot: 'restore-safety-20261120t120000z-4',
      opened: { name: 'failover-20261120t120000z-4', id: stage.points[0]?.source.id, created: stage.clock.at },
      seconds: 75,
      level: 'full',
      notes: ['point everything to dr'],
    });
    const text = textsOf(await stage.ask('failover-run', { execution: PLANNING }));
    for (const said of [
      'dr is the primary of sales/orders now',
      'What was written to prod in the 6 h before is not there',
      'ofs://prod/sales/orders',
      'ofs://dr/sales/orders',
      'Nobody may write to prod any more',
      'failover-20261120t120000z-4',
    ])
      expect(text).toContain(said);
  });

  it('that failed says whether the roles are half moved, and how it goes on', async () => {
    ended(undefined, { error: 'ChangedMeanwhile', cause: 'something was written' });
    const before = textsOf(await stage.ask('failover-run', { execution: PLANNING }));
    expect(before).toMatch(/It failed: ChangedMeanwhile\..*people write to prod/);
    await moved(stage, { state: 'moving' });
    const half = await stage.ask('failover-run', { execution: PLANNING });
    expect(textsOf(half)).toContain('The roles are half moved');
    const fields = stage.sends(half, 'failover');
    expect(fields).toEqual({ ...OF, ...typed });
    const form = await stage.ask('failover', fields);
    expect(textsOf(form)).toContain('Started again it goes on, to the same point');
    expect(payloadsOf(form).map((it) => it.page)).toContain('failover-plan');
  });

  it('has no form where there is nothing to do', async () => {
    await moved(stage);
    const page = await stage.ask('failover', OF);
    expect(textsOf(page)).toMatch(/is failed over: dr is the primary/);
    expect(payloadsOf(page).map((it) => it.page)).not.toContain('failover-plan');
    const empty = stageOf();
    const none = await empty.ask('failover', OF);
    expect(textsOf(none)).toContain('no verified point of sales/orders is on dr');
    expect(payloadsOf(none).map((it) => it.page)).toContain('back-up');
  });

  it('while a last backup is made, says that nothing has moved yet', async () => {
    ended(undefined, { status: 'running', input: { ...OF, ...typed, kind: 'planned', slot: '2026-11-20T12:00:00Z' } });
    const page = await stage.ask('failover-run', { execution: PLANNING });
    expect(textsOf(page)).toContain('A last backup is made. The roles have not moved yet.');
  });
});

describe('what a failover took from an ACL', () => {
  const ACL = ['user:ann:rw[ACCESS]', 'world::r[ACCESS]'];
  const done = {
    kind: 'failed-over',
    bucket: 'sales/orders',
    failover: 'planned',
    from: 'prod',
    to: 'dr',
    epoch: 1,
    point: nameOf('b'),
    lossSeconds: 0,
    files: 3,
    bytes: 3000,
    bytesCopied: 0,
    safetySnapshot: null,
    opened: null,
    seconds: 75,
    level: 'full',
    notes: [],
  };
  const said = async (change: object, page = 'failover-run') => {
    stage.executions.set(PLANNING, {
      status: 'succeeded',
      startedAt: stage.clock.at,
      input: { ...OF, kind: 'planned', by: 'Ada', reason: 'moved' },
      output: { ...done, ...change },
      error: null,
      cause: null,
    });
    return textsOf(await stage.ask(page, { execution: PLANNING }));
  };

  it('is on the page of its run, with how it comes back', async () => {
    await moved(stage, { restricted: { cluster: ClusterName.parse('prod'), before: ACL } });
    const text = await said({ restricted: true });
    for (const part of [...ACL, 'was taken from everybody in its ACL', 'The switch of the failback gives it back'])
      expect(text).toContain(part);
    // What the roles say belongs to a later failover.
    expect(await said({ restricted: true, epoch: 3 })).not.toContain(ACL[0]);
  });

  it('is on the page of the way back, and of the switch that gave it back or could not', async () => {
    await moved(stage, { restricted: { cluster: ClusterName.parse('prod'), before: ACL } });
    expect(textsOf(await stage.ask('failback', OF))).toContain(ACL[0]);
    const back = { from: 'dr', to: 'prod', epoch: 2 };
    expect(await said({ ...back, restricted: false }, 'failback-run')).toContain('given back: sales/orders on prod');
    expect(await said({ ...back, restricted: true }, 'failback-run')).toContain('not given back yet');
  });

  it('is not spoken of where nobody asked for it, and where nothing was taken the notes say why', async () => {
    expect(await said({})).not.toContain('Right to write');
    expect(await said({ restricted: false, notes: ['prod was not reachable'] })).toMatch(
      /not taken: the notes say why.*prod was not reachable/,
    );
  });
});

describe('a failback from the dashboard', () => {
  const typed = { kind: 'prepare', by: 'Ada', reason: 'prod is there again' };
  const SLOT = '2026-11-20T12:00:00Z';
  const WORDS = 'fail back sales/orders to prod 0123456789ab';
  const parted = { added: 2, changed: 1, deleted: 0, bytes: 3000, first: ['a/one', 'a/two', 'a/three'] };
  const divergence = {
    source: { ...parted, first: ['b/left'] },
    replica: parted,
    both: { paths: 1, first: ['b/both'] },
  };
  /** A report that waits for its words. */
  const planned = async (change: object = {}) => {
    const { hash, text } = asText(FailbackPlan, {
      schema: 1,
      kind: 'failback',
      roleOf: stage.pair,
      epoch: 1,
      ...OF,
      from: 'dr',
      to: 'prod',
      madeAt: stage.clock.at,
      expires: stage.clock.at + 3_600_000,
      common: nameOf('b'),
      divergence,
      ...change,
    });
    await stage.plans.put(hash, text);
    stage.executions.set(PLANNING, {
      status: 'succeeded',
      startedAt: stage.clock.at,
      input: { ...OF, ...typed, slot: SLOT, planOnly: true },
      output: {
        kind: 'restore-planned',
        plan: hash,
        confirmation: WORDS,
        expires: stage.clock.at + 3_600_000,
        summary: '',
      },
      error: null,
      cause: null,
    });
    return hash;
  };
  const prepared = {
    by: RunId.parse('prod/sales/orders#dr#failback.nightly#20261120t110000z'),
    at: epochMs(0),
    isRebuilt: false,
  };
  const kindsOf = (markup: string) => [...markup.matchAll(/<option value="([a-z]+)"/g)].map(([, kind]) => kind);

  it('begins with who is the primary and how far the way back is; there is no switch before a preparation', async () => {
    await moved(stage);
    const page = await stage.ask('failback', OF);
    expect(textsOf(page)).toMatch(/dr since .*\(epoch 1\).*not yet: what was written to prod is not kept apart/);
    expect(kindsOf(page)).toEqual(['prepare']);
    await moved(stage, { prepared });
    const after = await stage.ask('failback', OF);
    expect(textsOf(after)).toContain('nothing of dr is on prod since they parted');
    expect(kindsOf(after)).toEqual(['prepare', 'switch']);
  });

  it('is offered by the page of a failover, and has no form where there is nothing to do', async () => {
    const none = await stage.ask('failback', OF);
    expect(textsOf(none)).toContain('prod is the primary of sales/orders: there is nothing to fail back');
    await moved(stage, { state: 'moving' });
    const half = await stage.ask('failback', OF);
    expect(stage.sends(half, 'failover')).toEqual(OF);
    for (const page of [none, half]) expect(payloadsOf(page).map((it) => it.page)).not.toContain('failback-plan');
    const other = stageOf();
    await other.fill();
    await moved(other);
    expect(other.sends(await other.ask('failover', OF), 'failback')).toEqual(OF);
  });

  it('a switch that began and did not end is gone on with', async () => {
    await moved(stage, { primary: 'source', state: 'moving', epoch: 2, opened: null });
    const page = await stage.ask('failback', OF);
    expect(textsOf(page)).toContain('A switch began and did not end');
    expect(kindsOf(page)).toEqual(['switch']);
  });

  it('is planned first: only that, once, under the name of the form', async () => {
    await moved(stage);
    const fields = stage.sends(await stage.ask('failback', OF), 'failback-plan');
    await stage.ask('failback-plan', fields, typed);
    await stage.ask('failback-plan', fields, typed);
    expect(stage.started).toEqual([
      {
        workflow: 'failback',
        name: `console-${fields.nonce}`,
        input: { ...OF, ...typed, slot: SLOT, planOnly: true },
      },
    ]);
  });

  it.each<readonly [string, object, RegExp]>([
    ['no name', { by: ' ' }, /write your name/],
    ['no reason', { reason: '' }, /write why/],
    ['no step', { kind: 'unplanned' }, /choose one/],
  ])('is not planned with %s, and the form says what to write', async (_sentence, change, said) => {
    await moved(stage);
    const fields = stage.sends(await stage.ask('failback', OF), 'failback-plan');
    const again = await stage.ask('failback-plan', fields, { ...typed, ...change });
    expect(textsOf(again)).toMatch(said);
    expect(stage.started).toEqual([]);
  });

  it('says what both sides changed, and is done after its words, once', async () => {
    const plan = await planned();
    const page = await stage.ask('failback-run', { execution: PLANNING });
    expect(textsOf(page)).toMatch(
      /prod becomes what dr is\..*3 files that were written to prod.*2 files added, 1 changed, 0 deleted, 3\.0 kB.*a\/two.*b\/left.*1 file: what dr has counts.*b\/both.*sales\/orders-orphans-20261120t120000z/,
    );
    const fields = stage.sends(page, 'failback-start');
    const wrong = await stage.ask('failback-start', fields, { confirmation: 'fail back' });
    expect(textsOf(wrong)).toContain(`what was typed is not "${WORDS}"`);
    expect(stage.started).toEqual([]);
    const [one, other] = await Promise.all([
      stage.ask('failback-start', fields, { confirmation: WORDS }),
      stage.ask('failback-start', fields, { confirmation: WORDS }),
    ]);
    expect(stage.started).toEqual([
      {
        workflow: 'failback',
        name: `console-${fields.nonce}`,
        input: { ...OF, ...typed, slot: SLOT, plan, confirmation: WORDS },
      },
    ]);
    expect([one, other].filter((it) => it.includes('sent before'))).toHaveLength(1);
  });

  it('says when nothing is left of what both had in common', async () => {
    await planned({ divergence: null });
    expect(textsOf(await stage.ask('failback-run', { execution: PLANNING }))).toMatch(
      /prod has nothing any more of what both sides had in common.*ALL of sales\/orders is copied/,
    );
  });

  it('that is prepared says where what was written is, and leads to the switch', async () => {
    await planned();
    const state = stage.executions.get(PLANNING) as ExecutionState;
    const output = {
      kind: 'failback-prepared',
      bucket: 'sales/orders',
      from: 'dr',
      to: 'prod',
      orphans: { bucket: 'sales/orders-orphans-1', files: 3, bytes: 3000 },
      point: nameOf('b'),
      rounds: 2,
      bytesCopied: 10,
      notes: ['start it when people can stop writing'],
    };
    stage.executions.set(PLANNING, { ...state, output });
    const page = await stage.ask('failback-run', { execution: PLANNING });
    expect(textsOf(page)).toMatch(
      /prod is ready to be the primary.*ofs:\/\/prod\/sales\/orders-orphans-1.*in 2 backups/,
    );
    expect(stage.sends(page, 'failback')).toEqual({ ...OF, kind: 'switch', by: 'Ada', reason: 'prod is there again' });
    stage.executions.set(PLANNING, { ...state, output: { ...output, orphans: null } });
    expect(textsOf(await stage.ask('failback-run', { execution: PLANNING }))).toContain('nothing had to be');
  });

  it('that failed says where the roles are, and how it goes on', async () => {
    await moved(stage);
    await planned();
    const state = stage.executions.get(PLANNING) as ExecutionState;
    stage.executions.set(PLANNING, { ...state, status: 'failed', output: undefined, error: 'ChangedMeanwhile' });
    const page = await stage.ask('failback-run', { execution: PLANNING });
    expect(textsOf(page)).toMatch(/It failed: ChangedMeanwhile\..*people write to dr/);
    expect(stage.sends(page, 'failback')).toEqual({ ...OF, ...typed });
  });
});

describe('a failover of several buckets from the dashboard', () => {
  const typed = { kind: 'unplanned', buckets: 'sales/orders', by: 'Ada', reason: 'prod is lost' };
  const POLICY = { policy: 'nightly' };
  const stored = async (groups: z.input<typeof FailoverFleetPlan>['groups']) => {
    const { hash, text } = asText(FailoverFleetPlan, {
      schema: 1,
      kind: 'failover-fleet',
      ...POLICY,
      failover: 'unplanned',
      from: 'prod',
      to: 'dr',
      madeAt: stage.clock.at,
      expires: stage.clock.at + 3_600_000,
      groups,
    });
    await stage.plans.put(hash, text);
    return hash;
  };
  const planned = async (blocker: string | null = null, resumes = false) => {
    const hash = await stored([
      [{ bucket: 'sales/orders', point: nameOf('b'), lossSeconds: 21_600, seconds: 60, blocker, resumes }],
    ]);
    stage.executions.set(PLANNING, {
      status: 'succeeded',
      startedAt: stage.clock.at,
      input: { ...POLICY, ...typed, buckets: [['sales/orders']] },
      output: {
        kind: 'planned',
        plan: hash,
        confirmation: blocker === null ? 'fail over 1 buckets' : null,
        expires: stage.clock.at + 3_600_000,
        summary: '',
        groups: [],
      },
      error: null,
      cause: null,
    });
    return hash;
  };

  it('begins with how ready each bucket is', async () => {
    expect(stage.sends(await stage.ask('failover-fleet'), 'failover-fleet')).toEqual(POLICY);
    const page = await stage.ask('failover-fleet', POLICY);
    expect(textsOf(page)).toMatch(/1 of 1 bucket could be failed over to dr now\..*sales\/orders.*prod.*yes/);
    expect(payloadsOf(page)).toContainEqual({ page: 'failover', ...OF });
    await moved(stage);
    const after = await stage.ask('failover-fleet', POLICY);
    expect(textsOf(after)).toMatch(/0 of 1 bucket .*; 1 there already/);
    expect(payloadsOf(after)).toContainEqual({ page: 'failback', ...OF });
  });

  it.each<readonly [string, object]>([
    ['', {}],
    ['sales/orders', { buckets: [['sales/orders']] }],
    ['vol/one, vol/two\r\n\r\n vol/six ', { buckets: [['vol/one', 'vol/two'], ['vol/six']] }],
  ])('is planned in the order of the lines "%s"', async (buckets, given) => {
    const fields = stage.sends(await stage.ask('failover-fleet', POLICY), 'failover-fleet-plan');
    await stage.ask('failover-fleet-plan', fields, { ...typed, buckets });
    const { kind, by, reason } = typed;
    expect(stage.started).toEqual([
      { workflow: 'failover-fleet', name: `console-${fields.nonce}`, input: { ...POLICY, kind, by, reason, ...given } },
    ]);
  });

  it.each<readonly [string, RegExp]>([
    ['orders', /write volume\/bucket/],
    ['vol/one vol/one', /name each bucket once/],
  ])('is not planned for "%s"', async (buckets, said) => {
    const fields = stage.sends(await stage.ask('failover-fleet', POLICY), 'failover-fleet-plan');
    const again = await stage.ask('failover-fleet-plan', fields, { ...typed, buckets });
    expect(textsOf(again)).toMatch(said);
    expect(again).toContain(buckets);
    expect(stage.started).toEqual([]);
  });

  it('says what would be lost of each, and is done after its words, once', async () => {
    const plan = await planned();
    const page = await stage.ask('failover-fleet-run', { execution: PLANNING });
    expect(textsOf(page)).toMatch(/sales\/orders.*the last 6 h/);
    const fields = stage.sends(page, 'failover-fleet-start');
    await stage.ask('failover-fleet-start', fields, { confirmation: 'fail over' });
    expect(stage.started).toEqual([]);
    for (const _ of 'ab') await stage.ask('failover-fleet-start', fields, { confirmation: 'fail over 1 buckets' });
    expect(stage.started).toMatchObject([
      { workflow: 'failover-fleet', input: { ...POLICY, plan, confirmation: 'fail over 1 buckets' } },
    ]);
  });

  it('with a bucket that cannot be failed over says why, and has nothing to start', async () => {
    await planned('no verified point is on dr');
    const page = await stage.ask('failover-fleet-run', { execution: PLANNING });
    expect(textsOf(page)).toMatch(/cannot be done as planned.*It cannot be done now:.*no verified point is on dr/);
    expect(payloadsOf(page).map((it) => it.page)).not.toContain('failover-fleet-start');
  });

  const FLEET = 'arn:aws:states:eu-central-1:111122223333:execution:ozone-dr-failover-fleet:console-1';
  const FAILOVER = 'arn:aws:states:eu-central-1:111122223333:execution:ozone-dr-failover:';
  /** A fleet that was confirmed for two buckets, one after the other, and how the failovers of both are. */
  const begun = async (
    fleet: Partial<ExecutionState> = {},
    failovers: readonly (Partial<ExecutionState> | undefined)[] = [],
  ) => {
    const bucket = { point: nameOf('b'), lossSeconds: 60, seconds: 60, blocker: null };
    const hash = await stored([[{ ...bucket, bucket: 'sales/orders' }], [{ ...bucket, bucket: 'sales/parts' }]]);
    const state: ExecutionState = {
      status: 'running',
      startedAt: stage.clock.at,
      input: { ...POLICY, ...typed, buckets: [['sales/orders'], ['sales/parts']], plan: hash, confirmation: 'x' },
      output: undefined,
      error: null,
      cause: null,
    };
    stage.executions.set(FLEET, { ...state, ...fleet });
    const names = ['sales/orders', 'sales/parts'].map(
      (it) => FAILOVER + failoverOf(hash, BucketRef.parse(it), stage.clock.at),
    );
    for (const [n, name] of names.entries()) {
      const failover = failovers[n];
      if (failover) stage.executions.set(name, { ...state, ...failover });
    }
    return names;
  };

  it('says how far each bucket is, and leads to the failover of each', async () => {
    const [first] = await begun({}, [{}]);
    const page = await stage.ask('failover-fleet-run', { execution: FLEET });
    expect(textsOf(page)).toMatch(
      /Failed over: 0 of 2 buckets, 1 at work, 1 not\..*sales\/orders.*At work: people write to prod.*sales\/parts.*Waits for its turn/,
    );
    expect(payloadsOf(page).filter((it) => it.page === 'failover-run')).toEqual([
      { page: 'failover-run', execution: first },
    ]);
    expect(stage.sends(page, 'cancel')).toEqual({ execution: FLEET });
    await moved(stage, { state: 'moving' });
    const later = textsOf(await stage.ask('failover-fleet-run', { execution: FLEET }));
    expect(later).toMatch(/sales\/orders.*At work, and its roles are on their way/);
  });

  it('is cancelled with the failovers that it has begun, and the fleet before them', async () => {
    const [first] = await begun({}, [{}]);
    const form = await stage.ask('cancel', { execution: FLEET });
    expect(textsOf(form)).toMatch(/the failovers that are at work are cancelled with it.*sales\/orders.*At work/);
    const fields = stage.sends(form, 'cancel-now');
    await stage.ask('cancel-now', fields, { by: 'Ada', reason: 'a mistake', words: 'no' });
    expect(stage.stopped).toEqual([]);
    const who = { by: 'Ada', reason: 'a mistake', words: 'cancel' };
    for (const _ of 'ab') await stage.ask('cancel-now', fields, who);
    expect(stage.stopped).toEqual([FLEET, first].map((it) => `${it} cancelled by Ada: a mistake`));
  });

  it('is cancelled without those that were not begun, are over, or have only to write down that they are done', async () => {
    await moved(stage);
    await begun({}, [{}, { status: 'failed' }]);
    const fields = stage.sends(await stage.ask('cancel', { execution: FLEET }), 'cancel-now');
    await stage.ask('cancel-now', fields, { by: 'Ada', reason: 'a mistake', words: 'cancel' });
    expect(stage.stopped).toEqual([`${FLEET} cancelled by Ada: a mistake`]);
  });

  it('that is cancelled but for one of its failovers says which, and why', async () => {
    const [first = '', second] = await begun({}, [{}, {}]);
    stage.unstoppable.add(first);
    const fields = stage.sends(await stage.ask('cancel', { execution: FLEET }), 'cancel-now');
    const page = await stage.ask('cancel-now', fields, { by: 'Ada', reason: 'a mistake', words: 'cancel' });
    expect(textsOf(page)).toContain('The failover of sales/orders could not be cancelled: Rate exceeded');
    expect(stage.stopped).toEqual([FLEET, second].map((it) => `${it} cancelled by Ada: a mistake`));
    await begun({ status: 'cancelled' }, [{}]);
    const later = await stage.ask('failover-fleet-run', { execution: FLEET });
    expect(textsOf(later)).toContain('At work: people write to prod; its own page cancels it');
  });

  it('is cancelled also when its plan is not there any more', async () => {
    await begun({ input: { ...POLICY, ...typed, plan: '0'.repeat(64) } }, [{}]);
    const fields = stage.sends(await stage.ask('cancel', { execution: FLEET }), 'cancel-now');
    await stage.ask('cancel-now', fields, { by: 'Ada', reason: 'a mistake', words: 'cancel' });
    expect(stage.stopped).toEqual([`${FLEET} cancelled by Ada: a mistake`]);
  });

  it('that was cancelled says what has moved and what has not, and its form has what is left', async () => {
    await moved(stage, { state: 'moving' });
    await begun({ status: 'cancelled' }, [{ status: 'cancelled' }]);
    for (const name of ['failover-fleet-run', 'cancel']) {
      const page = await stage.ask(name, { execution: FLEET });
      expect(textsOf(page)).toMatch(
        /It was cancelled\..*Failed over: 0 of 2 buckets,.*1 half moved, 1 not\..*sales\/orders.*Half moved:.*sales\/parts.*Not begun: people write to prod as before/,
      );
      expect(stage.sends(page, 'failover-fleet')).toMatchObject({ buckets: 'sales/orders\nsales/parts' });
      expect(payloadsOf(page).map((it) => it.page)).not.toContain('cancel-now');
    }
    await moved(stage);
    const page = await stage.ask('failover-fleet-run', { execution: FLEET });
    expect(textsOf(page)).toContain('dr is its primary, epoch 1');
    expect(stage.sends(page, 'failover-fleet')).toMatchObject({ buckets: 'sales/parts' });
  });

  it('that failed says why, and what it did not move', async () => {
    const failed = { status: 'failed', error: 'PointGone' } as const;
    await begun({ status: 'failed', error: 'BucketsFailed', cause: '1 of 1 buckets' }, [failed]);
    const page = await stage.ask('failover-fleet-run', { execution: FLEET });
    expect(textsOf(page)).toMatch(
      /It failed: BucketsFailed\. 1 of 1 buckets.*Failed: PointGone, before its roles moved.*Not begun/,
    );
  });

  it('that is done says where each bucket is by now', async () => {
    const output = { kind: 'done', buckets: ['sales/orders', 'sales/parts'] };
    await moved(stage);
    await begun({ status: 'succeeded', output }, [undefined, { status: 'succeeded' }]);
    const text = textsOf(await stage.ask('failover-fleet-run', { execution: FLEET }));
    expect(text).toMatch(/2 buckets failed over\..*dr is its primary.*its roles were moved again since/);
    // The first one was there before: this fleet did nothing about it.
    expect(text).not.toContain('The failover of sales/orders');
    expect(text).toContain('The failover of sales/parts');
    await begun({ status: 'succeeded', output, input: { ...POLICY, ...typed } });
    expect(textsOf(await stage.ask('failover-fleet-run', { execution: FLEET }))).toContain('sales/parts');
  });

  it('that was started by hand, with buckets without brackets, is gone on with here too', async () => {
    await begun();
    const { input, ...state } = stage.executions.get(FLEET) as ExecutionState;
    const byHand = { ...(input as object), buckets: ['sales/orders', ['sales/parts']] };
    stage.executions.set(FLEET, { ...state, status: 'cancelled', input: byHand });
    const page = await stage.ask('failover-fleet-run', { execution: FLEET });
    expect(stage.sends(page, 'failover-fleet')).toMatchObject({ buckets: 'sales/orders\nsales/parts' });
    stage.executions.set(FLEET, { ...state, status: 'failed', input: { ...byHand, plan: undefined } });
    const unplanned = await stage.ask('failover-fleet-run', { execution: FLEET });
    expect(stage.sends(unplanned, 'failover-fleet')).toMatchObject({ buckets: 'sales/orders\nsales/parts' });
  });

  it('that failed before it had anything to do has its form again', async () => {
    await planned();
    const state = stage.executions.get(PLANNING) as ExecutionState;
    stage.executions.set(PLANNING, { ...state, status: 'failed', output: undefined, error: 'PolicyInvalid' });
    const page = await stage.ask('failover-fleet-run', { execution: PLANNING });
    expect(textsOf(page)).toMatch(/It failed: PolicyInvalid\..*Nothing was begun\./);
    expect(stage.sends(page, 'failover-fleet')).toEqual({ ...POLICY, ...typed });
  });

  it('says of a bucket that is half moved that it goes on', async () => {
    await planned(null, true);
    const page = await stage.ask('failover-fleet-run', { execution: PLANNING });
    expect(textsOf(page)).toMatch(/sales\/orders.*Is half moved:.*it goes on, to the point where it began/);
    expect(payloadsOf(page).map((it) => it.page)).toContain('failover-fleet-start');
  });
});

describe('a decision from the dashboard', () => {
  const who = { by: 'Ada', reason: 'audit' };
  it.each<readonly [string, object, object, string]>([
    ['pin', POINT, {}, `pin sales/orders ${nameOf('a')}`],
    ['hold', POINT, { until: '2033-01-01T00:00:00Z' }, `hold sales/orders ${nameOf('a')} until 2033-01-01T00:00:00Z`],
    ['hold', POINT, {}, `hold sales/orders ${nameOf('a')} without end`],
    [
      'unpin',
      POINT,
      { of: 'Bob', words: `unpin sales/orders ${nameOf('a')}` },
      `unpin sales/orders ${nameOf('a')} of Bob`,
    ],
    ['release', POINT, { words: `release sales/orders ${nameOf('a')}` }, `release sales/orders ${nameOf('a')}`],
    ['accept', POINT, { words: `accept sales/orders ${nameOf('a')}` }, `accept sales/orders ${nameOf('a')}`],
    ['reject', POINT, { words: `reject sales/orders ${nameOf('a')}` }, `reject sales/orders ${nameOf('a')}`],
    ['pause', { policy: 'nightly' }, { words: 'pause nightly' }, 'pause nightly'],
    ['resume', { policy: 'nightly' }, { words: 'resume nightly' }, 'resume nightly'],
  ])('%s is recorded in the words of the machine', async (act, of, typed, words) => {
    const fields = stage.sends(await stage.ask('decide', { act, ...of }), 'decide-now');
    const done = await stage.ask('decide-now', fields, { ...who, ...typed });
    expect(textsOf(done)).toContain('It is recorded. as decided.');
    const { point: _, ...about } = of as { readonly point?: string };
    expect(stage.started).toEqual([
      { workflow: 'decision', name: `console-${fields.nonce}`, input: { ...about, decision: words, ...who } },
    ]);
    expect(textsOf(await stage.ask('decide-now', fields, { ...who, ...typed }))).toContain('sent before');
    expect(stage.started).toHaveLength(1);
  });

  it.each(['unpin', 'release', 'accept', 'reject', 'pause', 'resume'])('%s needs its words typed', async (act) => {
    const of = act === 'pause' || act === 'resume' ? { policy: 'nightly' } : POINT;
    const fields = stage.sends(await stage.ask('decide', { act, ...of }), 'decide-now');
    for (const words of ['', 'yes', act]) {
      const page = await stage.ask('decide-now', fields, { ...who, words });
      expect(textsOf(page)).toContain('Nothing was decided');
    }
    expect(stage.started).toEqual([]);
  });

  it('that is refused by the machine says why, and keeps what was typed', async () => {
    const fields = stage.sends(await stage.ask('decide', { act: 'pin', ...POINT }), 'decide-now');
    stage.executions.set(`arn:execution:console-${fields.nonce}`, {
      status: 'failed',
      startedAt: stage.clock.at,
      input: {},
      output: undefined,
      error: 'NotConfirmed',
      cause: 'it is being deleted',
    });
    const page = await stage.ask('decide-now', fields, who);
    expect(textsOf(page)).toContain('Not recorded: it is being deleted');
    expect(textsOf(page)).toContain('audit');
  });
});

describe('what runs', () => {
  it('a bucket is backed up now, once', async () => {
    const fields = stage.sends(await stage.ask('back-up', OF), 'back-up-now');
    await stage.ask('back-up-now', fields);
    await stage.ask('back-up-now', fields);
    expect(stage.started).toEqual([{ workflow: 'backup', name: `console-${fields.nonce}`, input: OF }]);
  });

  it('a restore is cancelled by its word, with who and why', async () => {
    await stage.planned();
    stage.executions.set(PLANNING, { ...(stage.executions.get(PLANNING) as ExecutionState), status: 'running' });
    const fields = stage.sends(await stage.ask('cancel', { execution: PLANNING }), 'cancel-now');
    await stage.ask('cancel-now', fields, { by: 'Ada', reason: 'wrong one', words: 'no' });
    expect(stage.stopped).toEqual([]);
    await stage.ask('cancel-now', fields, { by: 'Ada', reason: 'wrong one', words: 'cancel' });
    expect(stage.stopped).toEqual([`${PLANNING} cancelled by Ada: wrong one`]);
  });
});

describe('whatever is typed or stored stays text', () => {
  const fieldNames = ['policy', 'bucket', 'point', 'execution', 'act', 'nonce'] as const;
  const formNames = [
    'paths',
    'point',
    'where',
    'overwrite',
    'by',
    'reason',
    'cluster',
    'to',
    'read',
    'kind',
    'words',
    'until',
    'of',
    'confirmation',
    'bucket',
    'buckets',
    'policy',
  ] as const;
  const all = (names: readonly string[], value: string) => Object.fromEntries(names.map((name) => [name, value]));
  const pages = [
    'restore',
    'restore-plan',
    'restore-start',
    'restore-run',
    'failover',
    'failover-plan',
    'failover-start',
    'failover-run',
    'failback',
    'failback-plan',
    'failback-start',
    'failback-run',
    'failover-fleet',
    'failover-fleet-plan',
    'failover-fleet-start',
    'failover-fleet-run',
    'pin',
    'approvals',
    'pause',
    'decide',
    'decide-now',
    'back-up',
    'back-up-now',
    'back-up-run',
    'cancel',
    'cancel-now',
    'none',
  ];

  /** Every page, with a value in every place: in what a button gives, in what is typed, and in what is stored. */
  const everything = async (value: string): Promise<readonly string[]> => {
    const world = stageOf();
    await world.fill();
    const [point] = await world.ledger.livingPoints(world.pair);
    if (point)
      await world.ledger.changePoint(world.pair, point, {
        pins: [{ by: value, reason: value, at: world.clock.at }],
        holds: [{ by: value, reason: value, at: world.clock.at, until: null }],
      });
    const state = await world.ledger.loadPolicyState('nightly' as never);
    await world.ledger.putPolicyState({ ...state, paused: { by: value, reason: value, at: world.clock.at } });
    await world.planned({ scope: value, why: value, basis: value, first: [value], obstacles: [] });
    // Some of the values are paths and some are not: here none is.
    const typed = { ...all(formNames, value), paths: `../${value}`, read: 'names', by: value.slice(0, 99) };
    const failed = {
      ...(world.executions.get(PLANNING) as ExecutionState),
      status: 'failed' as const,
      output: undefined,
      error: value,
      cause: value,
    };
    const markups = [
      ...(await Promise.all(pages.map((page) => world.ask(page, all(fieldNames, value), typed)))),
      await world.ask('restore-plan', { ...OF, nonce: value }, typed),
      await world.ask('restore-run', { execution: PLANNING }),
      await world.ask('restore-start', { execution: PLANNING, nonce: value }, typed),
      await world.ask('failover', { ...OF, kind: value, by: value, reason: value }),
      await world.ask(
        'failover-plan',
        { ...OF, nonce: value },
        { kind: 'planned', by: value.slice(0, 99), reason: value },
      ),
      await world.ask('failover-run', { execution: PLANNING }),
      await world.ask('failover-start', { execution: PLANNING, nonce: value }, typed),
      await world.ask('pin', { ...OF, point: point?.name ?? '' }),
      await world.ask('decide', { ...POINT, act: 'hold' }),
      await world.ask('decide-now', { ...POINT, act: 'hold', nonce: value }, typed),
      await world.ask('decide-now', { policy: 'nightly', act: 'pause', nonce: value }, typed),
      await world.ask('pause'),
      await world.ask('back-up', OF),
    ];
    world.executions.set(PLANNING, failed);
    return [
      ...markups,
      await world.ask('restore-run', { execution: PLANNING }),
      await world.ask('failover-run', { execution: PLANNING }),
      await world.ask('back-up-run', { execution: PLANNING }),
    ];
  };

  /** The pages of a bucket that is failed over: what its clusters say, in reports, results and ACLs. */
  const afterMove = async (value: string): Promise<readonly string[]> => {
    const world = stageOf();
    await world.fill();
    await moved(world, { restricted: { cluster: ClusterName.parse('prod'), before: [value.slice(0, 200)] } });
    const parted = { added: 1, changed: 1, deleted: 1, bytes: 1, first: [value] };
    const { hash, text } = asText(FailbackPlan, {
      schema: 1,
      kind: 'failback',
      roleOf: world.pair,
      epoch: 1,
      ...OF,
      from: 'dr',
      to: 'prod',
      madeAt: world.clock.at,
      expires: world.clock.at + 3_600_000,
      common: nameOf('b'),
      divergence: { source: parted, replica: parted, both: { paths: 1, first: [value] } },
    });
    await world.plans.put(hash, text);
    const fleet = asText(FailoverFleetPlan, {
      schema: 1,
      kind: 'failover-fleet',
      policy: 'nightly',
      failover: 'unplanned',
      from: 'prod',
      to: 'dr',
      madeAt: world.clock.at,
      expires: world.clock.at + 3_600_000,
      groups: [[{ bucket: 'sales/orders', point: null, lossSeconds: null, seconds: null, blocker: value }]],
    });
    await world.plans.put(fleet.hash, fleet.text);
    const ended = (execution: string, output: unknown, kind: string) =>
      world.executions.set(execution, {
        status: output === undefined ? 'failed' : 'succeeded',
        startedAt: world.clock.at,
        input: { ...OF, kind, by: value, reason: value },
        output,
        error: value,
        cause: value,
      });
    const plan = { confirmation: value, expires: world.clock.at + 3_600_000, summary: value };
    ended('report', { kind: 'restore-planned', plan: hash, ...plan }, 'prepare');
    ended('fleet', { kind: 'planned', plan: fleet.hash, ...plan }, 'planned');
    ended('done', { kind: 'done', buckets: [value] }, 'planned');
    ended('failed', undefined, 'switch');
    const machines = 'arn:aws:states:eu-central-1:111122223333:execution:ozone-dr-failover';
    const request = { policy: 'nightly', kind: 'planned', by: value, reason: value, plan: fleet.hash };
    const stopped = { startedAt: world.clock.at, output: undefined, error: value, cause: value };
    world.executions.set(`${machines}-fleet:stopped`, { ...stopped, status: 'cancelled', input: request });
    world.executions.set(`${machines}-fleet:begun`, { ...stopped, status: 'running', input: request });
    const failover = failoverOf(fleet.hash, BucketRef.parse('sales/orders'), world.clock.at);
    world.executions.set(`${machines}:${failover}`, { ...stopped, status: 'failed', input: {} });
    const failedOver = { bucket: 'sales/orders', epoch: 1, point: nameOf('b'), files: 1, bytes: 1, bytesCopied: 1 };
    const more = { lossSeconds: 0, safetySnapshot: null, opened: null, restricted: true, seconds: 1, level: 'full' };
    const ofRoles = { ...failedOver, ...more, failover: 'planned', notes: [value], kind: 'failed-over' };
    ended('moved', { ...ofRoles, from: 'prod', to: 'dr' }, 'planned');
    ended(
      'prepared',
      {
        kind: 'failback-prepared',
        bucket: 'sales/orders',
        from: 'dr',
        to: 'prod',
        orphans: null,
        point: nameOf('b'),
        rounds: 1,
        bytesCopied: 1,
        notes: [value],
      },
      'prepare',
    );
    const markups: string[] = [];
    for (const [page, execution] of [
      ['failback-run', 'report'],
      ['failback-start', 'report'],
      ['failback-run', 'prepared'],
      ['failback-run', 'failed'],
      ['failover-run', 'moved'],
      ['failover-fleet-run', 'fleet'],
      ['failover-fleet-start', 'fleet'],
      ['failover-fleet-run', 'done'],
      ['failover-fleet-run', 'failed'],
      ['failover-fleet-run', `${machines}-fleet:stopped`],
      ['failover-fleet-run', `${machines}-fleet:begun`],
      ['cancel', `${machines}-fleet:begun`],
      ['cancel-now', `${machines}-fleet:begun`],
    ] as const)
      markups.push(await world.ask(page, { execution, nonce: value }, { confirmation: value }));
    return [
      ...markups,
      await world.ask('failback', { ...OF, kind: value, by: value, reason: value }),
      await world.ask(
        'failback-plan',
        { ...OF, nonce: value },
        { kind: 'prepare', by: value.slice(0, 99), reason: value },
      ),
      await world.ask('failover-fleet', { policy: 'nightly', kind: value, buckets: value, by: value, reason: value }),
      await world.ask(
        'failover-fleet-plan',
        { policy: 'nightly', nonce: value },
        { kind: 'planned', buckets: `no bucket ${value}`, by: value.slice(0, 99), reason: value },
      ),
    ];
  };

  it.each([
    ['in every page, in every place', everything],
    ['in every page of roles that move, in every place', afterMove],
  ] as const)(
    '%s',
    async (_sentence, pagesWith) => {
      const plain = (await pagesWith('Plain text')).map((it) => seen(it).skeleton);
      for (const injection of INJECTIONS) {
        const markups = (await pagesWith(injection)).map(seen);
        expect(markups.map(({ skeleton }) => skeleton)).toEqual(plain);
        for (const { endpoints } of markups)
          expect(endpoints.every((it) => it === ENDPOINTS.view || it === ENDPOINTS.act)).toBe(true);
      }
    },
    300_000,
  );
});
