import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';

const root = new URL('../../../', import.meta.url);
const read = (path: string): string => readFileSync(new URL(path, root), 'utf8');
const runbooks = readdirSync(new URL('docs/runbooks', root));
const scripts: Readonly<Record<string, string>> = JSON.parse(read('package.json')).scripts;
const stack = read('cdk/stacks/control-stack.ts');

/** What is used of AWS, as `aws help` has it: a service and one of its commands. */
const AWS: Readonly<Record<string, readonly string[]>> = {
  cloudwatch: ['describe-alarms', 'set-alarm-state'],
  dynamodb: ['get-item', 'query', 'scan'],
  lambda: ['get-function-concurrency', 'get-policy', 'invoke'],
  logs: ['tail', 'filter-log-events'],
  s3: ['ls', 'cp'],
  scheduler: ['get-schedule', 'list-schedules'],
  'service-quotas': ['list-service-quotas'],
  sqs: ['get-queue-url', 'receive-message', 'purge-queue', 'get-queue-attributes', 'delete-message'],
  ssm: ['describe-instance-information', 'list-commands', 'get-command-invocation', 'list-command-invocations'],
  stepfunctions: [
    'describe-execution',
    'list-executions',
    'list-state-machines',
    'start-execution',
    'stop-execution',
    'get-execution-history',
    'redrive-execution',
  ],
  sts: ['get-caller-identity'],
};
/** `ozone <command> <verb…>`, of Ozone 2. */
const OZONE =
  /^ozone (sh (snapshot|bucket|volume|key) [a-z]+( [a-z]+)?|admin om (roles|getserviceroles)|fs -[a-z]+|getconf)\b/;

/** The lines of the code blocks that begin a command. */
const commandsOf = (page: string): readonly string[] =>
  [...page.matchAll(/```sh\n([\s\S]*?)```/g)].flatMap(([, block = '']) =>
    block
      .replace(/\\\n\s*/g, ' ')
      .split('\n')
      .flatMap((line) => line.match(/(?:^|\$\()(aws|ozone|npm|hadoop|hdfs|yarn) .*/g) ?? [])
      .map((line) => line.replace(/^\$\(/, '')),
  );

describe.each(runbooks)('%s', (name) => {
  const page = read(`docs/runbooks/${name}`);
  const commands = commandsOf(page);

  it('has commands', () => expect(commands.length).toBeGreaterThan(0));

  it.each([...new Set(commands)])('%s is a command that there is', (command) => {
    const [program, one = '', two = '', three = ''] = command.split(/\s+/);
    if (program === 'npm') expect(Object.keys(scripts)).toContain(one === 'run' ? two : one);
    else if (program === 'aws') expect(AWS[one], `aws ${one}`).toContain(two);
    else if (program === 'ozone') expect(command).toMatch(OZONE);
    else throw new Error(`${program} ${one} ${three}: no runbook uses that`);
  });

  it('names only outputs, functions, schedules, machines and runbooks that there are', () => {
    for (const [, output = ''] of page.matchAll(/<([A-Z][A-Za-z]+(?:Arn|Name))>/g))
      expect(stack).toContain(`'${output}'`);
    for (const [, handler = ''] of page.matchAll(/functions\/ozone-dr-([a-z-]+[a-z])/g))
      expect(stack.toLowerCase()).toContain(`'${handler.replaceAll('-', '')}'`);
    for (const [, other = ''] of page.matchAll(/\(([a-z-]+\.md)\)/g)) expect(runbooks).toContain(other);
  });
});
