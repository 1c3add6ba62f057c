/** The part of dynalite 4 that is used: an HTTP server that speaks DynamoDB's protocol. */
declare module 'dynalite' {
  import type { Server } from 'node:http';

  interface Options {
    readonly createTableMs?: number;
    readonly deleteTableMs?: number;
    readonly updateTableMs?: number;
    readonly path?: string;
  }
  export default function dynalite(options?: Options): Server;
}
