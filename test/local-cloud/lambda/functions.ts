import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { FunctionOutcome } from '../asl/execution.ts';
import { working } from '../clock.ts';
import { AwsError } from '../errors.ts';
import type { Faults, FunctionFault } from '../faults.ts';
import type { Endpoint } from '../http.ts';
import type { Json } from '../json.ts';
import { arnOf, type Caller, region, type World } from '../world.ts';
import { Sandbox, type SandboxResult } from './sandbox.ts';

/** A function of the template. */
export interface FunctionDefinition {
  readonly name: string;
  /** Name of its role: the access key of its calls. */
  readonly role: string;
  /** Directory of the bundle and `<file>.<export>`. */
  readonly directory: string;
  readonly handler: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly timeoutSeconds: number;
  readonly memoryMb: number;
  readonly logGroup: string;
  /** Of `$LATEST`, for asynchronous calls (AWS::Lambda::EventInvokeConfig). */
  readonly asynchronousRetries: number;
}

/** A line that a function wrote to its log. */
export interface LogLine {
  readonly function: string;
  readonly at: number;
  readonly line: string;
}

/** Sandboxes of one function that run at once; further calls wait. (AWS would start up to a thousand.) */
const mostSandboxes = 4;
/** AWS Lambda, "How Lambda handles errors and retries with asynchronous invocation": the pauses before the retries. */
const retryPauses = [60_000, 120_000];
export const mostAsynchronousRetries = retryPauses.length;

interface Pool {
  readonly definition: FunctionDefinition;
  readonly idle: Sandbox[];
  readonly all: Set<Sandbox>;
  readonly waiting: (() => void)[];
}

/** AWS Lambda: each function's bundle in worker threads with their own environment. */
export class Functions {
  readonly logs: LogLine[] = [];
  readonly #world: World;
  readonly #endpoint: () => Endpoint;
  readonly #virtualNow: SharedArrayBuffer | undefined;
  readonly #pools = new Map<string, Pool>();
  readonly #faults: Faults;
  readonly #logLine: (line: string) => void;

  constructor(
    world: World,
    faults: Faults,
    endpoint: () => Endpoint,
    virtualNow: SharedArrayBuffer | undefined,
    logLine: (line: string) => void,
  ) {
    this.#world = world;
    this.#faults = faults;
    this.#logLine = logLine;
    this.#endpoint = endpoint;
    this.#virtualNow = virtualNow;
  }

  create(definition: FunctionDefinition): void {
    this.#pools.set(definition.name, { definition, idle: [], all: new Set(), waiting: [] });
  }

  definitions(): readonly FunctionDefinition[] {
    return [...this.#pools.values()].map((pool) => pool.definition);
  }

  /**
   * Calls a function and waits for the result. `target` is a name or ARN, with a version or alias or without; the
   * permission is judged on the ARN as it was called.
   */
  async invoke(caller: Caller, target: string, payload: Json): Promise<FunctionOutcome> {
    const { name, qualifier } = parsedTarget(target);
    const arn = arnOf('lambda', `function:${name}${qualifier === undefined ? '' : `:${qualifier}`}`);
    try {
      this.#world.authorize(caller, 'lambda:InvokeFunction', arn);
    } catch (error) {
      if (!(error instanceof AwsError)) throw error;
      return {
        kind: 'failed',
        error: 'Lambda.AWSLambdaException',
        cause: `${error.message} (Service: Lambda, Status Code: 403)`,
      };
    }
    const pool = this.#pools.get(name);
    if (!pool)
      return { kind: 'failed', error: 'Lambda.ResourceNotFoundException', cause: `Function not found: ${arn}` };
    const fault = this.#faults.function(name)?.fault;
    if (fault === 'throttled')
      return { kind: 'failed', error: 'Lambda.TooManyRequestsException', cause: 'Rate Exceeded.' };
    const result = await working(this.#world.clock, () => this.#run(pool, payload, qualifier, fault));
    if (fault === 'answer-lost')
      return { kind: 'failed', error: 'Lambda.ServiceException', cause: 'Service exception.' };
    if (result.kind === 'returned')
      return { kind: 'returned', payload: result.payload, version: qualifier ?? '$LATEST' };
    const { errorType, errorMessage, trace } = result;
    return { kind: 'failed', error: errorType, cause: JSON.stringify({ errorType, errorMessage, trace }) };
  }

  /**
   * As a rule or a schedule calls: nobody waits for the result; a failing function is called again after a minute and
   * after two more, as far as its EventInvokeConfig allows. The result is that of the first call.
   */
  async invokeAsynchronously(caller: Caller, target: string, payload: Json, attempt = 0): Promise<FunctionOutcome> {
    const outcome = await this.invoke(caller, target, payload);
    const { name } = parsedTarget(target);
    const pause = retryPauses[attempt];
    const retries = this.#pools.get(name)?.definition.asynchronousRetries ?? 0;
    if (outcome.kind === 'failed' && pause !== undefined && attempt < retries) {
      const { clock } = this.#world;
      clock.at(clock.now() + pause, () => void this.invokeAsynchronously(caller, target, payload, attempt + 1));
    }
    return outcome;
  }

  /** Metrics of one call, as Lambda gives them: for the function, for the version or alias called, for all. */
  #measure(name: string, qualifier: string | undefined, result: SandboxResult, milliseconds: number): void {
    const sets: Readonly<Record<string, string>>[] = [{ FunctionName: name }, {}];
    if (qualifier !== undefined) sets.push({ FunctionName: name, Resource: `${name}:${qualifier}` });
    for (const dimensions of sets) {
      this.#world.measure('AWS/Lambda', 'Invocations', dimensions, 1);
      this.#world.measure('AWS/Lambda', 'Errors', dimensions, result.kind === 'failed' ? 1 : 0);
      this.#world.measure('AWS/Lambda', 'Duration', dimensions, milliseconds);
    }
  }

  async #run(
    pool: Pool,
    payload: Json,
    qualifier: string | undefined,
    fault: FunctionFault['fault'] | undefined,
  ): Promise<SandboxResult> {
    const { definition } = pool;
    const { counters, tell } = this.#world;
    counters.add('lambda.invocations');
    counters.add(`lambda.invocations.${definition.name}`);
    const sandbox = await this.#take(pool);
    await sandbox.initialized;
    const started = performance.now();
    const id = randomUUID();
    let timer: NodeJS.Timeout | undefined;
    const timedOut = new Promise<SandboxResult>((resolve) => {
      timer = setTimeout(() => resolve(timeout(definition, id)), definition.timeoutSeconds * 1000);
    });
    const context = {
      awsRequestId: id,
      functionName: definition.name,
      functionVersion: '$LATEST',
      invokedFunctionArn: arnOf('lambda', `function:${definition.name}`),
      memoryLimitInMB: String(definition.memoryMb),
      logGroupName: definition.logGroup,
      logStreamName: id,
    };
    const deadline = Date.now() + definition.timeoutSeconds * 1000;
    const answered = await Promise.race([sandbox.run(id, payload, context, deadline), timedOut]);
    clearTimeout(timer);
    const result = fault === 'time-out-after-effect' ? timeout(definition, id) : answered;
    if (result.kind === 'failed' && result.errorType === 'Sandbox.Timedout') await sandbox.end();
    this.#giveBack(pool, sandbox);
    counters.add('lambda.milliseconds', Math.round(performance.now() - started));
    this.#measure(definition.name, qualifier, result, performance.now() - started);
    tell('function', {
      function: definition.name,
      ok: result.kind === 'returned',
      ms: Math.round(performance.now() - started),
    });
    return result;
  }

  async #take(pool: Pool): Promise<Sandbox> {
    for (;;) {
      const idle = pool.idle.pop();
      if (idle && !idle.gone) return idle;
      if (idle) continue;
      if (pool.all.size < mostSandboxes) {
        const sandbox = this.#sandbox(pool.definition);
        pool.all.add(sandbox);
        return sandbox;
      }
      await new Promise<void>((resolve) => pool.waiting.push(resolve));
    }
  }

  #giveBack(pool: Pool, sandbox: Sandbox): void {
    if (sandbox.gone) pool.all.delete(sandbox);
    else pool.idle.push(sandbox);
    pool.waiting.shift()?.();
  }

  #sandbox(definition: FunctionDefinition): Sandbox {
    const dot = definition.handler.lastIndexOf('.');
    const file = definition.handler.slice(0, dot);
    const handlerName = definition.handler.slice(dot + 1);
    return new Sandbox({
      file: moduleOf(definition.directory, file),
      handlerName,
      virtualNow: this.#virtualNow,
      environment: { ...this.#runtimeEnvironment(definition), ...definition.environment },
      ask: (asked) => this.#endpoint().ask(asked),
      log: (line) => {
        // CloudWatch Logs takes nothing from a role that may not write, and tells nobody.
        if (!this.#mayLog(definition)) return;
        this.#logLine(line);
        this.logs.push({ function: definition.name, at: this.#world.clock.now(), line });
        this.#world.tell('log', { function: definition.name, line });
      },
    });
  }

  #mayLog({ role, logGroup }: FunctionDefinition): boolean {
    try {
      for (const action of ['logs:CreateLogStream', 'logs:PutLogEvents'])
        this.#world.authorize(role, action, arnOf('logs', `log-group:${logGroup}:log-stream:local`));
      return true;
    } catch {
      return false;
    }
  }

  /** What the Lambda runtime sets, and the settings that lead the SDK here. */
  #runtimeEnvironment(definition: FunctionDefinition): Readonly<Record<string, string>> {
    return {
      AWS_REGION: region,
      AWS_DEFAULT_REGION: region,
      AWS_ACCESS_KEY_ID: definition.role,
      AWS_SECRET_ACCESS_KEY: 'local',
      AWS_SESSION_TOKEN: 'local',
      AWS_LAMBDA_FUNCTION_NAME: definition.name,
      AWS_LAMBDA_FUNCTION_VERSION: '$LATEST',
      AWS_LAMBDA_FUNCTION_MEMORY_SIZE: String(definition.memoryMb),
      AWS_LAMBDA_LOG_GROUP_NAME: definition.logGroup,
      AWS_LAMBDA_INITIALIZATION_TYPE: 'on-demand',
      AWS_EXECUTION_ENV: 'AWS_Lambda_nodejs24.x',
      AWS_ENDPOINT_URL: this.#endpoint().url,
      AWS_EC2_METADATA_DISABLED: 'true',
      LAMBDA_TASK_ROOT: definition.directory,
      _HANDLER: definition.handler,
      TZ: ':UTC',
      PATH: '/usr/local/bin:/usr/bin:/bin',
    };
  }

  async close(): Promise<void> {
    const sandboxes = [...this.#pools.values()].flatMap((pool) => [...pool.all]);
    await Promise.all(sandboxes.map((sandbox) => sandbox.end()));
  }
}

/** The runtime takes the first of these that exists. */
function moduleOf(directory: string, file: string): string {
  const found = ['.mjs', '.js', '.cjs']
    .map((extension) => join(directory, `${file}${extension}`))
    .find((path) => existsSync(path));
  if (found === undefined) throw new Error(`no module ${file} in ${directory}`);
  return found;
}

function parsedTarget(target: string): { readonly name: string; readonly qualifier: string | undefined } {
  const parts = target.startsWith('arn:') ? target.split(':').slice(6) : target.split(':');
  return { name: parts[0] ?? '', qualifier: parts[1] };
}

const timeout = (definition: FunctionDefinition, id: string): SandboxResult => ({
  kind: 'failed',
  errorType: 'Sandbox.Timedout',
  errorMessage: `RequestId: ${id} Error: Task timed out after ${definition.timeoutSeconds}.00 seconds`,
  trace: [],
});
