/** What the check for spam found in a message, and what people decided about those that were held for it. */
import type { SpamAction, SpamScore } from '../../lib/spam/score.ts';
import type { Queryable, Transaction } from '../database.ts';
import { HAND_OVER, LEARN_SPAM } from '../jobs/queues.ts';
import { createEventId, recordEvents } from './event.ts';
import { handOverJobId } from './hand-over.ts';
import { jobPriorityOf, type Stream } from './stream.ts';

/** Kept with the message, and shown on its timeline. */
export interface SpamFinding extends SpamScore {
  action: SpamAction;
  /** ISO 8601 */
  checkedAt: string;
}

export type SpamReview = 'pending' | 'released' | 'refused';

/** Category of the events; it tells what was held for review from what is held for other reasons. */
export const SPAM = 'spam';
/** Category of the events of messages with a virus, whose state is `spam` as well (docs/virus.md). */
const VIRUS = 'virus';

export interface Held {
  id: number;
  organizationId: number;
  domain: string;
  fromHeader: string;
  subject: string | null;
  recipients: number;
  spam: SpamFinding;
  createdAt: Date;
}

/** A message about which somebody has decided. */
export interface Decided {
  organizationId: number;
  subject: string | null;
  stream: Stream;
}

/** The mta has refused it: it is held until somebody decides, or it is over. Inside a transaction. */
export async function stopSpam(
  tx: Transaction,
  messageId: number,
  recipients: readonly string[],
  { finding, response }: { finding: SpamFinding; response: string },
): Promise<void> {
  await tx.query('update messages set spam = $2, spam_review = $3 where id = $1', [
    messageId,
    JSON.stringify(finding),
    finding.action === 'hold' ? 'pending' : null,
  ]);
  await recordStops(tx, messageId, recipients, finding.action === 'hold' ? 'held' : 'spam', {
    response,
    category: SPAM,
  });
}

/** It holds a virus: it is over, and nobody is asked. Inside a transaction; a second time it changes nothing. */
export async function stopInfected(
  tx: Transaction,
  messageId: number,
  recipients: readonly string[],
  { virus, response }: { virus: string; response: string },
): Promise<void> {
  await recordStops(tx, messageId, recipients, 'spam', { response, category: VIRUS, virus });
}

/** What waits for a decision, oldest first. */
export async function listHeld(
  db: Queryable,
  { after, limit }: { after: number; limit: number },
): Promise<Held[]> {
  const { rows } = await db.query<Held>(
    `select message.id,
            message.organization_id as "organizationId",
            domain.name             as domain,
            message.from_header     as "fromHeader",
            message.subject,
            message.spam,
            message.created_at      as "createdAt",
            (select count(*) from recipients where message_id = message.id) as recipients
       from messages message
       join domains domain on domain.id = message.domain_id
      where message.spam_review = 'pending' and message.id > $1
      order by message.id
      limit $2`,
    [after, limit],
  );
  return rows;
}

/** It is handed over once more, and not checked again. Undefined: it does not wait for a decision. */
export async function releaseHeld(tx: Transaction, messageId: number): Promise<Decided | undefined> {
  const held = await decide(tx, messageId, 'released');
  if (!held) return undefined;
  await tx.query(
    `update recipients set state = 'queued', state_at = now()
      where message_id = $1 and state = 'held' and category = $2`,
    [messageId, SPAM],
  );
  await tx.query(`update messages set state = 'queued', updated_at = now() where id = $1`, [messageId]);
  const data = { response: 'Released after review', category: SPAM };
  const occurredAt = new Date().toISOString();
  await recordEvents(tx, [
    {
      id: createEventId('released', messageId, ''),
      messageId,
      recipient: null,
      type: 'released',
      occurredAt,
      data,
    },
  ]);
  const id = handOverJobId(messageId, 'released');
  await tx.enqueue(HAND_OVER, { messageId }, { id, priority: jobPriorityOf(held.stream) });
  await tx.enqueue(LEARN_SPAM, { messageId, kind: 'ham' });
  return held;
}

/** It is spam and over. Undefined: it does not wait for a decision. */
export async function refuseHeld(tx: Transaction, messageId: number): Promise<Decided | undefined> {
  const held = await decide(tx, messageId, 'refused');
  if (!held) return undefined;
  const { rows } = await tx.query<{ address: string }>(
    `select address from recipients where message_id = $1 and state = 'held' and category = $2`,
    [messageId, SPAM],
  );
  const recipients = rows.map(({ address }) => address);
  await recordStops(tx, messageId, recipients, 'spam', {
    response: 'Refused as spam after review',
    category: SPAM,
  });
  await tx.enqueue(LEARN_SPAM, { messageId, kind: 'spam' });
  return held;
}

/** There is nothing left to decide: its sender has taken it back. */
export async function endReview(tx: Queryable, messageId: number): Promise<void> {
  await tx.query(`update messages set spam_review = null where id = $1 and spam_review = 'pending'`, [
    messageId,
  ]);
}

/** One decision a message: the row is locked, and no longer pending. */
async function decide(
  tx: Transaction,
  messageId: number,
  review: Exclude<SpamReview, 'pending'>,
): Promise<Decided | undefined> {
  const { rows } = await tx.query<Decided>(
    `update messages set spam_review = $2
      where id = $1 and spam_review = 'pending'
  returning stream, subject, organization_id as "organizationId"`,
    [messageId, review],
  );
  return rows[0];
}

async function recordStops(
  tx: Transaction,
  messageId: number,
  recipients: readonly string[],
  type: 'held' | 'spam',
  { response, category, ...more }: { response: string; category: string; virus?: string },
): Promise<void> {
  const occurredAt = new Date().toISOString();
  const data = { response: response.slice(0, 1000), category, ...more };
  await recordEvents(
    tx,
    recipients.map((recipient) => {
      // Another one than that of a later refusal, which may hold the recipient once more (hand-over.ts).
      const id = createEventId(type, messageId, `${recipient} ${category}`);
      return { id, messageId, recipient, type, occurredAt, data };
    }),
  );
}
