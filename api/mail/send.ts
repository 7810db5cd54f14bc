/** From a request that was read to a message that is queued. */
import type { Settings } from '../../config/schema.ts';
import { inTransaction, type Store } from '../database.ts';
import type { DomainCredential } from '../models/api-token.ts';
import { acceptMessage } from '../models/message.ts';
import { composeMessage, listRecipients } from './compose.ts';
import type { Refusal } from './field-reader.ts';
import { readSendRequest } from './send-request.ts';

export type SendResult = { ok: true; id: number } | { ok: false; refusal: Refusal };

const TOO_LARGE: Refusal = { code: 413, body: { error: 'Email exceeds the maximum size of 30 MB' } };

/** Resolves after the commit: from then on the message is ours to deliver. */
export async function sendMessage(
  store: Store,
  credential: DomainCredential,
  body: unknown,
  limits: Settings['limits'],
): Promise<SendResult> {
  const read = readSendRequest(body, credential.domain, limits);
  if (!read.ok) return read;
  const { content, messageId } = await composeMessage(read.request);
  if (content.length > limits.maxMessageBytes) return { ok: false, refusal: TOO_LARGE };
  const { from, subject, tags } = read.request;
  const message = {
    credential,
    source: 'http',
    submissionId: null,
    envelopeFrom: from.address,
    fromHeader: from.name ? `${from.name} <${from.address}>` : from.address,
    subject: subject ?? null,
    messageId,
    tags,
    content,
    recipients: listRecipients(read.request),
    acceptance: { source: 'http' },
  } as const;
  return { ok: true, id: await inTransaction(store, (tx) => acceptMessage(tx, message)) };
}
