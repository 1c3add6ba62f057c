import type { StartedByHand } from '../core/ports.ts';
import type { Call } from './action.ts';

/** The functions that pages call: one that looks, and one that acts, which not everybody may call. */
export interface Endpoints {
  /** ARN. */
  readonly view: string;
  readonly act: string;
}

/** The workflows that are planned, confirmed by typed words, and then done. */
export type PlannedWork = Extract<StartedByHand, 'restore' | 'failover' | 'failback' | 'failover-fleet'>;

type Fields = Readonly<Record<string, string>>;

/** The pages that lead from one to the other, and what they are told. All are shown in place of the widget. */
export const links = ({ view, act }: Endpoints) => {
  const to =
    (endpoint: string, page: string) =>
    (fields: Fields = {}): Call => ({ endpoint, page, fields });
  return {
    overview: to(view, 'overview'),
    /** `policy` */
    policy: to(view, 'policy'),
    /** `policy`, `bucket` */
    bucket: to(view, 'bucket'),
    operations: to(view, 'operations'),
    /** `policy`, `bucket`; `point` is the one that is chosen at first. */
    restore: to(act, 'restore'),
    /** `policy`, `bucket` */
    failover: to(act, 'failover'),
    /** `policy`, `bucket` */
    failback: to(act, 'failback'),
    /** `policy` */
    failoverFleet: to(act, 'failover-fleet'),
    /** `policy`, `bucket` */
    approvals: to(act, 'approvals'),
    /** `policy`, `bucket`, `point` */
    pin: to(act, 'pin'),
    /** `policy` */
    pause: to(act, 'pause'),
    /** `policy`, `bucket` */
    backUp: to(act, 'back-up'),
    /** `execution`: ARN of a restore, a drill, or what moves roles. */
    cancel: to(act, 'cancel'),
    /** How far an execution of such a work is, or what came of it. */
    run: (work: PlannedWork, execution: string): Call => ({
      endpoint: act,
      page: `${work}-run`,
      fields: { execution },
    }),
  } as const;
};
export type Links = ReturnType<typeof links>;
