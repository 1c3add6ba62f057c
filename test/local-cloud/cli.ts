import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { type CloudEvent, type HostDefinition, startLocalCloud } from './index.ts';
import { root } from './world.ts';

const usage = `npm run cloud -- <directory of a synthesized assembly> [options]
  --host <id>=<file>       a managed node that runs commands here; its commands read the file's path from the
                           environment variable OZONE_DR_HOST_CONFIG (another name: --host-variable)
  --host-variable <name>
  --port <number>          of the endpoint, on loopback; a free one unless given
  --all                    shows every event, also logs and history
Ctrl-C ends everything.`;

/** Kinds of events that are shown without --all. */
const shown = ['schedule', 'command-sent', 'command', 'refused', 'rule-refused', 'alarm', 'fault', 'metric-refused'];

function print(event: CloudEvent, all: boolean): void {
  const { at, kind, ...detail } = event;
  const isBoundary = kind === 'history' && /^Execution|StateEntered$/.test(String(detail.type));
  if (!all && !shown.includes(kind) && !isBoundary) return;
  const text = Object.entries(detail)
    .map(([name, value]) => `${name}=${typeof value === 'string' ? value : JSON.stringify(value)}`)
    .join(' ');
  console.log(`${new Date(at).toISOString()}  ${kind.padEnd(13)} ${all ? text : text.slice(0, 200)}`);
}

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      host: { type: 'string', multiple: true },
      'host-variable': { type: 'string' },
      port: { type: 'string' },
      all: { type: 'boolean' },
      help: { type: 'boolean' },
    },
  });
  const [assembly, ...others] = positionals;
  if (values.help || assembly === undefined || others.length > 0) {
    console.log(usage);
    return values.help ? 0 : 2;
  }
  if (!existsSync(resolve(assembly, 'manifest.json'))) {
    console.error(`${assembly} holds no assembly: synthesize it first (npm run build && npm run synth)`);
    return 2;
  }
  const variable = values['host-variable'] ?? 'OZONE_DR_HOST_CONFIG';
  const hosts: HostDefinition[] = [];
  for (const text of values.host ?? []) {
    const found = /^((?:i|mi)-[0-9a-f]{8,17})=(.+)$/.exec(text);
    const [, id = '', file = ''] = found ?? [];
    if (!found || !existsSync(file)) {
      console.error(
        `--host ${text}: give <id>=<file>, with an id such as mi-0123456789abcdef0 and a file that is there`,
      );
      return 2;
    }
    hosts.push({ id, environment: { HOME: process.env.HOME ?? '/', [variable]: resolve(file) } });
  }
  const cloud = await startLocalCloud({
    assembly,
    hosts,
    ...(values.port === undefined ? {} : { port: Number(values.port) }),
    onEvent: (event) => print(event, values.all ?? false),
  });
  const machines = cloud.stepFunctions.machines();
  console.log(`
A local AWS account on ${cloud.endpoint}, permissions enforced, in real time.

State machines
${machines.map((one) => `  ${one.arn}`).join('\n')}
Schedules (those with a rate fire; others are due as said, and do not fire by themselves in real time)
${cloud
  .schedules()
  .map((one) => `  ${one.name}  ${one.expression}`)
  .join('\n')}
Hosts
${hosts.map((one) => `  ${one.id}`).join('\n') || '  none: give --host <id>=<file>'}

Point the AWS CLI at it:
  export AWS_ENDPOINT_URL=${cloud.endpoint} AWS_DEFAULT_REGION=eu-central-1 AWS_ACCESS_KEY_ID=${root} AWS_SECRET_ACCESS_KEY=local
  aws stepfunctions start-execution --state-machine-arn ${machines[0]?.arn ?? '<arn>'} --input '{}'
`);
  await new Promise<void>((ended) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => ended());
  });
  await cloud.close();
  console.log('ended');
  return 0;
}

main().then(
  (code) => {
    process.exitCode = code;
  },
  (error: unknown) => {
    console.error(error instanceof Error ? error.message : String(error));
    process.exitCode = 1;
  },
);
