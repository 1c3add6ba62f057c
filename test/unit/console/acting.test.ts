import { beforeEach, describe, expect, it } from 'vitest';
import { actWidget } from '../../../functions/console/act-widget.ts';
import { links } from '../../../functions/console/endpoints.ts';
import { answerWidget } from '../../../functions/console/router.ts';
import { RunId } from '../../../functions/core/domain/names.ts';
import { RestorePlan } from '../../../functions/core/domain/restore.ts';
import { epochMs } from '../../../functions/core/domain/units.ts';
import type { ExecutionState, StartedByHand } from '../../../functions/core/ports.ts';
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
  return { ledger, pair: run.pair, points, started, stopped, executions, clock, ask, sends, planned, fill };
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
  const role = async (state: 'moving' | 'settled') => {
    const by = RunId.parse(`${stage.pair}#failover.nightly#20261120t110000z`);
    const seen = await stage.ledger.loadPair(stage.pair);
    const lease = await stage.ledger.takeLease(seen, { runId: by, execution: PLANNING }, stage.clock.at);
    await stage.ledger.releaseLease(stage.pair, lease?.token ?? 0);
    const isMoved = await stage.ledger.moveRole(stage.pair, null, {
      primary: 'replica',
      epoch: 1,
      state,
      point: nameOf('b'),
      since: stage.clock.at,
      by,
      opened: null,
      prepared: null,
      restricted: null,
    });
    expect(isMoved).toBe(true);
  };

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
    await role('moving');
    const half = await stage.ask('failover-run', { execution: PLANNING });
    expect(textsOf(half)).toContain('The roles are half moved');
    const fields = stage.sends(half, 'failover');
    expect(fields).toEqual({ ...OF, ...typed });
    const form = await stage.ask('failover', fields);
    expect(textsOf(form)).toContain('Started again it goes on, to the same point');
    expect(payloadsOf(form).map((it) => it.page)).toContain('failover-plan');
  });

  it('has no form where there is nothing to do', async () => {
    await role('settled');
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

  it('in every page, in every place', async () => {
    const plain = (await everything('Plain text')).map((it) => seen(it).skeleton);
    for (const injection of INJECTIONS) {
      const markups = (await everything(injection)).map(seen);
      expect(markups.map(({ skeleton }) => skeleton)).toEqual(plain);
      for (const { endpoints } of markups)
        expect(endpoints.every((it) => it === ENDPOINTS.view || it === ENDPOINTS.act)).toBe(true);
    }
  }, 60_000);
});
