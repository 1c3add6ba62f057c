// The inside of one Lambda sandbox: loads the bundled handler once, then answers one event at a time.
// Plain JavaScript, because Node 20 starts worker threads without a TypeScript loader.
import { EventEmitter } from 'node:events';
import http from 'node:http';
import { Readable } from 'node:stream';
import { pathToFileURL } from 'node:url';
import { parentPort, workerData } from 'node:worker_threads';

// The AWS SDK warns about Node 20 on every start; a sandbox's log shows what the handler wrote, nothing else.
process.removeAllListeners('warning');
process.on('warning', () => {});

if (workerData.virtualNow) {
  const virtualNow = new Float64Array(workerData.virtualNow);
  const RealDate = Date;
  class VirtualDate extends RealDate {
    constructor(...args) {
      if (args.length === 0) super(virtualNow[0]);
      else super(...args);
    }
    static now() {
      return virtualNow[0];
    }
  }
  Object.defineProperty(VirtualDate, 'name', { value: 'Date' });
  globalThis.Date = VirtualDate;
}

/**
 * Lines of the log go through the port, in order with the answer: over the streams of the thread they came after it when
 * the machine was busy, and a metric of them minutes of virtual time too late.
 */
for (const stream of [process.stdout, process.stderr]) {
  let rest = '';
  stream.write = (text, encoding, written) => {
    const lines = (rest + text).split('\n');
    rest = lines.pop();
    for (const line of lines) parentPort.postMessage({ line });
    (typeof encoding === 'function' ? encoding : written)?.();
    return true;
  };
}

/**
 * Requests to the cloud are handed to it through the port: the way over a socket and back was half of a call. As much of
 * Node's client as the SDK's handler uses.
 */
const endpoint = new URL(process.env.AWS_ENDPOINT_URL);
const overTheWire = http.request;
const asked = new Map();
let calls = 0;
http.request = (options, answered) => {
  if (options.host !== endpoint.hostname || String(options.port) !== endpoint.port)
    return overTheWire(options, answered);
  const { method, path: url } = options;
  const request = new EventEmitter();
  request.destroy = () => request.emit('close');
  request.end = (body = '') => {
    const call = ++calls;
    asked.set(call, ({ status, headers, body: content }) => {
      answered(Object.assign(Readable.from([content], { objectMode: false }), { statusCode: status, headers }));
      request.emit('close');
    });
    const headers = Object.fromEntries(Object.entries(options.headers).map(([name, value]) => [name, String(value)]));
    parentPort.postMessage({ call, method, url, headers, body: Buffer.from(body) });
  };
  return request;
};

const load = async () => {
  const module = await import(pathToFileURL(workerData.file).href);
  const handler = module[workerData.handlerName];
  if (typeof handler !== 'function') {
    throw Object.assign(new Error(`${workerData.handlerName} is undefined or not exported`), {
      name: 'Runtime.HandlerNotFound',
    });
  }
  return handler;
};
const loaded = load().then(
  (handler) => ({ handler }),
  (error) => ({ error }),
);
loaded.then(() => parentPort.postMessage({ ready: true }));

/** As the Node.js runtime reports it: the error's name is the type. */
const described = (error) =>
  error instanceof Error
    ? { errorType: error.name, errorMessage: error.message, trace: String(error.stack ?? '').split('\n') }
    : { errorType: typeof error, errorMessage: String(error), trace: [] };

parentPort.on('message', async (message) => {
  if ('call' in message) {
    asked.get(message.call)(message);
    asked.delete(message.call);
    return;
  }
  const { id, event, context, deadline } = message;
  try {
    const { handler, error } = await loaded;
    if (error) throw error;
    const result = await handler(JSON.parse(event), {
      ...context,
      getRemainingTimeInMillis: () => Math.max(0, deadline - performance.now() - performance.timeOrigin),
    });
    parentPort.postMessage({ id, payload: JSON.stringify(result === undefined ? null : result) });
  } catch (error) {
    parentPort.postMessage({ id, error: described(error) });
  }
});
