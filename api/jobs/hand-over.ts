/**
 * Hands one message to the mta, or, of a sandbox token, to the play of its outcome. Runs again until the mta has it, has refused it for good, or the message is older than
 * `queue.lifetimeSeconds`: then it is held, in sight of the customer. May run twice for one message (a worker died
 * between the mta's 250 and our commit): the mta knows the id and answers 250 without queueing anything.
 */
import type { Settings } from '../../config/schema.ts';
import { judge, type SpamAction, type SpamScore, type SpamThresholds } from '../../lib/spam/score.ts';
import { inTransaction, type Store } from '../database.ts';
import type { Addressed, HandOverResult, Intake } from '../mail/intake.ts';
import {
  type Consignment,
  findConsignment,
  holdRecipients,
  noteHandedOver,
  suppressRecipients,
} from '../models/hand-over.ts';
import { beginSandbox } from '../models/sandbox.ts';
import { type SpamFinding, stopInfected, stopSpam } from '../models/spam-review.ts';
import { findBlocked } from '../models/suppression.ts';

export type HandOverOutcome =
  | 'accepted'
  | 'held'
  | 'suppressed'
  | 'spam'
  | 'infected'
  | 'played'
  | 'nothing_to_do';

export interface HandOverJob {
  messageId: number;
  /** Of the request that the message came with, where it is traced. */
  traceparent?: string | undefined;
}

export interface HandOverContext {
  store: Store;
  intake: Intake;
  settings: Pick<Settings, 'queue' | 'spam'>;
}

/**
 * @param traceparent of the span that it belongs to
 * @throws while the mta does not take it, which makes pg-boss try again
 */
export async function handOver(
  context: HandOverContext,
  messageId: number,
  traceparent?: string,
): Promise<HandOverOutcome> {
  const consignment = await findConsignment(context.store.pool, messageId);
  if (!consignment) return 'nothing_to_do';
  const listsReadAt = Date.now();
  const sendable = await suppressBlocked(context.store, consignment);
  if (sendable.recipients.length === 0) return 'suppressed';
  if (sendable.isSandbox) {
    await inTransaction(context.store, (tx) => beginSandbox(tx, messageId));
    return 'played';
  }
  const spamThresholds = chooseThresholds(context.settings.spam, sendable);
  const result = await context.intake.handOver({ ...sendable, listsReadAt, spamThresholds, traceparent });
  return conclude(context, { ...sendable, spamThresholds }, result);
}

/** The organization's own scores before those of the installation. Undefined: it is not checked, was released, or came in. */
function chooseThresholds(
  spam: Settings['spam'],
  { spamScores, spamReview, isForward }: Consignment,
): SpamThresholds | undefined {
  if (spam.engine === 'none' || spamReview === 'released' || isForward) return undefined;
  return {
    mark: spamScores.mark ?? spam.markScore,
    hold: spamScores.hold ?? spam.holdScore,
    refuse: spamScores.refuse ?? spam.refuseScore,
  };
}

/** Whoever was put on the block list since the message was taken, or was one of many recipients over SMTP. */
async function suppressBlocked(store: Store, consignment: Consignment): Promise<Consignment> {
  const { messageId, recipients } = consignment;
  const blocked = await findBlocked(store.pool, { ...consignment, addresses: recipients });
  if (blocked.size === 0) return consignment;
  await inTransaction(store, (tx) => suppressRecipients(tx, messageId, [...blocked]));
  return { ...consignment, recipients: recipients.filter((address) => !blocked.has(address)) };
}

function createFinding(score: SpamScore, action: SpamAction): SpamFinding {
  return { ...score, action, checkedAt: new Date().toISOString() };
}

async function conclude(
  { store, settings }: HandOverContext,
  { messageId, recipients, dueAt, spamThresholds }: Addressed,
  result: HandOverResult,
): Promise<HandOverOutcome> {
  if (result.ok) {
    const finding =
      result.spam && spamThresholds && createFinding(result.spam, judge(result.spam, spamThresholds));
    await inTransaction(store, (tx) => noteHandedOver(tx, messageId, result.refused, finding));
    return 'accepted';
  }
  if (result.reason === 'spam') {
    const { kind, score, response } = result;
    const finding = createFinding(score, kind === 'held' ? 'hold' : 'refuse');
    await inTransaction(store, (tx) => stopSpam(tx, messageId, recipients, { finding, response }));
    return kind === 'held' ? 'held' : 'spam';
  }
  if (result.reason === 'infected') {
    await inTransaction(store, (tx) => stopInfected(tx, messageId, recipients, result));
    return 'infected';
  }
  if (result.reason === 'unavailable') {
    const { lifetimeSeconds } = settings.queue;
    if (Date.now() - dueAt.getTime() < lifetimeSeconds * 1000) throw new Error(result.text);
    const response = `The mta could not be reached within ${lifetimeSeconds} seconds: ${result.text}`;
    const refused = recipients.map((recipient) => ({ recipient, response, code: undefined }));
    await inTransaction(store, (tx) => holdRecipients(tx, messageId, refused));
    return 'held';
  }
  await inTransaction(store, (tx) => holdRecipients(tx, messageId, result.refused));
  return 'held';
}
