import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { type DashboardHost, startHost } from './host.ts';
import { type ConsoleStage, invoker, startStage, widgetsOf } from './stage.ts';

const USAGE = `usage: npm run console [-- options]

Shows the dashboard's own widgets in your browser, against a local cloud with simulated clusters and some nights of
backups. What you do there is done: a restore runs, a paused policy is paused. Time goes on as you watch; Ctrl-C ends it.

  --port <n>    where to listen on 127.0.0.1 (default 8090)
  --nights <n>  how many nights are played first (default 3)
  --speed <n>   how many times faster than yours its time goes (default 10)
  --help        prints this
`;

const run = async (): Promise<void> => {
  const { values } = parseArgs({
    options: {
      port: { type: 'string', default: '8090' },
      nights: { type: 'string', default: '3' },
      speed: { type: 'string', default: '10' },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    process.stdout.write(USAGE);
    return;
  }
  const numberOf = (name: 'port' | 'nights' | 'speed', most: number): number => {
    const value = Number(values[name]);
    if (!Number.isInteger(value) || value < 0 || value > most)
      throw new Error(`--${name} ${values[name]}: write a whole number up to ${most}`);
    return value;
  };
  const [port, nights, speed] = [numberOf('port', 65_535), numberOf('nights', 30), numberOf('speed', 3600)];
  process.stdout.write('Playing some nights of backups on simulated clusters; this takes a minute or so …\n');
  let stage: ConsoleStage | undefined;
  let host: DashboardHost | undefined;
  let isOver = false;
  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    process.once(signal, () => {
      isOver = true;
    });
  try {
    stage = await startStage({ nights });
    const { cloud } = stage.deployment;
    host = await startHost({ ...widgetsOf(cloud), invoke: invoker(cloud), port });
    process.stdout.write(`\nOpen ${host.url} in a browser. Ctrl-C ends it.\n`);
    while (!isOver) {
      await cloud.advanceBy(Math.max(1, speed / 2));
      await sleep(500);
    }
    process.stdout.write('\nending what was started\n');
  } finally {
    await host?.close();
    await stage?.close();
  }
};

// The AWS SDK announces the end of Node 20 on every start; a newcomer can do nothing about it.
process.removeAllListeners('warning');
try {
  await run();
} catch (error) {
  process.stderr.write(
    `${error instanceof Error ? error.message : error}\nWhat can be given: npm run console -- --help\n`,
  );
  process.exitCode = 1;
}
