import { describe, expect, it } from 'vitest';
import { NotEmulated } from '../errors.ts';
import type { JsonObject } from '../json.ts';
import { parseExpression } from './cron.ts';
import { matchesPattern } from './events.ts';
import { Iam } from './iam.ts';

const times = (expression: string, zone: string, from: string, count: number): readonly string[] => {
  const { next } = parseExpression(expression, zone);
  const found: string[] = [];
  let at = Date.parse(from);
  for (let index = 0; index < count; index++) {
    at = next(at, Date.parse(from)) ?? Number.NaN;
    found.push(new Date(at).toISOString().slice(0, 16));
  }
  return found;
};

describe('schedule expressions (AWS: Schedule types in EventBridge Scheduler)', () => {
  it.each([
    [
      'a rate counts from its creation',
      'rate(10 minutes)',
      'UTC',
      '2026-01-01T00:03:00Z',
      ['2026-01-01T00:13', '2026-01-01T00:23'],
    ],
    [
      'every day at a local time, in winter and in summer',
      'cron(30 2 * * ? *)',
      'Europe/Berlin',
      '2026-03-27T12:00:00Z',
      ['2026-03-28T01:30', '2026-03-30T00:30'],
    ],
    [
      'a local time that exists twice fires once',
      'cron(30 2 * * ? *)',
      'Europe/Berlin',
      '2026-10-24T12:00:00Z',
      ['2026-10-25T00:30', '2026-10-26T01:30'],
    ],
    [
      'weekdays by name',
      'cron(0 12 ? * MON-FRI *)',
      'UTC',
      '2026-11-20T13:00:00Z',
      ['2026-11-23T12:00', '2026-11-24T12:00'],
    ],
    ['day 1 of the week is Sunday', 'cron(0 12 ? * 1 *)', 'UTC', '2026-11-20T13:00:00Z', ['2026-11-22T12:00']],
    [
      'steps and lists',
      'cron(0/20 8,20 * * ? *)',
      'UTC',
      '2026-11-20T08:10:00Z',
      ['2026-11-20T08:20', '2026-11-20T08:40', '2026-11-20T20:00'],
    ],
    ['a year and a month', 'cron(0 0 29 FEB ? 2028)', 'Asia/Tokyo', '2026-01-01T00:00:00Z', ['2028-02-28T15:00']],
  ])('%s', (_sentence, expression, zone, from, expected) => {
    expect(times(expression, zone, from, expected.length)).toEqual(expected);
  });

  it.each([
    'cron(0 2 * * *)',
    'cron(0 2 * * * *)',
    'cron(0 2 L * ? *)',
    'cron(99 2 * * ? *)',
    'rate(0 minutes)',
    'at(2026-01-01T00:00:00)',
  ])('%s is refused', (expression) => {
    expect(() => parseExpression(expression, 'UTC')).toThrow(NotEmulated);
  });
});

describe('event patterns (AWS: Comparison operators in event patterns)', () => {
  const event = { source: 'aws.ssm', detail: { status: 'Failed', name: 'doc-1', list: ['a', 'b'] } };
  it.each([
    [{ source: ['aws.ssm'] }, true],
    [{ source: ['aws.ec2', 'aws.ssm'] }, true],
    [{ source: ['aws.ec2'] }, false],
    [{ detail: { name: [{ prefix: 'doc-' }] } }, true],
    [{ detail: { name: [{ suffix: '-2' }] } }, false],
    [{ detail: { status: [{ 'anything-but': ['Pending', 'InProgress'] }] } }, true],
    [{ detail: { status: [{ 'anything-but': 'Failed' }] } }, false],
    [{ detail: { missing: [{ exists: false }] } }, true],
    [{ detail: { missing: [{ 'anything-but': ['x'] }] } }, false],
    [{ detail: { list: ['b'] } }, true],
    [{ detail: { status: [{ 'equals-ignore-case': 'FAILED' }] } }, true],
  ])('%j matches: %s', (pattern, expected) => {
    expect(matchesPattern(pattern, event)).toBe(expected);
  });
});

describe('identity policies (AWS: Policy evaluation logic)', () => {
  const judge = (
    statements: readonly JsonObject[],
    action: string,
    resource: string,
    context: Readonly<Record<string, string>> = {},
  ): string => {
    const iam = new Iam(true);
    iam.createRole('role');
    iam.attach('role', 'policy', { Version: '2012-10-17', Statement: statements });
    try {
      iam.authorize('role', action, resource, context);
      return 'allowed';
    } catch (error) {
      return error instanceof Error ? error.name : 'failed';
    }
  };
  const allow = (Action: string, Resource: string, more: JsonObject = {}): JsonObject => ({
    Effect: 'Allow',
    Action,
    Resource,
    ...more,
  });

  it.each([
    ['what is allowed by name', [allow('s3:GetObject', 'arn:x')], 's3:GetObject', {}, 'allowed'],
    ['nothing else', [allow('s3:GetObject', 'arn:x')], 's3:PutObject', {}, 'AccessDeniedException'],
    ['wildcards in actions, whatever their case', [allow('S3:get*', 'arn:x')], 's3:GetObject', {}, 'allowed'],
    ['wildcards in resources', [allow('s3:*', 'arn:?')], 's3:GetObject', {}, 'allowed'],
    ['other resources not', [allow('s3:*', 'arn:y*')], 's3:GetObject', {}, 'AccessDeniedException'],
    [
      'a deny before every allow',
      [allow('*', '*'), { Effect: 'Deny', Action: 's3:*', Resource: '*' }],
      's3:GetObject',
      {},
      'AccessDeniedException',
    ],
    [
      'a condition that holds',
      [allow('*', '*', { Condition: { StringLike: { 'a:b': 'op-*' } } })],
      's3:GetObject',
      { 'a:b': 'op-1' },
      'allowed',
    ],
    [
      'a condition whose key the call does not have',
      [allow('*', '*', { Condition: { StringEquals: { 'a:b': 'x' } } })],
      's3:GetObject',
      {},
      'AccessDeniedException',
    ],
  ] as const)('%s', (_sentence, statements, action, context, expected) => {
    expect(judge([...statements], action, 'arn:x', context)).toBe(expected);
  });

  it('what nobody here judges is refused when it is loaded', () => {
    expect(() => judge([{ Effect: 'Allow', NotAction: 's3:*', Resource: '*' }], 's3:GetObject', 'arn:x')).toThrow(
      NotEmulated,
    );
    expect(() =>
      judge([allow('*', '*', { Condition: { IpAddress: { 'aws:SourceIp': '10.0.0.0/8' } } })], 's3:GetObject', 'arn:x'),
    ).toThrow(NotEmulated);
  });
});

describe('policies of resources, and trust (AWS: IAM JSON policy elements, The confused deputy problem)', () => {
  const topic = 'arn:aws:sns:eu-central-1:123456789012:people';
  const alarm = 'arn:aws:cloudwatch:eu-central-1:123456789012:alarm:old';
  const publish = (statements: readonly JsonObject[], source = alarm, service = 'cloudwatch.amazonaws.com') => {
    const iam = new Iam(true);
    if (statements.length > 0) iam.attachToResource(topic, 'topic policy', { Statement: [...statements] });
    return () => iam.authorizeService({ service, action: 'sns:Publish', resource: topic, source });
  };
  const grant = (more: JsonObject = {}): JsonObject => ({
    Effect: 'Allow',
    Action: 'sns:Publish',
    Resource: topic,
    Principal: { Service: 'cloudwatch.amazonaws.com' },
    Condition: { ArnLike: { 'aws:SourceArn': `${alarm}*` }, StringEquals: { 'aws:SourceAccount': '123456789012' } },
    ...more,
  });
  const deny = { Effect: 'Deny', Principal: '*', Action: 'sns:Publish', Resource: topic };

  it('a service may do what the resource allows it, for that source, and nobody else may', () => {
    expect(publish([grant()])).not.toThrow();
    expect(publish([grant()], 'arn:aws:cloudwatch:eu-central-1:123456789012:alarm:new')).toThrow(/not authorized/);
    expect(publish([grant()], alarm, 'events.amazonaws.com')).toThrow(/not authorized/);
    expect(publish([grant({ Action: 'sns:Subscribe' })])).toThrow(/not authorized/);
  });
  it('a deny comes first; plain HTTP is not what the emulator counts as', () => {
    expect(publish([grant(), deny])).toThrow(/not authorized/);
    expect(publish([grant(), { ...deny, Condition: { Bool: { 'aws:SecureTransport': 'false' } } }])).not.toThrow();
  });
  it("a topic without a policy has AWS's default one, which lets this account publish", () => {
    expect(publish([])).not.toThrow();
  });
  it('a bucket policy may allow or deny a role what its own policy does not say', () => {
    const iam = new Iam(true);
    iam.createRole('reader');
    const get = (key: string) => () => iam.authorize('reader', 's3:GetObject', `arn:aws:s3:::b/${key}`);
    expect(get('a')).toThrow(/not authorized/);
    const role = { AWS: 'arn:aws:iam::123456789012:role/reader' };
    const statement = { Action: 's3:GetObject', Resource: 'arn:aws:s3:::b/*', Principal: role };
    iam.attachToResource('arn:aws:s3:::b', 'p', {
      Statement: [
        { ...statement, Effect: 'Allow' },
        { ...statement, Effect: 'Deny', Resource: 'arn:aws:s3:::b/secret' },
      ],
    });
    expect(get('a')).not.toThrow();
    expect(get('secret')).toThrow(/explicit deny/);
    expect(iam.unusedStatements()).toEqual([]);
    expect(iam.usedActions()).toContainEqual({
      owner: 'arn:aws:s3:::b',
      policy: 'p',
      index: 0,
      action: 's3:GetObject',
    });
  });
  it('a role is taken on only by the service that its trust policy names, for the source that it names', () => {
    const iam = new Iam(true);
    const group = 'arn:aws:scheduler:eu-central-1:123456789012:schedule-group/mine';
    iam.createRole('r', {
      Statement: [
        {
          Effect: 'Allow',
          Action: 'sts:AssumeRole',
          Principal: { Service: 'scheduler.amazonaws.com' },
          Condition: { StringEquals: { 'aws:SourceArn': group } },
        },
      ],
    });
    expect(() => iam.assume('r', 'scheduler.amazonaws.com', group)).not.toThrow();
    expect(() => iam.assume('r', 'scheduler.amazonaws.com', group.replace('mine', 'other'))).toThrow(/may not assume/);
    expect(() => iam.assume('r', 'lambda.amazonaws.com', group)).toThrow(/may not assume/);
  });
  it.each([
    ['a federated principal', { Principal: { Federated: 'x' } }],
    ['NotPrincipal', { NotPrincipal: '*' }],
    ['an operator that nobody here judges', { Condition: { DateLessThan: { 'aws:CurrentTime': '2026' } } }],
  ])('%s is refused', (_what, more) => {
    expect(() => new Iam(true).attachToResource(topic, 'p', { Statement: [grant(more)] })).toThrow(NotEmulated);
  });
});
