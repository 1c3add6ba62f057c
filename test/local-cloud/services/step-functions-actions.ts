import { InvalidDefinition } from '../asl/check.ts';
import type { Execution } from '../asl/execution.ts';
import { countsOf, type MapRun } from '../asl/map-run.ts';
import { AwsError } from '../errors.ts';
import type { JsonObject } from '../json.ts';
import { type Caller, seconds, type World } from '../world.ts';
import { type Actions, page, parseRequest } from './requests.ts';
import type { StateMachine, StepFunctions } from './step-functions.ts';
import {
  createRequest,
  executionRequest,
  failureRequest,
  heartbeatRequest,
  historyRequest,
  listMachinesRequest,
  listMapRunsRequest,
  listRequest,
  machineRequest,
  mapRunRequest,
  redriveRequest,
  startRequest,
  stopRequest,
  successRequest,
  updateRequest,
  validateRequest,
} from './step-functions-requests.ts';

/** The Step Functions API: every action judges its caller, reads a closed request and answers in AWS's members. */
export function stepFunctionsActions(service: StepFunctions, world: World): Actions {
  const { authorize, clock } = world;
  const authorizeToken = (caller: Caller, action: string, taskToken: string): void =>
    authorize(caller, action, service.tokens.listener(taskToken).machineArn);

  return {
    CreateStateMachine: (request, caller) => {
      const { name, definition, roleArn } = parseRequest(createRequest, request);
      authorize(caller, 'states:CreateStateMachine', '*');
      const machine = refusing(() => service.createMachine({ name, definition, roleArn }));
      return { stateMachineArn: machine.arn, creationDate: seconds(machine.created) };
    },
    UpdateStateMachine: (request, caller) => {
      const { stateMachineArn, definition, roleArn } = parseRequest(updateRequest, request);
      authorize(caller, 'states:UpdateStateMachine', stateMachineArn);
      if (definition === undefined && roleArn === undefined)
        throw new AwsError(
          'MissingRequiredParameter',
          'Either the definition, the role ARN, or both must be specified',
        );
      const change = {
        ...(definition === undefined ? {} : { definition }),
        ...(roleArn === undefined ? {} : { roleArn }),
      };
      const machine = refusing(() => service.updateMachine(stateMachineArn, change));
      return { updateDate: seconds(machine.updated), revisionId: machine.revisionId };
    },
    DeleteStateMachine: (request, caller) => {
      const { stateMachineArn } = parseRequest(machineRequest, request);
      authorize(caller, 'states:DeleteStateMachine', stateMachineArn);
      service.deleteMachine(stateMachineArn);
      return {};
    },
    ValidateStateMachineDefinition: (request, caller) => {
      const { definition, maxResults } = parseRequest(validateRequest, request);
      authorize(caller, 'states:ValidateStateMachineDefinition', '*');
      const findings = findingsIn(service, definition);
      const most = maxResults || 100;
      return {
        result: findings.length === 0 ? 'OK' : 'FAIL',
        diagnostics: findings.slice(0, most).map((message) => ({
          severity: 'ERROR',
          code: /^[A-Z_]+(?=:)/.exec(message)?.[0] ?? 'SCHEMA_VALIDATION_FAILED',
          message,
        })),
        truncated: findings.length > most,
      };
    },
    DescribeStateMachine: (request, caller) => {
      const { stateMachineArn } = parseRequest(machineRequest, request);
      authorize(caller, 'states:DescribeStateMachine', stateMachineArn);
      const machine = service.machine(stateMachineArn);
      return {
        stateMachineArn: machine.arn,
        name: machine.name,
        status: machine.deleting ? 'DELETING' : 'ACTIVE',
        definition: machine.text,
        roleArn: machine.roleArn,
        type: 'STANDARD',
        creationDate: seconds(machine.created),
        revisionId: machine.revisionId,
      };
    },
    DescribeStateMachineForExecution: (request, caller) => {
      const { executionArn } = parseRequest(executionRequest, request);
      authorize(caller, 'states:DescribeStateMachineForExecution', executionArn);
      const { machine, mapRun, startDate } = service.execution(executionArn);
      return {
        stateMachineArn: machine.arn,
        name: machine.name,
        definition: isWhole(machine) ? machine.text : JSON.stringify(machine.definition),
        roleArn: machine.roleArn,
        updateDate: seconds(isWhole(machine) ? machine.updated : startDate),
        ...(mapRun === undefined ? {} : { mapRunArn: mapRun.arn, label: mapRun.label }),
      };
    },
    ListStateMachines: (request, caller) => {
      const { maxResults, nextToken } = parseRequest(listMachinesRequest, request);
      authorize(caller, 'states:ListStateMachines', '*');
      const found = page(service.machines(), nextToken, maxResults || 100);
      return {
        stateMachines: found.items.map((machine) => ({
          stateMachineArn: machine.arn,
          name: machine.name,
          type: 'STANDARD',
          creationDate: seconds(machine.created),
        })),
        ...more(found.nextToken),
      };
    },
    StartExecution: (request, caller) => {
      const { stateMachineArn, input, name } = parseRequest(startRequest, request);
      authorize(caller, 'states:StartExecution', stateMachineArn);
      const execution = service.start(stateMachineArn, input ?? '{}', name);
      return { executionArn: execution.arn, startDate: seconds(execution.startDate) };
    },
    StopExecution: (request, caller) => {
      const { executionArn, error, cause } = parseRequest(stopRequest, request);
      authorize(caller, 'states:StopExecution', executionArn);
      const execution = service.execution(executionArn);
      service.stop(execution, error, cause);
      return { stopDate: seconds(execution.stopDate ?? clock.now()) };
    },
    RedriveExecution: (request, caller) => {
      const { executionArn, clientToken } = parseRequest(redriveRequest, request);
      authorize(caller, 'states:RedriveExecution', executionArn);
      return { redriveDate: seconds(service.redrive(service.execution(executionArn), clientToken)) };
    },
    DescribeExecution: (request, caller) => {
      const { executionArn } = parseRequest(executionRequest, request);
      authorize(caller, 'states:DescribeExecution', executionArn);
      const execution = service.execution(executionArn);
      return {
        ...summary(execution),
        input: JSON.stringify(execution.input),
        inputDetails: { included: true },
        ...(execution.output === undefined
          ? {}
          : { output: JSON.stringify(execution.output), outputDetails: { included: true } }),
        ...(execution.error ? { error: execution.error } : {}),
        ...(execution.cause ? { cause: execution.cause } : {}),
        ...redriveStatus(service, execution),
      };
    },
    ListExecutions: (request, caller) => {
      const { stateMachineArn, mapRunArn, statusFilter, redriveFilter, maxResults, nextToken } = parseRequest(
        listRequest,
        request,
      );
      authorize(caller, 'states:ListExecutions', stateMachineArn ?? mapRunArn ?? '*');
      if ((stateMachineArn === undefined) === (mapRunArn === undefined))
        throw new AwsError('ValidationException', 'exactly one of stateMachineArn and mapRunArn is needed');
      const mapRun = mapRunArn === undefined ? undefined : service.mapRun(mapRunArn);
      const machine = stateMachineArn === undefined ? undefined : service.machine(stateMachineArn);
      const all = service
        .executions()
        .filter((one) => (mapRun ? one.mapRun === mapRun : one.machine.arn === machine?.arn))
        .filter((one) => statusFilter === undefined || one.status === statusFilter)
        .filter((one) => redriveFilter === undefined || one.redriveCount > 0 === (redriveFilter === 'REDRIVEN'))
        .reverse();
      const found = page(all, nextToken, maxResults || 100);
      return { executions: found.items.map(summary), ...more(found.nextToken) };
    },
    GetExecutionHistory: (request, caller) => {
      const { executionArn, reverseOrder, maxResults, nextToken } = parseRequest(historyRequest, request);
      authorize(caller, 'states:GetExecutionHistory', executionArn);
      const { events } = service.execution(executionArn).history;
      const found = page(reverseOrder ? [...events].reverse() : events, nextToken, maxResults || 100);
      return {
        events: found.items.map((event) => ({
          id: event.id,
          previousEventId: event.previousEventId,
          timestamp: seconds(event.timestamp),
          type: event.type,
          ...(event.detailsName === undefined || event.details === undefined
            ? {}
            : { [event.detailsName]: event.details }),
        })),
        ...more(found.nextToken),
      };
    },
    ListMapRuns: (request, caller) => {
      const { executionArn, maxResults, nextToken } = parseRequest(listMapRunsRequest, request);
      authorize(caller, 'states:ListMapRuns', executionArn);
      const found = page([...service.execution(executionArn).mapRuns].reverse(), nextToken, maxResults || 100);
      return {
        mapRuns: found.items.map((run) => ({ ...mapRunDates(run), stateMachineArn: run.parent.machine.arn })),
        ...more(found.nextToken),
      };
    },
    DescribeMapRun: (request, caller) => {
      const { mapRunArn } = parseRequest(mapRunRequest, request);
      authorize(caller, 'states:DescribeMapRun', mapRunArn);
      const run = service.mapRun(mapRunArn);
      return {
        ...mapRunDates(run),
        status: run.status,
        maxConcurrency: run.maxConcurrency,
        toleratedFailureCount: run.toleratedCount ?? 0,
        toleratedFailurePercentage: run.toleratedPercentage ?? 0,
        itemCounts: countsOf(run, (unit) => unit.items),
        executionCounts: countsOf(run, () => 1),
        redriveCount: run.redriveCount,
        ...(run.redriveDate === undefined ? {} : { redriveDate: seconds(run.redriveDate) }),
      };
    },
    SendTaskSuccess: (request, caller) => {
      const { taskToken, output } = parseRequest(successRequest, request);
      authorizeToken(caller, 'states:SendTaskSuccess', taskToken);
      service.tokens.success(taskToken, output);
      return {};
    },
    SendTaskFailure: (request, caller) => {
      const { taskToken, error, cause } = parseRequest(failureRequest, request);
      authorizeToken(caller, 'states:SendTaskFailure', taskToken);
      service.tokens.failure(taskToken, error ?? '', cause ?? '');
      return {};
    },
    SendTaskHeartbeat: (request, caller) => {
      const { taskToken } = parseRequest(heartbeatRequest, request);
      authorizeToken(caller, 'states:SendTaskHeartbeat', taskToken);
      service.tokens.heartbeat(taskToken);
      return {};
    },
  };
}

const more = (nextToken: string | undefined): JsonObject => (nextToken === undefined ? {} : { nextToken });

const isWhole = (machine: Execution['machine']): machine is StateMachine => 'text' in machine;

/** A refused definition, as the API answers it. */
function refusing<T>(action: () => T): T {
  try {
    return action();
  } catch (error) {
    if (error instanceof InvalidDefinition) throw new AwsError('InvalidDefinition', error.message);
    throw error;
  }
}

function findingsIn(service: StepFunctions, definition: string): readonly string[] {
  try {
    service.check(definition);
    return [];
  } catch (error) {
    if (error instanceof InvalidDefinition) return error.findings;
    throw error;
  }
}

function redriveStatus(service: StepFunctions, execution: Execution): JsonObject {
  const reason = service.notRedrivable(execution);
  return {
    redriveCount: execution.redriveCount,
    ...(execution.redriveDate === undefined ? {} : { redriveDate: seconds(execution.redriveDate) }),
    ...(reason === undefined
      ? { redriveStatus: execution.mapRun ? 'REDRIVABLE_BY_MAP_RUN' : 'REDRIVABLE' }
      : { redriveStatus: 'NOT_REDRIVABLE', redriveStatusReason: reason }),
  };
}

function mapRunDates(run: MapRun): JsonObject {
  return {
    executionArn: run.parent.arn,
    mapRunArn: run.arn,
    startDate: seconds(run.startDate),
    ...(run.stopDate === undefined ? {} : { stopDate: seconds(run.stopDate) }),
  };
}

function summary(execution: Execution): JsonObject {
  return {
    executionArn: execution.arn,
    stateMachineArn: execution.machine.arn,
    name: execution.name,
    status: execution.status,
    startDate: seconds(execution.startDate),
    ...(execution.stopDate === undefined ? {} : { stopDate: seconds(execution.stopDate) }),
    ...(execution.mapRun === undefined ? {} : { mapRunArn: execution.mapRun.arn }),
    ...(execution.startedAs === execution.machine.arn ? {} : { stateMachineVersionArn: execution.startedAs }),
  };
}
