/**
 * Hands one message to the mta, or, of a sandbox token, to the play of its outcome. Runs again until the mta has it, has refused it for good, or the message is older than
 * `queue.lifetimeSeconds`: then it is held, in sight of the customer. May run twice for one message (a worker died
 * between the mta's 250 and our commit): the mta knows the id and answers 250 without queueing anything.
 */
import type { Settings } from '../../config/schema.ts';
import { inTransaction, type Store } from '../database.ts';
import type { HandOverResult, Intake } from '../mail/intake.ts';
import {
  type Consignment,
  findConsignment,
  holdRecipients,
  noteHandedOver,
  suppressRecipients,
} from '../models/hand-over.ts';
import { beginSandbox } from '../models/sandbox.ts';
import { findBlocked } from '../models/suppression.ts';

export type HandOverOutcome = 'accepted' | 'held' | 'suppressed' | 'played' | 'nothing_to_do';

export interface HandOverContext {
  store: Store;
  intake: Intake;
  lifetimeSeconds: Settings['queue']['lifetimeSeconds'];
}

/** @throws while the mta does not take it, which makes pg-boss try again */
export async function handOver(context: HandOverContext, messageId: number): Promise<HandOverOutcome> {
  const consignment = await findConsignment(context.store.pool, messageId);
  if (!consignment) return 'nothing_to_do';
  const listsReadAt = Date.now();
  const sendable = await suppressBlocked(context.store, consignment);
  if (sendable.recipients.length === 0) return 'suppressed';
  if (sendable.isSandbox) {
    await inTransaction(context.store, (tx) => beginSandbox(tx, messageId));
    return 'played';
  }
  const result = await context.intake.handOver({ ...sendable, listsReadAt });
  return conclude(context, sendable, result);
}

/** Whoever was put on the block list since the message was taken, or was one of many recipients over SMTP. */
async function suppressBlocked(store: Store, consignment: Consignment): Promise<Consignment> {
  const { messageId, recipients } = consignment;
  const blocked = await findBlocked(store.pool, { ...consignment, addresses: recipients });
  if (blocked.size === 0) return consignment;
  await inTransaction(store, (tx) => suppressRecipients(tx, messageId, [...blocked]));
  return { ...consignment, recipients: recipients.filter((address) => !blocked.has(address)) };
}

async function conclude(
  { store, lifetimeSeconds }: HandOverContext,
  { messageId, recipients, dueAt }: Consignment,
  result: HandOverResult,
): Promise<HandOverOutcome> {
  if (result.ok) {
    await inTransaction(store, (tx) => noteHandedOver(tx, messageId, result.refused));
    return 'accepted';
  }
  if (result.reason === 'unavailable') {
    if (Date.now() - dueAt.getTime() < lifetimeSeconds * 1000) throw new Error(result.text);
    const response = `The mta could not be reached within ${lifetimeSeconds} seconds: ${result.text}`;
    const refused = recipients.map((recipient) => ({ recipient, response, code: undefined }));
    await inTransaction(store, (tx) => holdRecipients(tx, messageId, refused));
    return 'held';
  }
  await inTransaction(store, (tx) => holdRecipients(tx, messageId, result.refused));
  return 'held';
}
