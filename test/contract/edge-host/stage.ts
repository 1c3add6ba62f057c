import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { EdgeHost, type Reply, type Variables } from '../../edge-host/edge-host.ts';
import { InProcessHost } from '../../in-process-edge/host.ts';
import { createSimulator, type SimulatedOzone, simulateInMemory } from '../../ozone-simulator/simulator.ts';

/** An answer without what must differ between two hosts and two runs. */
export type Answer = Omit<Reply, 'host' | 'startedAt' | 'endedAt'> & { readonly exit: number | null };

/** An edge host over simulated clusters of its own, whose time stands still. */
export interface Stage {
  /** The clusters, for preparing; no fault strikes what is done through it but by `faults`. */
  readonly ozone: SimulatedOzone;
  run(verb: string, parameters?: Variables, document?: string): Promise<Answer>;
  close(): void;
}

const NOW = Date.UTC(2030, 0, 1);
const DOCUMENT_OF: Readonly<Record<string, 'observe' | 'protect'>> = { snapshot: 'protect', replicate: 'protect' };

/** The real script, its programs the simulator's executables. */
export const scriptStage = async (): Promise<Stage> => {
  const host = new EdgeHost();
  const clusters = await createSimulator({ directory: mkdtempSync(join(host.directory, 'clusters-')) });
  host.configure(`path=${clusters.bin}\njava_home=/usr\nstate=${host.state}\nclient_attempts=3\nclient_wait_ms=200\n`);
  clusters.inProcess.setClock({ now: NOW, skewMs: {} });
  const normal = normalizer();
  return {
    ozone: clusters.inProcess,
    run: async (verb, parameters, document) => {
      const { exit, reply } = await host.run(verb, parameters, document);
      return normal(exit, reply);
    },
    close: () => rmSync(host.directory, { recursive: true, force: true }),
  };
};

/** The host in this process; its parameters are those that Run Command would give the script. */
export const inProcessStage = (parametersOf: EdgeHost): Stage => {
  const ozone = simulateInMemory();
  ozone.setClock({ now: NOW, skewMs: {} });
  const host = new InProcessHost({ ozone, name: 'edge', now: () => NOW });
  const normal = normalizer();
  return {
    ozone,
    run: async (verb, parameters = {}, document = DOCUMENT_OF[verb] ?? 'observe') => {
      const given = Object.entries(parametersOf.environment(verb, parameters))
        .filter(([name]) => name.startsWith('SSM_'))
        .map(([name, value]) => [name.slice('SSM_'.length), value]);
      const { exit, stdout } = host.run(document === 'protect' ? 'protect' : 'observe', Object.fromEntries(given));
      return normal(exit, JSON.parse(stdout.split('\n')[1] ?? ''));
    },
    close: () => undefined,
  };
};

/** What is drawn at random is named by the order in which it is first seen. */
const RANDOM = [
  /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g,
  /local\d+_0001/g,
  /\.distcp\.diff\.tmp\d+/g,
];

/** Where the state is kept is the business of one host alone. */
const ABOUT_FILES = new Set(['fence-missing']);

const normalizer = () => {
  const names = new Map<string, string>();
  const named = (random: string): string => {
    const name = names.get(random) ?? `random-${names.size + 1}`;
    names.set(random, name);
    return name;
  };
  return (exit: number | null, { host: _, startedAt: _s, endedAt: _e, ...reply }: Reply): Answer => {
    const text = RANDOM.reduce((all, random) => all.replace(random, named), JSON.stringify({ exit, ...reply }));
    const answer = JSON.parse(text);
    if (answer.data?.copy) {
      answer.data.copy.seconds = 0;
      // The usage text on stdout and the log on stderr: only processes know in what order they met in one file.
      if (answer.data.copy.exit === 255) answer.data.log = '';
    }
    if (ABOUT_FILES.has(answer.code)) answer.message = '';
    return answer;
  };
};
