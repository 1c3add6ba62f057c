import { readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import * as z from 'zod';
import { escaped } from '../../functions/core/domain/text.ts';

/** A custom widget as a dashboard has it. Sizes are in its grid: 24 columns, rows of 50 pixels. */
export interface HostedWidget {
  readonly title: string;
  /** ARN of the function. */
  readonly endpoint: string;
  readonly params: Readonly<Record<string, unknown>>;
  readonly width: number;
  readonly height: number;
}

export interface HostOptions {
  readonly dashboard: string;
  readonly widgets: readonly HostedWidget[];
  /** Calls a function by its ARN. An error is shown as CloudWatch shows it: in place of the widget. */
  readonly invoke: (endpoint: string, event: unknown) => Promise<unknown>;
  /** 0, the default: any free one. */
  readonly port?: number;
}

export interface DashboardHost {
  readonly url: string;
  close(): Promise<void>;
}

const Invocation = z.object({ endpoint: z.string(), event: z.unknown() });
const MOST = 6_000_000;

const pageFile = (name: string): string =>
  readFileSync(fileURLToPath(new URL(`./page/${name}`, import.meta.url)), 'utf8');
const purify = (): string =>
  readFileSync(createRequire(import.meta.url).resolve('dompurify/dist/purify.min.js'), 'utf8');

const bodyOf = async (request: IncomingMessage): Promise<string> => {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of request) {
    length += chunk.length;
    if (length > MOST) throw new Error('too long: Lambda takes 6 MB');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
};

/** Serves a dashboard on loopback. Only a page of its own may call functions through it. */
export const startHost = async ({ dashboard, widgets, invoke, port = 0 }: HostOptions): Promise<DashboardHost> => {
  const data = JSON.stringify({ dashboard, widgets }).replaceAll('<', '\\u003c');
  const files: Readonly<Record<string, readonly [type: string, text: string]>> = {
    '/': [
      'text/html',
      pageFile('index.html')
        .replace('__TITLE__', () => escaped(dashboard))
        .replace('"__DASHBOARD__"', () => data),
    ],
    '/dashboard.mjs': ['text/javascript', pageFile('dashboard.mjs')],
    '/purify.js': ['text/javascript', purify()],
  };
  const send = (response: ServerResponse, status: number, type: string, text: string): void => {
    response.writeHead(status, { 'content-type': `${type}; charset=utf-8`, 'cache-control': 'no-store' }).end(text);
  };
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    // A page of another site could reach this port by a name of its own.
    if (!/^(127\.0\.0\.1|localhost)(:\d+)?$/.test(request.headers.host ?? ''))
      return send(response, 403, 'text/plain', 'call it 127.0.0.1');
    const { pathname } = new URL(request.url ?? '/', 'http://127.0.0.1');
    if (request.method === 'POST' && pathname === '/invoke') {
      if (request.headers['content-type'] !== 'application/json') return send(response, 415, 'text/plain', 'JSON only');
      const { endpoint, event } = Invocation.parse(JSON.parse(await bodyOf(request)));
      const result = await invoke(endpoint, event).then(
        (it) => ({ answer: it }),
        (error: unknown) => ({ error: error instanceof Error ? `${error.name}: ${error.message}` : String(error) }),
      );
      return send(response, 200, 'application/json', JSON.stringify(result));
    }
    const file = files[pathname];
    return file ? send(response, 200, file[0], file[1]) : send(response, 404, 'text/plain', 'there is nothing here');
  };
  const server = createServer((request, response) => {
    answer(request, response).catch((error: unknown) => send(response, 400, 'text/plain', String(error)));
  });
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(port, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the page has no port');
  return {
    url: `http://127.0.0.1:${address.port}/`,
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
};
