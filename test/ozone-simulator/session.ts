import { userInfo } from 'node:os';
import type { Bug } from './faults/points.ts';
import type { FaultEffect } from './faults/rules.ts';
import { ClientError } from './om/errors.ts';
import type { Circumstances } from './om/om.ts';
import { Om } from './om/om.ts';
import type { Runtime } from './runtime.ts';
import type { Universe } from './universe.ts';

const osUser = userInfo().username;

/** One command against the simulated clusters: its runtime, its user, and the faults that strike it. */
export class Session {
  readonly runtime: Runtime;
  readonly user: string;
  readonly services: string[];
  private readonly universe: Universe;
  private readonly effects: readonly FaultEffect[];
  private readonly bugs: ReadonlySet<string>;
  private readonly oms = new Map<string, Om>();
  private readonly reached = new Map<string, number>();
  /** How the command was ended, once it was: nothing that is still to be unwound may have an effect. */
  private ended: (() => never) | null = null;

  constructor(universe: Universe, runtime: Runtime, effects: readonly FaultEffect[]) {
    this.universe = universe;
    this.runtime = this.mortal(withOutputFaults(runtime, effects));
    this.effects = effects;
    this.services = [...universe.services];
    this.user = runtime.env.HADOOP_USER_NAME ?? osUser;
    const asked = (runtime.env.OZONE_SIMULATOR_BUG ?? '').split(',');
    this.bugs = new Set([...asked, ...effects.flatMap((effect) => (effect.kind === 'bug' ? [effect.name] : []))]);
    for (const effect of effects) if (effect.kind === 'slow') runtime.sleep(effect.ms);
  }

  /** The time on the host that runs the command. */
  now(): number {
    return this.universe.now();
  }

  has(bug: Bug): boolean {
    return this.bugs.has(bug);
  }

  get cli(): '2.1' | '2.2' {
    return this.universe.settings('').cli;
  }

  /** `-D ozone.om.service.ids=…` names clusters that the host's configuration does not: nobody answers there. */
  addServices(ids: string | undefined): void {
    for (const id of ids?.split(',') ?? []) if (!this.services.includes(id)) this.services.push(id);
  }

  om(service: string): Om {
    if (!this.services.includes(service)) throw new ClientError(`Cannot resolve OM host ${service} in the URI`);
    const known = this.oms.get(service);
    if (known) return known;
    const om = new Om(
      service,
      this.universe.store(service),
      this.universe.blobs,
      this.universe.settings(service),
      this.around(),
    );
    this.oms.set(service, om);
    return om;
  }

  private mortal(runtime: Runtime): Runtime {
    const ending = (end: () => never) => (): never => {
      this.ended = end;
      return end();
    };
    return { ...runtime, kill: ending(runtime.kill), hang: ending(runtime.hang) };
  }

  reach(point: Parameters<Circumstances['reach']>[0]): void {
    this.ended?.();
    const times = (this.reached.get(point) ?? 0) + 1;
    this.reached.set(point, times);
    const struck = this.effects.some((e) => e.kind === 'crash' && e.point === point && (e.nth ?? 1) === times);
    if (struck || this.universe.watch?.(point)) this.runtime.kill();
  }

  private of<K extends FaultEffect['kind']>(kind: K, service: string): Extract<FaultEffect, { kind: K }> | undefined {
    return this.effects.find(
      (effect): effect is Extract<FaultEffect, { kind: K }> =>
        effect.kind === kind && 'service' in effect && effect.service === service,
    );
  }

  private around(): Circumstances {
    return {
      user: this.user,
      now: (service) => this.universe.now(service) + (this.of('clock-skew', service)?.ms ?? 0),
      reach: (point) => this.reach(point),
      has: (bug) => this.has(bug),
      isUnreachable: (service) =>
        !this.universe.services.includes(service) || this.of('unreachable', service) !== undefined,
      isDenied: (service) => this.of('permission-denied', service) !== undefined,
      isQuotaFull: (service) => this.of('quota-full', service) !== undefined,
      snapshotLimit: (service) => this.of('snapshot-limit', service)?.limit ?? null,
      diffFault: (service) => ({
        failure: this.of('diff-fails', service)?.reason ?? '',
        rejected: this.of('diff-rejected', service) !== undefined,
        omit: this.of('diff-omits', service)?.entry ?? 0,
        ms: this.of('diff-slow', service)?.ms ?? 0,
      }),
    };
  }
}

function withOutputFaults(runtime: Runtime, effects: readonly FaultEffect[]): Runtime {
  for (const effect of effects) if (effect.kind === 'log-line') runtime.out(`${effect.text}\n`);
  const cut = effects.find((effect) => effect.kind === 'cut-output');
  if (!cut) return runtime;
  let left = cut.bytes;
  return {
    ...runtime,
    out(text) {
      const bytes = Buffer.from(text).subarray(0, left);
      left -= bytes.length;
      runtime.out(bytes.toString());
    },
  };
}
