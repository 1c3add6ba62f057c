import { expect, it } from 'vitest';
import { type Bug, bugs } from '../../ozone-simulator/faults/points.ts';
import { simulateInMemory } from '../../ozone-simulator/simulator.ts';
import { scenarios } from './scenarios.ts';
import { memoryDriver } from './simulator-drivers.ts';
import { Stage } from './stage.ts';

/** Twelve deliberate mistakes in the simulator, and the scenario that is there to notice each. */
const noticedBy: Readonly<Record<Bug, string>> = {
  'snapshot-follows-the-live-bucket': 'a key is read from a snapshot by its path',
  'deleted-names-are-free': 'a deleted snapshot is shown as deleted and keeps its name until it is purged',
  'diff-forgets-renames': 'a renamed directory is one line, whatever is in it',
  'diff-leaves-out-directories': 'a renamed file modifies both directories',
  'paging-skips-an-entry': 'pages are cut where asked, and the token leads to the rest',
  'batch-goes-on-after-a-failure': 'a batch echoes each command and stops at the first that fails, with its exit code',
  'diff-submission-prints-the-report':
    'a diff is submitted, and submitted again it says that it is done, in words even with --json',
  'target-is-not-checked': 'a foreign write into the target refuses the increment, and a full copy repairs it',
  'temporary-snapshot-stays': 'an increment carries every kind of change, and leaves no temporary snapshot active',
  'update-trusts-the-size': 'a full copy repairs: what is extra goes, what differs in content or is missing comes',
  'delete-keeps-what-is-extra': 'a full copy repairs: what is extra goes, what differs in content or is missing comes',
  'flags-count-after-the-paths':
    'options behind the paths are paths: both sides are copied into a local folder, with exit 0',
};

/** Plays one scenario on clusters of its own. */
async function play(name: string, env: Readonly<Record<string, string>>): Promise<void> {
  const scenario = scenarios.find((candidate) => candidate.name === name);
  if (!scenario) throw new Error(`no scenario is called: ${name}`);
  const simulated = simulateInMemory();
  for (const service of simulated.services) {
    const commands = [
      `volume create o3://${service}/vol`,
      `bucket create -l ${scenario.layout ?? 'fso'} o3://${service}/vol/bkt`,
    ];
    simulated.run('ozone', ['sh', ...commands.flatMap((command) => ['--execute', command])]);
  }
  await scenario.play(new Stage(memoryDriver(simulated, env), 'vol', 'bkt'));
}

it.each(bugs)('the contract suite notices a simulator in which %s', async (bug) => {
  await play(noticedBy[bug], {});
  await expect(play(noticedBy[bug], { OZONE_SIMULATOR_BUG: bug })).rejects.toThrow();
});
