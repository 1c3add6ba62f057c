// `npm run doctor`: of a deployment in AWS, or with --local of one on this machine. See docs/doctor.md.
import { doctor, findingsText } from '../../functions/cli/doctor.ts';
import { terminal } from '../../functions/cli/options.ts';
import { LOCAL_FAULTS } from './faults.ts';
import { doctorStage, programsBefore, simulatedClusters } from './stage.ts';

const args = process.argv.slice(2);

const local = async (name: string | undefined): Promise<number> => {
  const fault = name === undefined ? undefined : LOCAL_FAULTS[name];
  if (name !== undefined && !fault) {
    const lines = Object.entries(LOCAL_FAULTS).map(([code, { title }]) => `  ${code.padEnd(22)}${title}`);
    terminal.out(`faults to plant:\n${lines.join('\n')}\n`);
    return name === 'help' ? 0 : 2;
  }
  const clusters = await simulatedClusters();
  try {
    const programs = programsBefore(clusters);
    const stage = await doctorStage(clusters, { hostConfig: programs.hostConfig });
    try {
      await fault?.plant(stage, clusters, programs);
      const { findings, status } = await stage.visit();
      terminal.out(findingsText(findings, undefined));
      return status === 'SUCCEEDED' ? 0 : 1;
    } finally {
      await stage.close();
    }
  } finally {
    await clusters.stop();
  }
};

const planted = args.indexOf('--plant');
process.exitCode = args.includes('--local')
  ? await local(planted >= 0 ? (args[planted + 1] ?? 'help') : undefined)
  : await doctor(args, terminal);
