import { z } from 'zod';
import type { Clock } from '../clock.ts';
import type { Json } from '../json.ts';
import { StateError } from './errors.ts';
import type { Call, Surroundings } from './execution.ts';

/** One answer; `seconds` of virtual time pass before it (none unless given). */
export type Mock =
  | { readonly result: Json; readonly seconds?: number | undefined }
  | { readonly error: string; readonly cause?: string | undefined; readonly seconds?: number | undefined };

/**
 * Answers of Tasks by the state's name, in the order of the calls; the last one repeats. A result is the whole reply of
 * the service; for a Task that waits for its token it is what comes back with the token. For a Map with an ItemReader
 * it is the dataset.
 */
export type Mocks = Readonly<Record<string, readonly Mock[]>>;

const seconds = z.number().nonnegative().optional();
export const mocksSchema: z.ZodType<Mocks> = z.record(
  z.string(),
  z
    .array(
      z.union([
        z.strictObject({ result: z.json(), seconds }),
        z.strictObject({ error: z.string(), cause: z.string().optional(), seconds }),
      ]),
    )
    .min(1),
);

/** Without a mock a Task that waits for its token waits for ever, any other fails with `States.Runtime`. */
export function mocked(clock: Clock, mocks: Mocks): Required<Pick<Surroundings, 'mock' | 'mockItems'>> {
  const calls = new Map<string, number>();
  const next = (state: string) => {
    const call = calls.get(state) ?? 0;
    calls.set(state, call + 1);
    const list = Object.hasOwn(mocks, state) ? mocks[state] : undefined;
    return list?.[Math.min(call, list.length - 1)];
  };
  return {
    mock: (state, waitsForToken): Call => {
      const answer = next(state);
      let cancel = () => {};
      const result = new Promise<Json>((resolve, reject) => {
        if (!answer) {
          if (!waitsForToken) reject(new StateError('States.Runtime', `There is no mock for the state '${state}'`));
          return;
        }
        const settle = () => {
          if ('result' in answer) resolve(answer.result);
          else reject(new StateError(answer.error, answer.cause ?? ''));
        };
        if (answer.seconds === undefined) settle();
        else cancel = clock.at(clock.now() + answer.seconds * 1000, settle);
      });
      return { result, giveUp: () => cancel() };
    },
    mockItems: (state) => {
      const answer = next(state);
      if (answer && 'error' in answer) throw new StateError(answer.error, answer.cause ?? '');
      return answer?.result;
    },
  };
}
