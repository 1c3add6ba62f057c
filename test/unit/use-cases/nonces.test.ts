import { expect, it } from 'vitest';
import { epochMs } from '../../../functions/core/domain/units.ts';
import { type Act, makeNonce, useNonce } from '../../../functions/core/use-cases/nonces.ts';
import { memoryNonces } from '../../fixtures/memory-store.ts';

const pin: Act = { act: 'pin', about: { policy: 'nightly', bucket: 'sales/orders', point: 'odr-a' } };

const stage = () => {
  let count = 0;
  const clock = { at: epochMs(Date.UTC(2026, 10, 20, 12)) };
  return {
    nonces: memoryNonces(),
    clock: { now: () => clock.at },
    random: () => String(++count).padStart(32, '0'),
    pass: (minutes: number) => {
      clock.at = epochMs(clock.at + minutes * 60_000);
    },
  };
};

it('a form that was shown can be sent once', async () => {
  const deps = stage();
  const id = await makeNonce(deps, pin, 'dr');
  expect(await useNonce(deps, id, pin)).toBe(id);
  await expect(useNonce(deps, id, pin)).rejects.toMatchObject({
    name: 'NotConfirmed',
    message: expect.stringMatching(/sent before/),
  });
});

it('of two people who send the same form at once one starts something', async () => {
  const deps = stage();
  const id = await makeNonce(deps, pin, 'dr');
  const sent = await Promise.allSettled([useNonce(deps, id, pin), useNonce(deps, id, pin)]);
  expect(sent.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected']);
});

it('what a form is about may come in any order, but must be the same', async () => {
  const deps = stage();
  const { policy = '', bucket = '', point = '' } = pin.about;
  const id = await makeNonce(deps, pin, 'dr');
  for (const other of [
    { ...pin, act: 'unpin' },
    { ...pin, about: { ...pin.about, point: 'odr-b' } },
    { ...pin, about: { policy, bucket } },
  ])
    await expect(useNonce(deps, id, other)).rejects.toMatchObject({
      message: expect.stringMatching(/for something else/),
    });
  expect(await useNonce(deps, id, { act: 'pin', about: { point, bucket, policy } })).toBe(id);
});

it('a form that was left open for half an hour does nothing any more', async () => {
  const deps = stage();
  const id = await makeNonce(deps, pin, 'dr');
  deps.pass(30);
  await expect(useNonce(deps, id, pin)).rejects.toMatchObject({ message: expect.stringMatching(/half an hour/) });
});

it.each([undefined, '', 'x', "0' OR 1", '0'.repeat(32)])('%j is none that was ever made', async (id) => {
  await expect(useNonce(stage(), id, pin)).rejects.toMatchObject({
    name: 'NotConfirmed',
    message: expect.stringMatching(/never shown/),
  });
});

it('a nonce is kept without what was typed, and for the name of its dashboard only so long', async () => {
  const deps = stage();
  await makeNonce(deps, pin, 'd'.repeat(5000));
  const [made] = deps.nonces.made;
  expect(made?.dashboard).toHaveLength(300);
  expect(JSON.stringify(made)).not.toContain('orders');
});
