/** What a Task's `Resource` asks for, from the closed list that is emulated. */
export interface Integration {
  /**
   * `aws-sdk` calls an action of DynamoDB or Systems Manager; `lambda` and `states` are optimized integrations; `function` is a plain Lambda ARN;
   * `mocked-only` exists on AWS, and here only where Tasks are mocked. */
  readonly kind: 'lambda-invoke' | 'lambda-function' | 'start-execution' | 'aws-sdk' | 'mocked-only';
  /** As the event history has it (`lambda`, `states`, `aws-sdk:ssm`) */
  readonly resourceType: string;
  /** As the event history has it (`invoke.waitForTaskToken`). */
  readonly resource: string;
  readonly waitsForToken: boolean;
  readonly sync: boolean;
}

/** AWS, "Integrating optimized services": actions, and which patterns each has besides request/response. */
const optimized: Readonly<Record<string, readonly ('sync' | 'sync:2' | 'token')[]>> = {
  'apigateway:invoke': ['token'],
  'athena:startQueryExecution': ['sync'],
  'athena:stopQueryExecution': [],
  'athena:getQueryExecution': [],
  'athena:getQueryResults': [],
  'batch:submitJob': ['sync'],
  'bedrock:invokeModel': [],
  'bedrock:createModelCustomizationJob': ['sync'],
  'codebuild:startBuild': ['sync'],
  'codebuild:stopBuild': [],
  'codebuild:batchDeleteBuilds': [],
  'codebuild:batchGetReports': [],
  'codebuild:startBuildBatch': ['sync'],
  'databrew:startJobRun': ['sync'],
  'dynamodb:getItem': [],
  'dynamodb:putItem': [],
  'dynamodb:updateItem': [],
  'dynamodb:deleteItem': [],
  'ecs:runTask': ['sync', 'token'],
  'eks:call': [],
  'eks:runJob': ['sync'],
  'eks:createCluster': ['sync'],
  'elasticmapreduce:createCluster': ['sync'],
  'elasticmapreduce:addStep': ['sync'],
  'elasticmapreduce:terminateCluster': ['sync'],
  'emr-serverless:createApplication': ['sync'],
  'emr-serverless:startJobRun': ['sync'],
  'events:putEvents': ['token'],
  'glue:startJobRun': ['sync'],
  'http:invoke': [],
  'lambda:invoke': ['token'],
  'mediaconvert:createJob': ['sync'],
  'sagemaker:createTrainingJob': ['sync'],
  'sagemaker:createTransformJob': ['sync'],
  'sagemaker:createProcessingJob': ['sync'],
  'sns:publish': ['token'],
  'sqs:sendMessage': ['token'],
  'states:startExecution': ['sync', 'sync:2', 'token'],
};

/** Reads a `Resource`; a string is the reason why AWS would refuse it. */
export function integrationOf(resource: string): Integration | string {
  if (/^arn:aws:lambda:[a-z0-9-]+:\d{12}:function:[A-Za-z0-9_-]+(:[A-Za-z0-9$_-]+)?$/.test(resource)) {
    return { kind: 'lambda-function', resourceType: 'lambda', resource, waitsForToken: false, sync: false };
  }
  if (/^arn:aws:states:[a-z0-9-]+:\d{12}:activity:[^\s:]{1,80}$/.test(resource)) {
    return { kind: 'mocked-only', resourceType: 'activity', resource, waitsForToken: false, sync: false };
  }
  const found = /^arn:aws:states:[a-z0-9-]*:(?:\d{12})?:(.+)$/.exec(resource)?.[1] ?? '';
  const parts = /^((?:aws-sdk:)?[a-z0-9-]+):([a-zA-Z0-9]+)(?:\.(sync|sync:2|waitForTaskToken))?$/.exec(found);
  const [, service = '', action = '', suffix] = parts ?? [];
  const integration = {
    resourceType: service,
    resource: suffix === undefined ? action : `${action}.${suffix}`,
    waitsForToken: suffix === 'waitForTaskToken',
    sync: suffix === 'sync' || suffix === 'sync:2',
  };
  if (service.startsWith('aws-sdk:')) {
    // AWS, "Supported AWS SDK service integrations": camelCase actions, no `.sync`.
    if (!/^[a-z]/.test(action) || integration.sync) return `there is no integration '${resource}'`;
    const emulated = (service === 'aws-sdk:dynamodb' || service === 'aws-sdk:ssm') && !integration.waitsForToken;
    return { kind: emulated ? 'aws-sdk' : 'mocked-only', ...integration };
  }
  const patterns = optimized[`${service}:${action}`];
  const pattern = suffix === undefined ? undefined : suffix === 'waitForTaskToken' ? 'token' : suffix;
  if (!patterns || !(pattern === undefined || patterns.some((known) => known === pattern))) {
    return `there is no integration '${resource}'`;
  }
  if (service === 'lambda') return { kind: 'lambda-invoke', ...integration };
  if (service === 'states' && suffix !== 'sync') return { kind: 'start-execution', ...integration };
  return { kind: 'mocked-only', ...integration };
}
