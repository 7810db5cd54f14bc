/** What becomes of a message to somebody on the block list: the contract refuses the whole request (1.3, 6). */
import type { Queryable } from '../database.ts';
import type { NewMessage } from '../models/message.ts';
import { findBlocked } from '../models/suppression.ts';
import type { Refusal } from './field-reader.ts';

const BLOCKED = 'contains a blocked address';

/** Those of the messages that name somebody on the block list, and how they are refused. */
export async function refuseBlocked(
  db: Queryable,
  messages: readonly NewMessage[],
): Promise<Map<NewMessage, Refusal>> {
  const refusals = new Map<NewMessage, Refusal>();
  for (const [, group] of Map.groupBy(messages, listsOf)) {
    const blocked = await listBlocked(db, group);
    for (const message of group) {
      const concerned = message.recipients.filter(({ address }) => blocked.has(address));
      const errors = Object.fromEntries(concerned.map(({ kind }) => [kind, [BLOCKED]]));
      if (concerned.length > 0) refusals.set(message, { code: 400, body: { errors } });
    }
  }
  return refusals;
}

/** Over SMTP a message is refused only if nobody is left of its recipients; the others end as `suppressed`. */
export async function isWhollyBlocked(db: Queryable, message: NewMessage): Promise<boolean> {
  return (await listBlocked(db, [message])).size === message.recipients.length;
}

/** Messages of the same are looked up together. */
function listsOf({ credential: { domainId }, stream }: NewMessage): string {
  return `${domainId} ${stream}`;
}

/** @param messages of one domain and one stream */
async function listBlocked(db: Queryable, messages: readonly NewMessage[]): Promise<Set<string>> {
  const [first] = messages;
  if (!first) return new Set();
  const { organizationId, domainId } = first.credential;
  const addresses = messages.flatMap(({ recipients }) => recipients.map(({ address }) => address));
  return findBlocked(db, { organizationId, domainId, stream: first.stream, addresses });
}
