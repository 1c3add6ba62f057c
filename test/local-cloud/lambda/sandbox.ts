import { Worker } from 'node:worker_threads';
import { z } from 'zod';
import type { Answered, Asked } from '../http.ts';
import { type Json, parseJson } from '../json.ts';

/** What a sandbox needs to know of its function. */
export interface SandboxSettings {
  /** The bundle's module. */
  readonly file: string;
  readonly handlerName: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly virtualNow: SharedArrayBuffer | undefined;
  readonly log: (line: string) => void;
  /** Where the requests of its SDK clients are answered. */
  readonly ask: (asked: Asked) => Promise<Answered>;
}

/** How one event ended; `errorType` is the error's name, as the Node.js runtime of Lambda reports it. */
export type SandboxResult =
  | { readonly kind: 'returned'; readonly payload: Json }
  | {
      readonly kind: 'failed';
      readonly errorType: string;
      readonly errorMessage: string;
      readonly trace: readonly string[];
    };

const messageSchema = z.union([
  z.object({
    call: z.number(),
    method: z.string(),
    url: z.string(),
    headers: z.record(z.string(), z.string()),
    body: z.instanceof(Uint8Array),
  }),
  z.object({ line: z.string() }),
  z.object({ ready: z.literal(true) }),
  z.object({ id: z.string(), payload: z.string() }),
  z.object({
    id: z.string(),
    error: z.object({ errorType: z.string(), errorMessage: z.string(), trace: z.array(z.string()) }),
  }),
]);

/** One worker thread with its own environment: what AWS calls an execution environment. Serves one event at a time. */
export class Sandbox {
  readonly #worker: Worker;
  #answer: ((result: SandboxResult) => void) | undefined;
  #gone = false;
  #ready: () => void = () => {};
  /** The bundle is loaded, or will never be. AWS does not count this time against the function's limit. */
  readonly initialized = new Promise<void>((resolve) => {
    this.#ready = resolve;
  });

  constructor(settings: SandboxSettings) {
    this.#worker = new Worker(new URL('./worker.mjs', import.meta.url), {
      env: { ...settings.environment },
      workerData: { file: settings.file, handlerName: settings.handlerName, virtualNow: settings.virtualNow },
      // What is written comes as messages; nothing of it reaches the streams of this process.
      stdout: true,
      stderr: true,
    });
    this.#worker.on('message', (message: unknown) => {
      const answer = messageSchema.parse(message);
      if ('call' in answer) void this.#ask(settings, answer.call, { ...answer, body: Buffer.from(answer.body) });
      else if ('line' in answer) settings.log(answer.line);
      else if ('ready' in answer) this.#ready();
      else if ('error' in answer) this.#settle({ kind: 'failed', ...answer.error });
      else this.#settle({ kind: 'returned', payload: parseJson(answer.payload) ?? null });
    });
    const died = (errorMessage: string) => {
      this.#gone = true;
      this.#ready();
      this.#settle({ kind: 'failed', errorType: 'Runtime.ExitError', errorMessage, trace: [] });
    };
    this.#worker.on('error', (error) => died(`the runtime exited: ${error.message}`));
    this.#worker.on('exit', (code) => died(`Runtime exited with code ${code}`));
  }

  get gone(): boolean {
    return this.#gone;
  }

  run(id: string, event: Json, context: Readonly<Record<string, string>>, deadline: number): Promise<SandboxResult> {
    return new Promise((resolve) => {
      this.#answer = resolve;
      this.#worker.postMessage({ id, event: JSON.stringify(event), context, deadline });
    });
  }

  async end(): Promise<void> {
    this.#gone = true;
    await this.#worker.terminate();
  }

  async #ask({ ask }: SandboxSettings, call: number, asked: Asked): Promise<void> {
    this.#worker.postMessage({ call, ...(await ask(asked)) });
  }

  #settle(result: SandboxResult): void {
    const answer = this.#answer;
    this.#answer = undefined;
    answer?.(result);
  }
}
