/** What a Task's `Resource` asks for, from the closed list that is emulated. */
export interface Integration {
  /** `aws-sdk` calls an action of DynamoDB or Systems Manager; `lambda` and `states` are optimized integrations; `function` is a plain Lambda ARN. */
  readonly kind: 'lambda-invoke' | 'lambda-function' | 'start-execution' | 'aws-sdk';
  /** As the event history has it (`lambda`, `states`, `aws-sdk:ssm`) */
  readonly resourceType: string;
  /** As the event history has it (`invoke.waitForTaskToken`). */
  readonly resource: string;
  readonly waitsForToken: boolean;
  readonly sync: boolean;
}

/** Reads a `Resource`; a string is the reason why it is refused. */
export function integrationOf(resource: string): Integration | string {
  if (/^arn:aws:lambda:[a-z0-9-]+:\d{12}:function:[A-Za-z0-9_-]+(:[A-Za-z0-9$_-]+)?$/.test(resource)) {
    return { kind: 'lambda-function', resourceType: 'lambda', resource, waitsForToken: false, sync: false };
  }
  const found = /^arn:aws:states:[a-z0-9-]*:(?:\d{12})?:(.+)$/.exec(resource)?.[1];
  switch (found) {
    case 'lambda:invoke':
    case 'lambda:invoke.waitForTaskToken': {
      const waits = found.endsWith('.waitForTaskToken');
      return {
        kind: 'lambda-invoke',
        resourceType: 'lambda',
        resource: waits ? 'invoke.waitForTaskToken' : 'invoke',
        waitsForToken: waits,
        sync: false,
      };
    }
    case 'states:startExecution':
    case 'states:startExecution.sync:2':
    case 'states:startExecution.waitForTaskToken':
      return {
        kind: 'start-execution',
        resourceType: 'states',
        resource: found.slice('states:'.length),
        waitsForToken: found.endsWith('.waitForTaskToken'),
        sync: found.endsWith('.sync:2'),
      };
    default: {
      const sdk = /^aws-sdk:(dynamodb|ssm):([a-zA-Z0-9]+)$/.exec(found ?? '');
      if (!sdk) return `the integration '${resource}' is not emulated`;
      return {
        kind: 'aws-sdk',
        resourceType: `aws-sdk:${sdk[1]}`,
        resource: sdk[2] ?? '',
        waitsForToken: false,
        sync: false,
      };
    }
  }
}
