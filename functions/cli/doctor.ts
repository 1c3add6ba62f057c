import { setTimeout as sleep } from 'node:timers/promises';
import {
  DescribeExecutionCommand,
  paginateListStateMachines,
  SFNClient,
  StartExecutionCommand,
} from '@aws-sdk/client-sfn';
import * as z from 'zod';
import { Severity } from '../core/domain/doctor.ts';
import { ifMain, type Output, parseCommandLine, runCommand, UsageError } from './options.ts';

const USAGE = `Visits every host of a deployment and says what is missing: docs/doctor.md

  npm run doctor [-- options]

  --prefix <name>    first part of the deployment's names (default: ozone-dr)
  --region <name>    (default: as every AWS SDK finds it)
  --endpoint <url>   of Step Functions, such as that of the local cloud
  --local            visits a deployment on this machine instead: local cloud, simulated clusters
  --plant <fault>    with --local: plants a fault first; --plant help lists them

Ends with 0 when nothing of severity error was found, with 1 otherwise.
`;

export const ToldFinding = z.object({
  code: z.string(),
  severity: Severity,
  where: z.string(),
  what: z.string(),
  evidence: z.string(),
  remedy: z.string(),
});
export type ToldFinding = z.infer<typeof ToldFinding>;

/** What a healthy visit hands on. */
const Told = z.object({ checks: z.number(), report: z.string(), findings: z.array(ToldFinding) });

/** For a terminal: errors first, each with its remedy. */
export const findingsText = (findings: readonly ToldFinding[], report: string | undefined): string => {
  const count = (severity: Severity) => findings.filter((it) => it.severity === severity).length;
  const lines = findings
    .filter(({ severity }) => severity !== 'ok')
    .flatMap(({ severity, code, where, what, evidence, remedy }) => [
      `${severity.toUpperCase()} ${code} at ${where}`,
      `  ${what}`,
      `  seen:   ${evidence}`,
      `  remedy: ${remedy}`,
      '',
    ]);
  const counts = `${count('error')} errors, ${count('warning')} warnings, ${count('note')} notes`;
  return [...lines, counts, ...(report ? [`the whole report: ${report}`] : []), ''].join('\n');
};

const POLL = 2000;

/** Starts a visit, waits for its end, prints what it found. @returns the exit code */
const visit = async (sfn: SFNClient, name: string, output: Output): Promise<number> => {
  const machine = await machineOf(sfn, name);
  const { executionArn } = await sfn.send(new StartExecutionCommand({ stateMachineArn: machine, input: '{}' }));
  output.err(`${executionArn}\n`);
  for (;;) {
    const seen = await sfn.send(new DescribeExecutionCommand({ executionArn }));
    if (seen.status === 'RUNNING') {
      await sleep(POLL);
      continue;
    }
    const told = Told.safeParse(JSON.parse(seen.output ?? 'null'));
    // Of a failed execution the cause has the findings in lines.
    output.out(told.success ? findingsText(told.data.findings, told.data.report) : `${seen.error}\n${seen.cause}\n`);
    return seen.status === 'SUCCEEDED' ? 0 : 1;
  }
};

const machineOf = async (sfn: SFNClient, name: string): Promise<string> => {
  for await (const page of paginateListStateMachines({ client: sfn }, {})) {
    const found = page.stateMachines?.find((it) => it.name === name)?.stateMachineArn;
    if (found) return found;
  }
  throw new UsageError(`there is no state machine ${name} in this account and region: name its --prefix or --region`);
};

export const doctor = (args: readonly string[], output: Output): Promise<number> =>
  runCommand(USAGE, output, async () => {
    const { values } = parseCommandLine(args, {
      prefix: { type: 'string', default: 'ozone-dr' },
      region: { type: 'string' },
      endpoint: { type: 'string' },
      help: { type: 'boolean', default: false },
    });
    if (values.help) {
      output.out(USAGE);
      return 0;
    }
    const { region, endpoint } = values;
    const sfn = new SFNClient({ maxAttempts: 6, ...(region ? { region } : {}), ...(endpoint ? { endpoint } : {}) });
    return visit(sfn, `${values.prefix}-doctor`, output);
  });

await ifMain(import.meta.url, doctor);
