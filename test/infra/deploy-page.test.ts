import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { synthesize } from './synthesized.ts';
import { ofType, project, text } from './template.ts';

const page = readFileSync(project('docs/deploy.md'), 'utf8');
const { control, state } = synthesize();
const blocks = (language: string): readonly string[] =>
  [...page.matchAll(new RegExp(`^\`\`\`${language}\n([\\s\\S]*?)^\`\`\``, 'gm'))].map(([, body = '']) => body);
const all = (pattern: RegExp): readonly string[] => [
  ...new Set([...page.matchAll(pattern)].map(([, found = '']) => found)),
];

describe('docs/deploy.md', () => {
  it('names outputs that the deployment prints', () => {
    const named = all(/<([A-Z][A-Za-z]+Arn)>/g);
    expect(named.length).toBeGreaterThan(3);
    expect(named.filter((name) => !Object.hasOwn(control.Outputs ?? {}, name))).toEqual([]);
  });

  it('calls scripts that there are', () => {
    const { scripts } = JSON.parse(readFileSync(project('package.json'), 'utf8'));
    const called = all(/npm run ([a-z:-]+)/g);
    expect(called).toEqual(expect.arrayContaining(['check:policy', 'build', 'doctor', 'explain', 'recovery-plan']));
    expect(called.filter((name) => !Object.hasOwn(scripts, name))).toEqual([]);
  });

  it('links to files that there are', () => {
    const linked = all(/\]\(([^)#]+)\)/g).filter((it) => !it.startsWith('http'));
    expect(linked.length).toBeGreaterThan(5);
    expect(linked.filter((path) => !existsSync(project(`docs/${path}`)))).toEqual([]);
  });

  it('names the alarm, the stacks and the bucket as they are called', () => {
    const alarms = ofType(control, 'AWS::CloudWatch::Alarm').map(([, { Properties }]) => text(Properties.AlarmName));
    const named = all(/--alarm-name (\S+)/g);
    expect(named.length).toBeGreaterThan(0);
    expect(named.filter((name) => !alarms.includes(name))).toEqual([]);
    const buckets = ofType(state, 'AWS::S3::Bucket').map(([, { Properties }]) => text(Properties.BucketName));
    const output = /arn:aws:s3:::(\S+)\/\*/.exec(page)?.[1]?.replace('<account>', '<AWS::AccountId>');
    expect(buckets).toContain(output?.replace('<region>', '<AWS::Region>'));
    expect(all(/cdk destroy (.+)/g)).toEqual(['ozone-dr-control ozone-dr-documents']);
  });

  it('gives hosts no more than to receive commands and to put their output', () => {
    const documents = blocks('json').map((body) => JSON.parse(body));
    const permissions = documents.find((it) => JSON.stringify(it).includes('PutOutput'));
    const allowed = permissions.Statement.flatMap(
      ({ Action }: { readonly Action: string | readonly string[] }) => Action,
    );
    expect(allowed.filter((action: string) => action.includes('*'))).toEqual([]);
    expect(allowed.filter((action: string) => !/^(ssmmessages|ec2messages):/.test(action))).toEqual([
      'ssm:UpdateInstanceInformation',
      's3:PutObject',
    ]);
  });

  it('writes a configuration of a host in keys that the script knows', () => {
    const script = readFileSync(project('functions/edge-host/ozone-dr.sh'), 'utf8');
    const [, cases = ''] = /case \$key in\n( +path \|[\s\S]*?)esac/.exec(script) ?? [];
    const keys = [...cases.matchAll(/^ +([a-z0-9_| \\\n]+)\) /gm)].flatMap(
      ([, names = '']) => names.match(/[a-z0-9_]+/g) ?? [],
    );
    const [, configuration = ''] = /host\.conf <<'CONF'\n([\s\S]*?)CONF/.exec(page) ?? [];
    const written = configuration
      .trim()
      .split('\n')
      .map((line) => line.split('=')[0]);
    expect(written.length).toBe(10);
    expect(written.filter((key) => !keys.includes(key ?? ''))).toEqual([]);
  });
});
