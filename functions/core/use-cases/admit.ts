import type { BackupStep } from '../domain/backup-step.ts';
import type { RunId } from '../domain/names.ts';
import type { Resource, Slots } from '../domain/slots.ts';
import { type EpochMs, seconds } from '../domain/units.ts';
import {
  admit,
  emptiestHost,
  heldBy,
  outdated,
  type Refusal,
  requestOf,
  type SlotRequest,
  withoutPlace,
  workersOf,
} from '../planner/admission.ts';
import { otherHosts } from '../planner/choose-host.ts';
import type { RunHistory } from '../planner/history.ts';
import type { Ledger } from '../ports.ts';

type SlotLedger = Pick<Ledger, 'loadSlots' | 'putSlots' | 'releaseSlots'>;

/** Others may be taking places at the same moment; who loses so often comes again like one who found none. */
const ATTEMPTS = 5;

/**
 * Takes all of the places that are asked for, or none; who is refused has a place in the line instead. Safe to repeat.
 * @returns why not; null when every place is taken
 */
export const takeSlots = async (ledger: SlotLedger, request: SlotRequest, now: EpochMs): Promise<Refusal | null> => {
  const { needs, holder } = request;
  const [first] = needs;
  if (!first) return null;
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const seen = await Promise.all(needs.map(({ resource }) => ledger.loadSlots(resource)));
    const { refusal, changed } = admit(seen, request, now);
    const overtaken = await putAll(ledger, changed);
    if (!overtaken) return refusal;
    await releaseAll(ledger, overtaken, holder);
  }
  const { resource, capacity } = first;
  return { resource, taken: capacity, capacity, place: 0, pause: seconds(30) };
};

/** One after the other, all in the same order: of several that want the same, one gets through. Answers what was written before somebody else was faster. */
const putAll = async (ledger: SlotLedger, changed: readonly Slots[]): Promise<readonly Resource[] | undefined> => {
  const written: Resource[] = [];
  for (const slots of changed) {
    if (!(await ledger.putSlots(slots))) return written;
    written.push(slots.resource);
  }
  return undefined;
};

export const releaseAll = async (
  ledger: Pick<Ledger, 'releaseSlots'>,
  resources: readonly Resource[],
  holder: RunId,
): Promise<void> => {
  await Promise.all(resources.map((resource) => ledger.releaseSlots(resource, holder)));
};

/**
 * The step that was decided, once there is a place for all that it needs; otherwise what is done instead. What the run has
 * of the steps before and does not need any more is given back first, and while it waits it has nothing.
 */
export const admitted = async (
  ledger: SlotLedger,
  history: RunHistory,
  step: BackupStep,
  now: EpochMs,
): Promise<BackupStep> => {
  // An operation that is attached to has its places.
  if (history.steps.some(({ observed }) => observed === null)) return step;
  const { runId } = history.run;
  await releaseAll(ledger, outdated(history, step), runId);
  const request = requestOf(history, step);
  const refusal = await takeSlots(ledger, request, now);
  // One that others overtook again and again goes on uncounted rather than late.
  if (!refusal || request.unasked) return step;
  const moved = refusal.resource.startsWith('host:') ? await elsewhere(ledger, history, step, now) : null;
  if (moved) return moved;
  const needed = new Set(request.needs.map(({ resource }) => resource));
  await releaseAll(
    ledger,
    heldBy(history).filter((resource) => !needed.has(resource)),
    runId,
  );
  return withoutPlace(step, refusal, request.by, now);
};

/** The step on the emptiest of the other hosts that could do it, if that has a place; the line of its own host is left then. */
const elsewhere = async (
  ledger: SlotLedger,
  history: RunHistory,
  step: BackupStep,
  now: EpochMs,
): Promise<BackupStep | null> => {
  const { replica } = history.run.policy;
  if (!replica || (step.kind !== 'replicate' && step.kind !== 'verify')) return null;
  const hosts = otherHosts(history, step);
  const seen = await Promise.all(hosts.map(async (host) => ({ host, slots: await ledger.loadSlots(workersOf(host)) })));
  const host = emptiestHost(seen, replica, requestOf(history, step), now);
  if (!host) return null;
  const moved = { ...step, host };
  if (await takeSlots(ledger, requestOf(history, moved), now)) return null;
  await ledger.releaseSlots(workersOf(step.host), history.run.runId);
  return moved;
};
