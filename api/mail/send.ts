/** From a request that was read to a message that is queued. */
import type { Store } from '../database.ts';
import type { DomainCredential } from '../models/api-token.ts';
import { answerOnce, type IdempotencyKey, type Outcome } from '../models/idempotency-key.ts';
import type { NewMessage } from '../models/message.ts';
import { TemplateFiller } from '../templates/fill.ts';
import type { TemplateRenderer } from '../templates/renderer.ts';
import { composeMessage, listRecipients } from './compose.ts';
import type { Refusal } from './field-reader.ts';
import { acceptAll, type SendGroup } from './send-group.ts';
import { type ReadOptions, readSendRequest } from './send-request.ts';

export type Prepared = { ok: true; message: NewMessage } | { ok: false; refusal: Refusal };

const TOO_LARGE: Refusal = { code: 413, body: { error: 'Email exceeds the maximum size of 30 MB' } };

export interface SendOptions extends ReadOptions {
  key: IdempotencyKey | undefined;
  /** Requests without a key are committed together with others. */
  group?: SendGroup;
  /** Without it no request names a template. */
  templates?: TemplateRenderer;
  /** Of the request, where it is traced. */
  traceparent?: string | undefined;
}

/** Resolves after the commit: from then on the message is ours to deliver. */
export async function sendMessage(
  store: Store,
  credential: DomainCredential,
  body: unknown,
  { key, group, templates, traceparent, ...options }: SendOptions,
): Promise<Outcome> {
  const filler = templates && new TemplateFiller(store.pool, templates, credential);
  const prepared = await prepareMessage(credential, body, options, filler);
  if (!prepared.ok) {
    return { state: 'answered', answer: { status: prepared.refusal.code, body: prepared.refusal.body } };
  }
  const message = { ...prepared.message, traceparent };
  if (!key && group) return { state: 'answered', answer: await group.add(message) };
  return answerOnce(store, key, async (tx) => {
    const [answer] = await acceptAll(tx, [message]);
    if (!answer) throw new Error('one message has one answer');
    return answer;
  });
}

/** Fills the template where one is named; reads, checks and composes, and changes nothing. */
export async function prepareMessage(
  credential: DomainCredential,
  body: unknown,
  options: ReadOptions,
  filler?: TemplateFiller,
): Promise<Prepared> {
  const filled = filler ? await filler.fill(body) : ({ ok: true, body } as const);
  if (!filled.ok) return filled;
  const read = readSendRequest(filled.body, credential.domain, options);
  if (!read.ok) return read;
  const { content, messageId } = await composeMessage(read.request);
  if (content.length > options.limits.maxMessageBytes) return { ok: false, refusal: TOO_LARGE };
  const { from, subject, tags, stream, metadata, hasUnsubscribeLink, requiresTls, sendAt } = read.request;
  const message = {
    credential,
    source: 'http',
    submissionId: null,
    envelopeFrom: from.address,
    fromHeader: from.name ? `${from.name} <${from.address}>` : from.address,
    subject: subject ?? null,
    messageId,
    tags,
    stream,
    metadata,
    hasUnsubscribeLink,
    requiresTls,
    sendAt,
    content,
    recipients: listRecipients(read.request),
    acceptance: { source: 'http' },
  } as const;
  return { ok: true, message };
}
