import { RestorePlanned } from '../../functions/core/domain/restore.ts';
import type { Ended, Moment, Work } from '../in-process-edge/execution.ts';
import type { Between, Side } from '../in-process-edge/lab.ts';
import type { Change } from '../ozone-simulator/change.ts';
import { CHANGES, FIRST } from './crash-matrix-backups.ts';
import { intercept } from './crash-matrix-promises.ts';
import { RESTORE_TROUBLES } from './crash-matrix-restores.ts';
import type { Strike } from './crash-matrix-strikes.ts';
import { HOUR_MS, type Onward, Trial } from './crash-matrix-trial.ts';
import { RolePromises } from './role-promises.ts';

/** What moves the roles, or prepares it. */
type Asked = 'planned' | 'unplanned' | 'prepare' | 'switch';

/** What a failover or a failback finds, and what it has to make of it. */
export interface RoleScenario {
  readonly name: string;
  readonly mode: 'incremental-or-resync';
  /** What is struck; what has to come before it is done before. */
  readonly asked: Asked;
  /** The source cluster does not answer. */
  readonly isLost?: boolean;
  /** What is in the replica besides the last verified point: half an increment, or what somebody wrote. */
  readonly damage?: readonly Change[];
  /** Somebody writes to the source whenever a snapshot of it was taken: the failover has to be refused. */
  readonly isBusy?: boolean;
  /** What was written to the old primary and never replicated. */
  readonly orphans?: readonly Change[];
  readonly isWithoutEvents?: boolean;
}

const scenario = (name: string, asked: Asked, more: Partial<RoleScenario> = {}): RoleScenario => ({
  name,
  mode: 'incremental-or-resync',
  asked,
  ...more,
});

const DAMAGE: readonly Change[] = [
  { op: 'put', path: 'stays/b', size: 21, seed: 71 },
  { op: 'put', path: 'foreign/x', size: 9, seed: 72 },
  { op: 'rmr', path: 'goes' },
];
const ORPHANS: readonly Change[] = [
  { op: 'put', path: 'stays/a', size: 11, seed: 81 },
  { op: 'put', path: 'orphaned/o', size: 12, seed: 82 },
];
/** What people write to the new primary. */
const MOVED_ON: readonly Change[] = [
  { op: 'put', path: 'stays/a', size: 13, seed: 91 },
  { op: 'put', path: 'after/failover', size: 14, seed: 92 },
];

export const ROLES: readonly RoleScenario[] = [
  scenario('a failover of a lost source', 'unplanned', { isLost: true }),
  scenario('a failover of a lost source in the middle of an increment', 'unplanned', {
    isLost: true,
    damage: DAMAGE,
  }),
  scenario('a failover of a lost source, no events', 'unplanned', {
    isLost: true,
    damage: DAMAGE,
    isWithoutEvents: true,
  }),
  scenario('a failover on purpose', 'planned'),
  scenario('a failover on purpose, while somebody goes on writing', 'planned', { isBusy: true }),
  scenario('a failback prepared, with orphans', 'prepare', { orphans: ORPHANS }),
  scenario('a failback prepared, without orphans', 'prepare'),
  scenario('a failback prepared, no events', 'prepare', { orphans: ORPHANS, isWithoutEvents: true }),
  scenario('a failback, the switch', 'switch', { orphans: ORPHANS }),
];

/** Writes to the source after each snapshot that is taken of it. */
class Busy {
  isAtWork = false;
  #write: ((changes: readonly Change[]) => void) | undefined;
  #written = 0;

  watch({ lab, strikes }: Trial): void {
    this.#write = (changes) => strikes.quietly(() => lab.source.change(changes));
  }

  readonly between: Between = (name, port) =>
    name === 'ozone'
      ? intercept(port, (method, args, go) => {
          const done = go();
          if (this.isAtWork && method === 'run' && JSON.stringify(args).includes('snapshot create o3://prod/')) {
            this.#written += 1;
            this.#write?.([{ op: 'put', path: `busy/f${this.#written}`, size: 5, seed: this.#written }]);
          }
          return done;
        })
      : port;
}

const WORK_OF: Readonly<Record<Asked, 'failover' | 'failback'>> = {
  planned: 'failover',
  unplanned: 'failover',
  prepare: 'failback',
  switch: 'failback',
};

/** Failovers and failbacks, until the roles are where they were asked to be. */
export class RoleTrial extends Trial<RolePromises> {
  readonly #scenario: RoleScenario;
  readonly #busy: Busy;
  #asked: Asked;
  /** The confirmation that a person has, once a plan was made. */
  #words: { readonly plan: string; readonly confirmation: string } | undefined;
  #given: object = {};
  #isBack = false;

  constructor(its: RoleScenario, strike: Strike | undefined) {
    const busy = new Busy();
    super(
      {
        work: WORK_OF[its.asked],
        isWithoutEvents: its.isWithoutEvents ?? false,
        promises: new RolePromises(),
        lab: { mode: its.mode },
        troubles: RESTORE_TROUBLES,
        world: busy.between,
      },
      strike,
    );
    busy.watch(this);
    this.#busy = busy;
    this.#scenario = its;
    this.#asked = its.asked;
  }

  protected override async prepare(): Promise<void> {
    const { asked, isLost, damage, isBusy, orphans } = this.#scenario;
    this.lab.source.change(FIRST);
    await this.run('next slot', 'backup');
    this.lab.advance(HOUR_MS);
    this.lab.source.change(CHANGES);
    if (WORK_OF[asked] === 'failback') await this.#failedOver(orphans);
    if (damage) this.lab.replica.change(damage);
    if (asked === 'switch') await this.#do('prepare');
    if (asked === 'switch') this.lab.replica.change([{ op: 'put', path: 'before/switch', size: 15, seed: 93 }]);
    if (isLost) this.lab.ozone.setFaults([{ id: 'lost', effect: { kind: 'unreachable', service: 'prod' } }]);
    this.lab.advance(HOUR_MS);
    this.#busy.isAtWork = isBusy ?? false;
    this.#asked = asked;
    this.told.length = 0;
  }

  async #failedOver(orphans: readonly Change[] | undefined): Promise<void> {
    await this.#do(orphans ? 'unplanned' : 'planned');
    if (orphans) this.lab.source.change(orphans);
    this.lab.replica.change(MOVED_ON);
    this.lab.advance(HOUR_MS);
  }

  /** Plans and confirms, with nothing that goes wrong. */
  async #do(asked: Asked): Promise<Ended> {
    this.#asked = asked;
    this.#words = undefined;
    const ended = await this.#plan(WORK_OF[asked], 'next slot');
    this.#words = undefined;
    if (ended.status !== 'SUCCEEDED') throw new Error(`${asked}: ${ended.error} ${ended.cause}`);
    return ended;
  }

  protected override begin(work: Work): AsyncGenerator<Moment, Ended> {
    if (work === 'backup')
      return this.lab.startWith({ slot: this.slot, ...(this.#isBack ? { back: true } : {}) }, this.functions, work);
    return this.lab.startWith({ kind: this.#asked, slot: this.slot, ...this.#given }, this.functions, work);
  }

  /** The other one has a plan and words of his own. */
  override async nextSlotMeanwhile(work?: Work): Promise<void> {
    const [words, given] = [this.#words, this.#given];
    await super.nextSlotMeanwhile(work);
    this.#words = words;
    this.#given = given;
  }

  /** What was confirmed is tried again as it is, and planned anew when that is refused. */
  protected override async attempt(onward: Onward): Promise<Ended> {
    const work = WORK_OF[this.#scenario.asked];
    if (onward === 'same slot' && this.#words) {
      this.#given = this.#words;
      const ended = await this.run('same slot', work);
      const isRefused =
        ended.status === 'FAILED' && ['NotConfirmed', 'ChangedMeanwhile', 'EventInvalid'].includes(ended.error);
      if (!isRefused) return ended;
      this.lab.advance(1000);
      return this.#plan(work, 'next slot');
    }
    return this.#plan(work, onward);
  }

  async #plan(work: 'failover' | 'failback', onward: Onward): Promise<Ended> {
    this.#given = {};
    const planned = await this.run(this.#words ? 'next slot' : onward, work);
    this.#words = undefined;
    const plan = planned.status === 'SUCCEEDED' ? RestorePlanned.safeParse(planned.output).data : undefined;
    if (!plan || plan.confirmation === null) return planned;
    this.#words = { plan: plan.plan, confirmation: plan.confirmation };
    this.#given = this.#words;
    this.lab.advance(1000);
    return this.run('next slot', work);
  }

  #say(holds: boolean, what: string): void {
    if (!holds) this.promises.broken.push(what);
  }

  #tree(side: Side, name?: string): string {
    return JSON.stringify([...this.lab.tree(side, name)]);
  }

  protected override async isOver(ended: Ended): Promise<boolean> {
    const { asked, isBusy } = this.#scenario;
    const { role } = this.promises;
    const error = ended.status === 'FAILED' ? ended.error : undefined;
    if (isBusy) {
      this.#say(role === null, 'the failover was to be refused, and the roles moved');
      return error === 'ChangedMeanwhile';
    }
    if (asked === 'prepare') {
      if (ended.status === 'FAILED') return false;
      this.#say(role?.primary === 'replica' && role.prepared !== null, 'it is prepared, and the role does not say so');
      this.#expectOrphans();
      this.#say(
        this.#tree('source') === this.#tree('replica'),
        'it is prepared, and the old primary is not the new one',
      );
      return true;
    }
    const to = asked === 'switch' ? 'source' : 'replica';
    // Somebody who starts again what is done is told that nothing is left to do.
    const isThere = role?.primary === to && role.state === 'settled';
    if (ended.status === 'FAILED' && !(error === 'NotPrimary' && isThere)) return false;
    this.#say(isThere, `it succeeded, and the role is ${JSON.stringify(role)}`);
    const points = await this.lab.ledger.livingPoints(this.lab.pairId);
    if (!role || !isThere) return true;
    this.#say(this.#tree(to) === this.#tree(to, role.point), 'the new primary is not what its point is');
    if (asked === 'unplanned') this.#say(role.point === points[0]?.name, 'it is not the newest verified point');
    else this.#say(this.#tree('source') === this.#tree('replica'), 'something of the old primary was lost');
    return true;
  }

  #expectOrphans(): void {
    if (!this.#scenario.orphans) return;
    const { ozone } = this.lab;
    const names = ozone.buckets('prod', 'sales').filter((name) => name.startsWith('orders-orphans-'));
    for (const { path } of ORPHANS)
      this.#say(
        names.some((name) => ozone.tree(`ofs://prod/sales/${name}`).has(path)),
        `it is prepared, and ${path} is in none of ${names}`,
      );
  }

  /** Roles and all that follows from them work in the ordinary way. */
  protected override async oneMore(): Promise<void> {
    const { asked } = this.#scenario;
    this.strikes.rest();
    this.#busy.isAtWork = false;
    this.lab.ozone.setFaults([]);
    await this.untilNextSlot();
    if (WORK_OF[asked] === 'failover' && this.promises.role !== null) {
      await this.#expectRefused(true);
      await this.#expectRefused(false);
      await this.#do('prepare');
      this.lab.advance(HOUR_MS);
    }
    const isBack = this.promises.role?.primary === 'replica';
    await this.#expectRefused(!isBack);
    // What one backup makes of a lineage that was struck, the next one finds in order.
    if (!isBack) await this.#backUp(false);
    this.lab.advance(HOUR_MS);
    this.lab[isBack ? 'replica' : 'source'].change([{ op: 'put', path: 'afterwards', size: 3, seed: 3 }]);
    const before = this.promises.copies.length;
    const ended = await this.#backUp(isBack);
    this.#say(ended.status === 'SUCCEEDED', 'the backup after all that did not succeed');
    const [copy, ...more] = this.promises.copies.slice(before);
    this.#say(
      copy !== undefined && more.length === 0 && !copy.isFull && copy.into === (isBack ? 'source' : 'replica'),
      `the backup after all that was not one increment: ${JSON.stringify(this.promises.copies.slice(before))}`,
    );
    this.#say(this.#tree('source') === this.#tree('replica'), 'after the backup both sides are not equal');
    await this.promises.check({ whole: true });
  }

  async #backUp(isBack: boolean): Promise<Ended> {
    this.#isBack = isBack;
    const ended = await this.run('next slot', 'backup');
    this.#isBack = false;
    return ended;
  }

  async #expectRefused(isBack: boolean): Promise<void> {
    this.lab.advance(1000);
    // What a copy of before still brings the other way, late, is not this backup's.
    const copied = () => this.promises.copies.filter(({ into }) => into === (isBack ? 'source' : 'replica')).length;
    const before = copied();
    const ended = await this.#backUp(isBack);
    const error = ended.status === 'SUCCEEDED' && 'error' in ended.output ? ended.output.error : ended.status;
    this.#say(error === 'NotPrimary', `a backup ${isBack ? 'back' : 'forward'} against the roles was ${error}`);
    this.#say(copied() === before, 'a backup against the roles copied something');
  }
}
