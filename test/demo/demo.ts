import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { isDeepStrictEqual, parseArgs } from 'node:util';
import { type Deployment, deploy, REPLICA_HOST, SOURCE_HOST } from '../fixtures/deployment.ts';
import type { LocalCloud } from '../local-cloud/index.ts';
import type { Lineage } from './lineage.ts';
import { lineageHtml } from './lineage-html.ts';
import { lineageText } from './lineage-text.ts';
import { Narrator, type Paper, paint } from './narrate.ts';
import { alarmsOf, compare, leaveOutIdleSweeps, type Played, playWeek } from './play.ts';
import { ozoneStage, type Stage, simulatedStage } from './stage.ts';
import { BUCKET, policyFile, slotOf, week } from './story.ts';

const USAGE = `usage: npm run demo [-- options]

Plays a week of a shop's backups: the real app, workflow, functions and edge host script, in a local cloud.

  --ozone   on two real Ozone clusters on this machine, in real time (needs a JDK and Maven; some minutes)
  --json    prints a summary as JSON in the last line
  --help    prints this
`;

const cache = fileURLToPath(new URL('../../.cache/', import.meta.url));
const paper: Paper = {
  write: (text) => process.stdout.write(text),
  colour: process.stdout.isTTY === true && !process.env.NO_COLOR,
  columns: Math.max(96, Math.min(132, process.stdout.columns ?? 120)),
};

/** What was started and has to be ended, also when it is still starting. */
let stage: Promise<Stage> | undefined;
let deployment: Promise<Deployment> | undefined;

const cleanUp = async (): Promise<void> => {
  await deployment?.then((it) => it.close()).catch(() => undefined);
  await stage?.then((it) => it.clusters.stop()).catch(() => undefined);
};

const demo = async (options: { readonly ozone: boolean; readonly json: boolean }): Promise<number> => {
  const began = performance.now();
  const [first] = week;
  if (!first) throw new Error('the week is empty');
  const narrator = new Narrator(paper, { [SOURCE_HOST]: 'prod', [REPLICA_HOST]: 'dr' });
  const policies = policyFile(SOURCE_HOST, REPLICA_HOST);
  narrator.line(paint(paper, 'bold', 'A week of backups of one bucket, from the cluster prod to the cluster dr'));
  narrator.line(
    options.ozone
      ? 'Two real Ozone clusters on this machine, in real time.'
      : 'Simulated clusters, virtual time. Everything above them is what would be deployed.',
  );
  narrator.line(`\nThe policy:\n`);
  for (const line of policies.trimEnd().split('\n')) narrator.line(`  ${paint(paper, 'dim', line)}`);

  stage = options.ozone
    ? ozoneStage(join(cache, 'ozone', 'demo'), (line) => narrator.line(line))
    : simulatedStage(new Date(slotOf(first.date).getTime() - 10 * 3_600_000));
  const playing = await stage;
  for (const side of ['prod', 'dr']) await playing.clusters.createBucket(`ofs://${side}/${BUCKET}`);
  const deploying = performance.now();
  deployment = deploy({
    clusters: playing.clusters,
    policies,
    ...playing.options,
    onEvent: (event) => {
      playing.onEvent(event);
      narrator.onEvent(event);
    },
  });
  const deployed = await deployment;
  leaveOutIdleSweeps(deployed.cloud);
  // The hosts have the clock of this machine, not that of the story: a doctor would say so.
  deployed.cloud.faults.add({ on: 'schedule', schedule: 'doctor', fault: 'lost' });
  const alarms = alarmsOf(deployed.cloud);
  narrator.line(
    `\nsynthesized and deployed into the local cloud in ${((performance.now() - deploying) / 1000).toFixed(1)} s`,
  );

  const { nights: played, differences } = await playWeek(week, playing, deployed, narrator);
  // As the ledger knows them at the end of the week: the replica caught up with the night that it missed.
  const known = await deployed.points(BUCKET);
  const nights = played.map((night) => ({
    ...night,
    point: known.find((it) => it.name === night.point?.name) ?? night.point,
  }));
  const late = (
    await Promise.all(nights.map(({ point }) => (point?.state === 'verified' ? compare(playing, point, false) : [])))
  ).flat();
  const missing = await awaitAlarms(deployed.cloud, alarms, (text) => narrator.line(text));
  const lineage: Lineage = { bucket: BUCKET, source: 'prod', replica: 'dr', nights };
  const page = join(cache, 'demo', options.ozone ? 'lineage-ozone.html' : 'lineage.html');
  mkdirSync(join(cache, 'demo'), { recursive: true });
  writeFileSync(page, lineageHtml(lineage));

  narrator.line();
  for (const line of lineageText(lineage, paper)) narrator.line(line);
  const summary = summarize(deployed, nights, alarms, began);
  narrator.line();
  narrator.line(
    `${summary.points} points, ${summary.verified} verified, ${summary.repaired} by repair; ${summary.failedRuns} failed run, ${summary.alarms} alarms; ` +
      `${summary.transitions} transitions, ${summary.commands} commands, ${summary.jvmStarts} JVM starts; ${summary.seconds} s`,
  );
  narrator.line();
  narrator.line(`The picture, with the evidence of each point:  ${page}`);
  narrator.line('What decided all this:                         functions/core/planner/decide-backup.ts');
  narrator.line(
    options.ozone
      ? 'With your own clusters:                        README.md, "Deploy it"'
      : 'The same on real Ozone clusters:               npm run demo -- --ozone',
  );
  const wrong = [...differences, ...late, ...missing];
  if (wrong.length > 0)
    narrator.line(paint(paper, 'red', `\n${wrong.length} differences from the story:\n${wrong.join('\n')}`));
  if (options.json) narrator.line(JSON.stringify(summary));
  return wrong.length > 0 ? 1 : 0;
};

/** In real time CloudWatch needs some minutes. Answers what is not as the story says. */
const awaitAlarms = async (cloud: LocalCloud, raised: readonly string[], say: (text: string) => void) => {
  const due = week.flatMap((it) => it.alarms).toSorted();
  const until = Date.now() + 360_000;
  if (cloud.clock.kind === 'real' && raised.length < due.length)
    say('\nwaiting for the alarms, which CloudWatch raises after minutes');
  while (cloud.clock.kind === 'real' && raised.length < due.length && Date.now() < until) await sleep(1000);
  const seen = raised.toSorted();
  return isDeepStrictEqual(seen, due) ? [] : [`alarms: expected ${due.join(', ')}; went off: ${seen.join(', ')}`];
};

/** `repaired`: points that a resync brought to the source's state. `alarms`: alarms that went off and published. */
const summarize = ({ cloud }: Deployment, nights: Played['nights'], alarms: readonly string[], began: number) => {
  const points = nights.flatMap(({ point }) => (point ? [point] : []));
  const verified = points.filter((it) => it.state === 'verified');
  const byMode = (mode: string) => verified.filter((it) => it.mode === mode).length;
  const counters = cloud.counters();
  return {
    points: points.length,
    modes: { bootstrap: byMode('bootstrap'), incremental: byMode('incremental'), resync: byMode('resync') },
    verified: verified.length,
    repaired: byMode('resync'),
    failedRuns: cloud.executions('ozone-dr-backup').filter((it) => it.status !== 'SUCCEEDED').length,
    alarms: alarms.length,
    transitions: counters['states.transitions'] ?? 0,
    commands: counters['ssm.commands'] ?? 0,
    jvmStarts: nights.flatMap((it) => it.steps).reduce((sum, it) => sum + (it.jvmStarts ?? 0), 0),
    seconds: Math.round((performance.now() - began) / 100) / 10,
  };
};

const options = () => {
  try {
    const { values } = parseArgs({
      options: { ozone: { type: 'boolean' }, json: { type: 'boolean' }, help: { type: 'boolean' } },
    });
    return values;
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : error}\n\n${USAGE}`);
    return process.exit(2);
  }
};

const { ozone = false, json = false, help = false } = options();
if (help) {
  process.stdout.write(USAGE);
} else {
  // The AWS SDK announces the end of Node 20 on every start; a newcomer can do nothing about it.
  process.removeAllListeners('warning');
  let interrupted = false;
  const interrupt = (): void => {
    if (interrupted) return;
    interrupted = true;
    process.stdout.write('\ninterrupted: ending what was started\n');
    void cleanUp().finally(() => process.exit(130));
  };
  process.on('SIGINT', interrupt).on('SIGTERM', interrupt);
  try {
    process.exitCode = await demo({ ozone, json });
  } catch (error) {
    if (!interrupted) process.stderr.write(`\nthe demo stopped: ${error instanceof Error ? error.message : error}\n`);
    process.exitCode = 1;
  }
  if (!interrupted) await cleanUp();
}
