import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, it } from 'vitest';
import { EdgeHost } from '../../edge-host/edge-host.ts';
import { scenarios } from './scenarios.ts';
import { type Answer, inProcessStage, scriptStage } from './stage.ts';

/** What an answer says, in a few words; `data` by verb. */
const summaryOf = ({ verb, outcome, code, data }: Answer): string => {
  const words = [verb, outcome, code].filter((word) => word !== '').join(' ');
  if (data?.copy !== undefined) {
    const { mode, exit, filesCopied } = data.copy ?? {};
    if (verb === 'restore' && outcome === 'ok') return `${words} | copied ${filesCopied}`;
    return outcome === 'ok' ? `${words} | ${mode} ${exit} copied ${filesCopied}` : `${words} | exit ${exit}`;
  }
  if (outcome !== 'ok') return words;
  switch (verb) {
    case 'survey':
      return `${words} | ${data.source.state} ${data.replica?.state ?? null}`;
    case 'batch':
      return `${words} | ${data.replies.map((it: Answer) => summaryOf(it)).join('; ')}`;
    case 'seal-unchanged':
      return `${words} | ${data.unchanged ? 'unchanged' : 'changed'}`;
    case 'snapshot':
      return `${words} | ${data.created ? 'created' : 'there'} ${data.diff}`;
    case 'diff':
      return `${words} | ${data.status} ${data.empty}`;
    case 'create-bucket':
      return `${words} | ${data.created ? 'created' : 'there'}`;
    case 'probe':
      return `${words} | ${data.state} ${data.reply?.outcome ?? ''} ${data.reply?.code ?? ''}`;
    case 'examine': {
      const { state, absent, sameLength, otherLength, extra } = data.target;
      const counts = state === 'read' ? [absent.files, sameLength, otherLength, extra.files].join(' ') : '';
      return `${words} | ${state} ${counts}`.trimEnd();
    }
    case 'divergence': {
      const [source, replica] = [data.source, data.replica].map((it) => [it.added, it.changed, it.deleted].join(' '));
      return `${words} | ${source}, ${replica}, both ${data.both.paths}`;
    }
    case 'restrict':
      return words;
    case 'remove-scratch':
      return `${words} | ${data.removed}`;
    case 'doctor':
      return `${words} | ${[data.source, data.replica].map((it) => it?.buckets?.map((each: { readonly state: string; readonly snapshots?: number | null }) => `${each.state} ${each.snapshots ?? ''}`.trim()).join() ?? it?.state ?? 'none').join(' | ')}`;
    case 'tidy':
    case 'delete':
      return `${words} | removed ${data.removed.length} kept ${data.kept.length}`;
    case 'versions':
      return `${words} | ${[...new Set(data.versions.map((it: { readonly state: string }) => it.state))].join(' ')}`;
    case 'buckets':
      return `${words} | ${data.volumes}: ${data.buckets.join(' ')}`.trimEnd();
    case 'changes':
      return `${words} | ${data.status} ${data.entries.map((it: { readonly kind: string }) => it.kind).join('')}${data.next === null ? '' : ' and more'}`;
    default: {
      const { compared, differ } = data.checksums ?? {};
      return [words, '|', data.equal ? 'equal' : 'differs', compared, differ].join(' ').trimEnd();
    }
  }
};

describe.concurrent('the edge host in this process answers what the script answers', () => {
  let parametersOf: EdgeHost;
  beforeAll(() => {
    parametersOf = new EdgeHost();
  });

  it.each(scenarios.map((scenario) => [scenario.title, scenario] as const))('%s', async (_, { play, expects }) => {
    const script = await scriptStage();
    try {
      const answers = await play(script);
      const last = answers.at(-1);
      expect(last && summaryOf(last)).toContain(expects);
      expect(await play(inProcessStage(parametersOf))).toEqual(answers);
    } finally {
      script.close();
    }
  });
});

/** What needs more than simulated clusters: a second process, a signal, a host that is not set up, a bug. Held in test/edge-host. */
const BEYOND_THE_SIMULATOR = [
  'operation-busy',
  'cancelled',
  'environment',
  'internal',
  'delivery-died',
  'not-flushed',
  // Words for causes that answers carry under another code, or inside `data`.
  'exists',
  'unknown-host',
  'unknown-option',
  'timeout',
  'snapshot-missing',
  'bucket-missing',
  'volume-missing',
  // Of Kerberos: test/edge-host/tickets.test.ts.
  'no-ticket',
  'no-kdc',
  // Of a resource manager of YARN: test/edge-host/yarn.test.ts.
  'yarn-unreachable',
  'queue-missing',
  'no-application',
  // Of the lists of paths and the scratch buckets of a restore: test/edge-host/restore.test.ts and its neighbours.
  'selection-unreadable',
  'selection-other',
  'not-gone',
  // Of a cluster that ends with 0 and has not set what it was told: test/edge-host/restrict.test.ts.
  'acl-differs',
];

describe('the scenarios', () => {
  it('meet every code that the script knows and the simulator can cause', async () => {
    const script = readFileSync(new URL('../../../functions/edge-host/ozone-dr.sh', import.meta.url), 'utf8');
    const known = [
      ...script.matchAll(/\b(?:refuse |copy_failed |finish [a-z]+ |code=|ERROR_CODE=)'?([a-z]+(?:-[a-z]+)*)\b/g),
      ...script.matchAll(/\b((?:target|seal|base|source|replica|temporary|since)-(?:missing|other))\b/g),
    ].map(([, code]) => code ?? '');
    // Of a batch also those of its members.
    const expected = scenarios.flatMap(({ expects }) =>
      (expects.startsWith('batch ok') ? expects.split(/ ?[|;] ?/) : expects.split(' |').slice(0, 1)).map((it) =>
        it.split(' ').at(-1),
      ),
    );
    const missing = new Set(known.filter((it) => !expected.includes(it) && !BEYOND_THE_SIMULATOR.includes(it)));
    expect(known.length).toBeGreaterThan(40);
    expect([...missing]).toEqual([]);
  });

  it('have a title of their own each', () => {
    expect(new Set(scenarios.map((it) => it.title)).size).toBe(scenarios.length);
  });
});
