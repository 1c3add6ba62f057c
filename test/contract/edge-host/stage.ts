import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { BlastRadius } from '../../../functions/core/domain/operation.ts';
import { documentOf, EdgeHost, type Reply, type Variables } from '../../edge-host/edge-host.ts';
import { InProcessHost } from '../../in-process-edge/host.ts';
import { createSimulator, type SimulatedOzone, simulateInMemory } from '../../ozone-simulator/simulator.ts';

/** An answer without what must differ between two hosts and two runs. */
export type Answer = Omit<Reply, 'host' | 'startedAt' | 'endedAt'> & { readonly exit: number | null };

/** An edge host over simulated clusters of its own, whose time stands still. */
export interface Stage {
  /** The clusters, for preparing; no fault strikes what is done through it but by `faults`. */
  readonly ozone: SimulatedOzone;
  run(verb: string, parameters?: Variables, document?: BlastRadius): Promise<Answer>;
  /** Puts a list of paths where the host can fetch it. @returns the parameters that name it */
  selection(text: string): Variables;
  /** Lets the detached copies, which wait for this, go on to their ends. */
  goOn(): Promise<void>;
  close(): void;
}

const hashOf = (text: string): string => createHash('sha256').update(text).digest('hex');

/** When every stage begins, epoch milliseconds. */
export const NOW = Date.UTC(2030, 0, 1);

/** The real script, its programs the simulator's executables. */
export const scriptStage = async (): Promise<Stage> => {
  const host = new EdgeHost();
  const clusters = await createSimulator({ directory: mkdtempSync(join(host.directory, 'clusters-')) });
  const path = `${waitingHadoop(host, clusters.bin)}:${clusters.bin}`;
  host.configure(`path=${path}\njava_home=/usr\nstate=${host.state}\nclient_attempts=3\nclient_wait_ms=200\n`);
  clusters.inProcess.setClock({ now: NOW, skewMs: {} });
  const normal = normalizer();
  const texts = new Map<string, string>();
  const server = createServer(({ url = '' }, response) => {
    const text = texts.get(url.slice(1));
    response.writeHead(text === undefined ? 404 : 200).end(text);
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  const address = server.address();
  const port = typeof address === 'object' ? address?.port : undefined;
  return {
    selection: (text) => {
      const selection = hashOf(text);
      texts.set(selection, text);
      return { selection, selectionUrl: `http://127.0.0.1:${port}/${selection}` };
    },
    ozone: clusters.inProcess,
    run: async (verb, parameters, document) => {
      if (parameters?.detached === 'yes') writeFileSync(host.file('waiting', `${parameters.operation}`), '');
      const { exit, reply } = await host.run(verb, parameters, document);
      return normal(exit, reply);
    },
    goOn: async () => {
      const waiting = readdirSync(host.file('waiting'));
      for (const operation of waiting) rmSync(host.file('waiting', operation));
      for (const operation of waiting)
        while (!existsSync(join(host.state, 'operations', operation, 'result'))) await sleep(20);
    },
    close: () => {
      server.close();
      rmSync(host.directory, { recursive: true, force: true });
    },
  };
};

/** A `hadoop` in front of the other one, whose distcp waits while its operation has a file in `waiting`. @returns its folder */
const waitingHadoop = (host: EdgeHost, bin: string): string => {
  for (const folder of ['front', 'waiting']) mkdirSync(host.file(folder));
  const text = `#!/bin/bash
[[ $* =~ mapreduce.job.tags=(op-[0-9a-f-]*) ]]
while [ -e '${host.file('waiting')}'/"\${BASH_REMATCH[1]:-none}" ]; do sleep 0.02; done
exec '${bin}/hadoop' "$@"
`;
  writeFileSync(host.file('front', 'hadoop'), text, { mode: 0o755 });
  return host.file('front');
};

/** The host in this process; its parameters are those that Run Command would give the script. */
export const inProcessStage = (parametersOf: EdgeHost): Stage => {
  const ozone = simulateInMemory();
  ozone.setClock({ now: NOW, skewMs: {} });
  const texts = new Map<string, string>();
  const host = new InProcessHost({
    ozone,
    name: 'edge',
    now: () => NOW,
    selectionAt: (url) => texts.get(url.replace(/.*\//, '')),
  });
  const normal = normalizer();
  return {
    selection: (text) => {
      const selection = hashOf(text);
      texts.set(selection, text);
      return { selection, selectionUrl: `https://selections.example/${selection}` };
    },
    ozone,
    run: async (verb, parameters = {}, document = documentOf[verb] ?? 'observe') => {
      const given = Object.entries(parametersOf.environment(verb, parameters))
        .filter(([name]) => name.startsWith('SSM_'))
        .map(([name, value]) => [name.slice('SSM_'.length), value]);
      const { exit, stdout } = host.run(document, Object.fromEntries(given));
      return normal(exit, JSON.parse(stdout.split('\n')[1] ?? ''));
    },
    goOn: async () => host.goOn(),
    close: () => undefined,
  };
};

/** What is drawn at random is named by the order in which it is first seen. */
const RANDOM = [
  /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g,
  /local\d+_0001/g,
  /\.distcp\.diff\.tmp\d+/g,
];

/** Where the state and the configuration are kept is the business of one host alone. */
const ABOUT_FILES = new Set(['fence-missing', 'hook-missing']);

const normalizer = () => {
  const names = new Map<string, string>();
  const named = (random: string): string => {
    const name = names.get(random) ?? `random-${names.size + 1}`;
    names.set(random, name);
    return name;
  };
  const normal = (exit: number | null, { host: _, startedAt: _s, endedAt: _e, ...reply }: Reply): Answer => {
    const text = RANDOM.reduce((all, random) => all.replace(random, named), JSON.stringify({ exit, ...reply }));
    const answer = JSON.parse(text);
    if (answer.data?.copy) {
      answer.data.copy.seconds = 0;
      // The usage text on stdout and the log on stderr: only processes know in what order they met in one file.
      if (answer.data.copy.exit === 255) answer.data.log = '';
    }
    // What a doctor says of the host itself is of that host alone.
    if (answer.verb === 'doctor' && answer.data) {
      const { document, source, replica, readsOfs } = answer.data;
      answer.data = { document, source, replica, readsOfs };
    }
    if (ABOUT_FILES.has(answer.code)) answer.message = '';
    if (answer.verb === 'batch' && answer.data)
      answer.data.replies = answer.data.replies.map((it: Reply) => normal(null, it));
    if (answer.verb === 'probe' && answer.data?.reply) answer.data.reply = normal(null, answer.data.reply);
    return answer;
  };
  return normal;
};
