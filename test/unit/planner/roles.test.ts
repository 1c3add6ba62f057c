import { describe, expect, it } from 'vitest';
import type { Role } from '../../../functions/core/domain/roles.ts';
import { exchanged, isFailedOver, notPrimary, primaryOf } from '../../../functions/core/planner/roles.ts';
import { roleOf } from './role-world.ts';
import { policyOf } from './world.ts';

const policy = policyOf('incremental');
const prepared = { prepared: { by: roleOf().by, at: roleOf().since, isRebuilt: false } };

type Row = readonly [
  sentence: string,
  role: Role | null,
  primary: 'source' | 'replica',
  isFailedOver: boolean,
  forward: RegExp | undefined,
  back: RegExp | undefined,
];
const moving = /^the roles of sales\/orders are being moved by .*: start that failover again until it succeeds$/;

it.each<Row>([
  ['never failed over', null, 'source', false, undefined, /^prod is the primary of sales\/orders: nothing is brought/],
  [
    'failed over and back',
    roleOf({ primary: 'source', epoch: 2 }),
    'source',
    false,
    undefined,
    /^prod is the primary of sales\/orders: nothing is brought/,
  ],
  ['on its way back', roleOf({ primary: 'source', epoch: 2, state: 'moving' }), 'source', true, moving, moving],
  ['being failed over', roleOf({ state: 'moving' }), 'replica', true, moving, moving],
  [
    'failed over',
    roleOf(),
    'replica',
    true,
    /^sales\/orders was failed over to dr at 2026-.*: prod is not its primary until a failback$/,
    /^dr is the primary .* written to prod is not kept apart yet: prepare a failback first$/,
  ],
  [
    'failed over, its failback prepared',
    roleOf(prepared),
    'replica',
    true,
    /prod is not its primary until a failback$/,
    undefined,
  ],
])(
  'a bucket %s: who is its primary, and which way its data may go',
  (_sentence, role, primary, moved, forward, back) => {
    expect(primaryOf(role)).toBe(primary);
    expect(isFailedOver(role)).toBe(moved);
    for (const [way, refused] of [
      [false, forward],
      [true, back],
    ] as const) {
      const why = notPrimary(role, way, { bucket: 'sales/orders', policy });
      if (refused) expect(why).toMatch(refused);
      else expect(why).toBeUndefined();
    }
  },
);

describe('a policy in the other direction', () => {
  it('copies from its replica to its source, whatever it takes, and deletes no point', () => {
    const retained = { ...policy, retention: {} as never };
    expect(exchanged(retained)).toMatchObject({
      name: 'nightly',
      source: { name: 'dr' },
      replica: { name: 'prod' },
      mode: 'incremental-or-resync',
      retention: null,
    });
  });

  it('is the same again when it is exchanged twice, as to where its data is', () => {
    const { source, replica } = exchanged(exchanged(policy));
    expect({ source, replica }).toEqual({ source: policy.source, replica: policy.replica });
  });
});
