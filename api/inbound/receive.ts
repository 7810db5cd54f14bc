/**
 * Takes a message over that came in: its source, a row for each recipient, and what is to be told, in one transaction.
 * Where each recipient's mail goes is looked up again here: the inbound server may have believed an answer that was true
 * a minute ago.
 */
import type { Settings } from '../../config/schema.ts';
import { normalizeAddress } from '../../lib/mail/address.ts';
import { splitMessage } from '../../lib/mail/header-block.ts';
import type { NewInboundMessage } from '../../lib/rpc/contracts/inbound-messages.ts';
import { inTransaction, type Store } from '../database.ts';
import { decodeField } from '../mail/decode-field.ts';
import { type InboundTarget, insertInboundMessages } from '../models/inbound-message.ts';
import { findRepliedMessage, noteReplies } from '../models/inbound-reply.ts';
import { findRecipient } from './find-recipient.ts';

export type ReceiveResult =
  /** `unknown`: addresses whose routes are gone, beside others that are not */
  | { ok: true; ids: number[]; duplicates: number; unknown: string[] }
  | { ok: false; reason: 'recipients_unknown' | 'message_invalid' | 'message_too_large' };

const MAX_HEADER_CHARACTERS = 10_000;
/** RFC 5322 3.6.4: a reply names few; a list of thousands is not looked up. */
const MAX_REFERENCES = 50;

export async function receiveMessage(
  store: Store,
  message: NewInboundMessage,
  settings: Settings,
): Promise<ReceiveResult> {
  const content = Buffer.from(message.message, 'base64');
  if (content.length > settings.limits.maxMessageBytes) return { ok: false, reason: 'message_too_large' };
  const addresses = [...new Set(message.envelope.to.map(({ address }) => normalizeAddress(address)))];
  if (!addresses.every((address) => address !== undefined)) return { ok: false, reason: 'message_invalid' };

  const { fields } = splitMessage(content);
  const read = async (name: string) => {
    const field = fields.find((one) => one.name === name);
    return field && (await decodeField(field)).slice(0, MAX_HEADER_CHARACTERS);
  };
  const header = {
    fromHeader: (await read('from')) ?? '',
    subject: (await read('subject')) ?? null,
    messageId: (await read('message-id')) ?? null,
  };
  const repliedTo = readReferences((await read('in-reply-to')) ?? '', (await read('references')) ?? '');

  return inTransaction(store, async (tx) => {
    const targets: InboundTarget[] = [];
    const unknown: string[] = [];
    for (const address of addresses) {
      const found = await findRecipient(tx, address.toLowerCase(), settings);
      if (found?.kind === 'route') {
        const replyToId = await findRepliedMessage(tx, found.route.domainId, repliedTo);
        targets.push({ address, route: found.route, replyToId });
      } else if (found?.purpose === 'postmaster' || found?.purpose === 'abuse') {
        targets.push({ address, purpose: found.purpose });
      } else unknown.push(address);
    }
    if (targets.length === 0) return { ok: false, reason: 'recipients_unknown' };
    const inserted = await insertInboundMessages(tx, { ...message, ...header, content }, targets);
    await noteReplies(tx, inserted, { ...header, envelopeFrom: message.envelope.from });
    return {
      ok: true,
      ids: inserted.map(({ id }) => id),
      duplicates: targets.length - inserted.length,
      unknown,
    };
  });
}

/** The Message-IDs that a message answers, the direct one first. */
export function readReferences(inReplyTo: string, references: string): string[] {
  const idsIn = (text: string) => text.match(/<[^<>\s]{1,998}>/g) ?? [];
  return [...new Set([...idsIn(inReplyTo), ...idsIn(references).toReversed()])].slice(0, MAX_REFERENCES);
}
