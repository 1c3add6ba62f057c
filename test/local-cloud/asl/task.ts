import type { Cancel } from '../clock.ts';
import { AwsError } from '../errors.ts';
import { isObject, type Json, type JsonObject } from '../json.ts';
import type { TaskState } from './definition.ts';
import { StateError } from './errors.ts';
import { type Call, describeForParent } from './execution.ts';
import { checkSize, type Entered, evaluateIn, type Frame, numberIn } from './frame.ts';
import { dataDetails } from './history.ts';
import { type Integration, integrationOf } from './integrations.ts';

interface Attempt {
  readonly frame: Frame;
  readonly entered: Entered;
  readonly integration: Integration;
  readonly request: Json;
}

/** AWS, "Task workflow state": what TimeoutSeconds and HeartbeatSeconds may be. */
const limits = { from: 1, to: 99_999_999 };

/** One attempt of a Task: evaluates its fields, calls, waits for the token where asked, and keeps the time-outs. */
export async function attemptTask(frame: Frame, state: TaskState, entered: Entered): Promise<Json> {
  const integration = integrationOf(state.Resource);
  if (typeof integration === 'string') throw new StateError('States.Runtime', integration);
  const { clock, tokens } = frame.surroundings;

  let settleToken: (outcome: () => Json) => void = () => {};
  let beat: () => void = () => {};
  let early: (() => Json) | undefined;
  const token = integration.waitsForToken
    ? tokens.open({
        machineArn: frame.execution.machine.arn,
        ended: (outcome) => {
          early = outcome;
          settleToken(outcome);
        },
        beat: () => beat(),
      })
    : undefined;
  try {
    const request =
      state.Arguments === undefined
        ? integration.kind === 'lambda-function'
          ? entered.input
          : {}
        : await evaluateIn(frame, entered, state.Arguments, 'Arguments', token === undefined ? {} : { token });
    checkSize(request, `The arguments of the state '${entered.name}'`);
    const timeout = await numberIn(frame, entered, state.TimeoutSeconds, 'TimeoutSeconds', limits);
    const heartbeat = await numberIn(frame, entered, state.HeartbeatSeconds, 'HeartbeatSeconds', limits);
    const attempt = { frame, entered, integration, request };
    scheduled(attempt, timeout, heartbeat);

    const result = await frame.strand.pause<Json>((settle) => {
      let over = false;
      const cancels: Cancel[] = [];
      if (timeout !== undefined) {
        cancels.push(clock.at(clock.now() + timeout * 1000, () => settle(() => timedOut('States.Timeout'))));
      }
      if (token !== undefined && heartbeat !== undefined) {
        let cancelBeat: Cancel = () => {};
        beat = () => {
          cancelBeat();
          cancelBeat = clock.at(clock.now() + heartbeat * 1000, () =>
            settle(() => timedOut('States.HeartbeatTimeout')),
          );
        };
        beat();
        cancels.push(() => cancelBeat());
      }
      settleToken = settle;
      if (early) settle(early);
      const mocked = frame.surroundings.mock?.(entered.name, integration.waitsForToken);
      const call = mocked ?? callOf(attempt);
      cancels.push(call.giveUp);
      call.result.then(
        (value) => {
          if (token === undefined || mocked !== undefined) settle(() => value);
          else if (!over) {
            try {
              record(attempt, 'TaskSubmitted', dataDetails('output', value));
            } catch (error) {
              settle(() => {
                throw error;
              });
            }
          }
        },
        (error: unknown) =>
          settle(() => {
            throw error;
          }),
      );
      return () => {
        over = true;
        for (const cancel of cancels) cancel();
      };
    });
    checkSize(result, `The state/task '${state.Resource}' returned a result that`);
    succeeded(attempt, result);
    return result;
  } catch (error) {
    if (error instanceof StateError && error.location === undefined) failed(frame, integration, error);
    throw error;
  } finally {
    if (token !== undefined) tokens.close(token);
  }
}

const timedOut = (name: string): never => {
  throw new StateError(name, '');
};

function callOf(attempt: Attempt): Call {
  const { frame, integration } = attempt;
  switch (integration.kind) {
    case 'mocked-only':
      throw new StateError('States.Runtime', `${integration.resourceType}:${integration.resource} is not emulated`);
    case 'lambda-invoke':
    case 'lambda-function':
      return { result: invoke(attempt), giveUp: () => {} };
    case 'start-execution':
      return startExecution(attempt);
    case 'aws-sdk': {
      const service = integration.resourceType.slice('aws-sdk:'.length);
      return { result: callService(frame, service, integration.resource, objectOf(attempt)), giveUp: () => {} };
    }
  }
}

function objectOf(attempt: Attempt): JsonObject {
  if (isJsonObject(attempt.request)) return attempt.request;
  throw new StateError('States.Runtime', `Arguments of '${attempt.entered.name}' must be an object`);
}

const isJsonObject = (value: Json): value is JsonObject => isObject(value);

async function invoke(attempt: Attempt): Promise<Json> {
  const { frame, integration } = attempt;
  const { role } = frame.execution.machine;
  if (integration.kind === 'lambda-function') {
    const outcome = await frame.surroundings.invoke(role, integration.resource, attempt.request);
    if (outcome.kind === 'failed') throw new StateError(outcome.error, outcome.cause);
    return outcome.payload;
  }
  const request = objectOf(attempt);
  const unknown = Object.keys(request).filter((name) => !['FunctionName', 'Payload', 'Qualifier'].includes(name));
  const { FunctionName: name, Payload: payload, Qualifier: qualifier } = request;
  if (typeof name !== 'string' || unknown.length > 0) {
    throw new StateError(
      'States.Runtime',
      `lambda:invoke needs FunctionName and takes Payload and Qualifier, not ${unknown.join(', ')}`,
    );
  }
  const target = typeof qualifier === 'string' ? `${name}:${qualifier}` : name;
  const outcome = await frame.surroundings.invoke(role, target, payload ?? {});
  if (outcome.kind === 'failed') throw new StateError(outcome.error, outcome.cause);
  return {
    ExecutedVersion: outcome.version,
    Payload: outcome.payload,
    SdkHttpMetadata: { AllHttpHeaders: {}, HttpHeaders: {}, HttpStatusCode: 200 },
    SdkResponseMetadata: { RequestId: frame.execution.name },
    StatusCode: 200,
  };
}

function startExecution(attempt: Attempt): Call {
  const { frame, integration } = attempt;
  const { surroundings, execution } = frame;
  let child: ReturnType<typeof surroundings.startChild>;
  try {
    child = surroundings.startChild(execution.machine.role, objectOf(attempt), integration.sync);
  } catch (error) {
    return { result: Promise.reject(serviceError('StepFunctions', 'sfn', error)), giveUp: () => {} };
  }
  const started = { ExecutionArn: child.arn, StartDate: child.startDate };
  if (!integration.sync) return { result: Promise.resolve(started), giveUp: () => {} };
  record(attempt, 'TaskSubmitted', dataDetails('output', started));
  const result = new Promise<Json>((resolve, reject) => {
    surroundings.whenEnded(child, () => {
      const description = describeForParent(child);
      if (child.status === 'SUCCEEDED') resolve(description);
      else reject(new StateError('States.TaskFailed', JSON.stringify(description)));
    });
  });
  const giveUp = () => {
    if (child.status === 'RUNNING') surroundings.stopChild(child, execution.machine.role);
  };
  return { result, giveUp };
}

async function callService(frame: Frame, service: string, action: string, request: JsonObject): Promise<Json> {
  try {
    return await frame.surroundings.callService(frame.execution.machine.role, service, action, request);
  } catch (error) {
    throw serviceError(service.charAt(0).toUpperCase() + service.slice(1), service, error);
  }
}

/** Error names of integrations: `<Service>.<Shape>Exception`. `DynamoDb` is how AWS spells that service there. */
function serviceError(prefix: string, service: string, error: unknown): unknown {
  if (!(error instanceof AwsError)) return error;
  const family = service === 'dynamodb' ? 'DynamoDb' : prefix;
  const name = error.name.endsWith('Exception') ? error.name : `${error.name}Exception`;
  return new StateError(`${family}.${name}`, `${error.message} (Service: ${family}, Status Code: ${error.status})`);
}

function record(attempt: Attempt, type: string, details: JsonObject): void {
  const { resourceType, resource } = attempt.integration;
  attempt.frame.execution.history.add(attempt.frame.strand, type, { resourceType, resource, ...details });
}

function scheduled(attempt: Attempt, timeout: number | undefined, heartbeat: number | undefined): void {
  const { frame, integration, request } = attempt;
  const limits = {
    ...(timeout === undefined ? {} : { timeoutInSeconds: timeout }),
    ...(heartbeat === undefined ? {} : { heartbeatInSeconds: heartbeat }),
  };
  if (integration.kind === 'lambda-function') {
    const { heartbeatInSeconds: _none, ...own } = { heartbeatInSeconds: 0, ...limits };
    frame.execution.history.add(frame.strand, 'LambdaFunctionScheduled', {
      resource: integration.resource,
      ...dataDetails('input', request),
      ...own,
    });
    frame.execution.history.add(frame.strand, 'LambdaFunctionStarted');
    return;
  }
  record(attempt, 'TaskScheduled', { region: 'eu-central-1', parameters: JSON.stringify(request), ...limits });
  record(attempt, 'TaskStarted', {});
}

function succeeded(attempt: Attempt, result: Json): void {
  if (attempt.integration.kind === 'lambda-function') {
    attempt.frame.execution.history.add(attempt.frame.strand, 'LambdaFunctionSucceeded', dataDetails('output', result));
  } else {
    record(attempt, 'TaskSucceeded', dataDetails('output', result));
  }
}

function failed(frame: Frame, integration: Integration, error: StateError): void {
  const isTimeout = error.error === 'States.Timeout' || error.error === 'States.HeartbeatTimeout';
  const details = { error: error.error, cause: error.cause };
  if (integration.kind === 'lambda-function') {
    frame.execution.history.add(frame.strand, isTimeout ? 'LambdaFunctionTimedOut' : 'LambdaFunctionFailed', details);
    return;
  }
  const { resourceType, resource } = integration;
  frame.execution.history.add(frame.strand, isTimeout ? 'TaskTimedOut' : 'TaskFailed', {
    resourceType,
    resource,
    ...details,
  });
}
