/** What becomes of a message to somebody on the block list: the contract refuses the whole request (1.3, 6). */
import type { Queryable } from '../database.ts';
import type { NewMessage } from '../models/message.ts';
import { findBlocked } from '../models/suppression.ts';
import type { Refusal } from './field-reader.ts';

const BLOCKED = 'contains a blocked address';

/** Undefined: all of them may be sent to. */
export async function refuseBlocked(db: Queryable, message: NewMessage): Promise<Refusal | undefined> {
  const blocked = await listBlocked(db, message);
  if (blocked.size === 0) return undefined;
  const kinds = message.recipients.filter(({ address }) => blocked.has(address)).map(({ kind }) => kind);
  const errors = Object.fromEntries(kinds.map((kind) => [kind, [BLOCKED]]));
  return { code: 400, body: { errors } };
}

/** Over SMTP a message is refused only if nobody is left of its recipients; the others end as `suppressed`. */
export async function isWhollyBlocked(db: Queryable, message: NewMessage): Promise<boolean> {
  return (await listBlocked(db, message)).size === message.recipients.length;
}

function listBlocked(
  db: Queryable,
  { credential: { organizationId, domainId }, stream, recipients }: NewMessage,
): Promise<Set<string>> {
  const addresses = recipients.map(({ address }) => address);
  return findBlocked(db, { organizationId, domainId, stream, addresses });
}
