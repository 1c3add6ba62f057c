import { randomBytes } from 'node:crypto';
import { beforeAll, describe, expect, it } from 'vitest';
import { type Nonce, NonceId } from '../../../functions/core/domain/nonce.ts';
import { epochMs, later, seconds } from '../../../functions/core/domain/units.ts';
import type { Nonces } from '../../../functions/core/ports.ts';

const now = epochMs(Date.UTC(2026, 10, 20, 12));
const what = 'a'.repeat(64);

/** What holds of nonces wherever they are kept. */
export const describeNonces = (engine: string, open: () => Promise<Nonces>): void => {
  describe(`nonces on ${engine}`, () => {
    let nonces: Nonces;
    beforeAll(async () => {
      nonces = await open();
    });
    const made = async (change: Partial<Nonce> = {}): Promise<NonceId> => {
      const id = NonceId.parse(randomBytes(16).toString('hex'));
      await nonces.make({ id, what, expires: later(now, seconds(60)), usedAt: null, dashboard: 'dr', ...change });
      return id;
    };

    it('counts once', async () => {
      const id = await made();
      expect(await nonces.use(id, what, now)).toBe('used-now');
      expect(await nonces.use(id, what, now)).toBe('used');
    });

    it('counts for one of many who submit it at the same moment', async () => {
      const id = await made();
      const answers = await Promise.all(Array.from({ length: 20 }, () => nonces.use(id, what, now)));
      expect(answers.toSorted()).toEqual([...Array.from({ length: 19 }, () => 'used'), 'used-now']);
    });

    it('counts until it expires, and not at that moment', async () => {
      const [early, late] = [await made(), await made()];
      expect(await nonces.use(early, what, epochMs(now + 59_999))).toBe('used-now');
      expect(await nonces.use(late, what, epochMs(now + 60_000))).toBe('expired');
    });

    it('does not count for another act, and is not used up by that', async () => {
      const id = await made();
      expect(await nonces.use(id, 'b'.repeat(64), now)).toBe('other');
      expect(await nonces.use(id, what, now)).toBe('used-now');
    });

    it('that nobody made does not count', async () => {
      expect(await nonces.use(NonceId.parse('0'.repeat(32)), what, now)).toBe('unknown');
    });

    it('is made once', async () => {
      const id = await made();
      await nonces.use(id, what, now);
      await expect(
        nonces.make({ id, what, expires: later(now, seconds(60)), usedAt: null, dashboard: 'dr' }),
      ).rejects.toThrow();
      expect(await nonces.use(id, what, now)).toBe('used');
    });
  });
};
