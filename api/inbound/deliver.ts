/**
 * One attempt to give a message that came in to its route's endpoint. It uses what webhooks use: claim, signature, poster
 * and the rules of what an answer means; five attempts instead of ten. An endpoint may be an SMTP server, too.
 *
 * A message of 30 MB is 100 MB of JSON and more on the way there: so many bytes at a time and no more, and as many by SMTP,
 * where a server may take minutes. What finds no room, or waits too long behind others that are taken apart, is put back.
 */
import type { Pool } from '../database.ts';
import { unsealBasicAuth } from '../models/inbound-endpoint.ts';
import { findInboundContent, findInboundForEndpoint } from '../models/inbound-message.ts';
import type { Attempt } from '../models/webhook-attempt.ts';
import type { ClaimedDelivery } from '../models/webhook-claim.ts';
import { beginAttempt, type DeliverContext, deliverBody, type Material } from '../webhooks/deliver.ts';
import { scheduleAttempt } from '../webhooks/schedule.ts';
import { renderPayload } from './render-payload.ts';
import { readServerUrl } from './server-url.ts';
import type { SendSmtp, SmtpResult } from './smtp-sender.ts';

/** Wait before each attempt, counted from the failure of the one before. */
export const INBOUND_RETRY_DELAYS_SECONDS: readonly number[] = [0, 60, 600, 3_600, 4 * 3_600];

const MAX_BYTES_AT_A_TIME = 64 * 1024 * 1024;

export interface InboundContext extends DeliverContext {
  pool: Pool;
  masterKey: string;
  sendSmtp: SendSmtp;
}

const bytesUnderWay = { http: 0, smtp: 0 };

/** Undefined: there is no room now, or no time. */
export async function deliverInbound(
  context: InboundContext,
  delivery: ClaimedDelivery,
  material: Material,
): Promise<Attempt | undefined> {
  const message = await findInboundForEndpoint(context.pool, delivery.inboundMessageId ?? 0);
  if (!message) return beginAttempt(delivery)({ outcome: 'message_gone' });
  const way = message.target === 'smtp' ? 'smtp' : 'http';
  const size = message.sizeBytes;
  if (bytesUnderWay[way] > 0 && bytesUnderWay[way] + size > MAX_BYTES_AT_A_TIME) return undefined;
  bytesUnderWay[way] += size;
  try {
    const content = await findInboundContent(context.pool, message.id);
    if (!content) return beginAttempt(delivery)({ outcome: 'message_gone' });
    return way === 'smtp'
      ? await sendBySmtp(context, delivery, message, content)
      : await postByHttp(context, delivery, material, message, content);
  } finally {
    bytesUnderWay[way] -= size;
  }
}

type Message = NonNullable<Awaited<ReturnType<typeof findInboundForEndpoint>>>;

async function postByHttp(
  context: InboundContext,
  delivery: ClaimedDelivery,
  material: Material,
  message: Message,
  content: Buffer,
): Promise<Attempt | undefined> {
  const body = await renderPayload(message, content);
  if (!body) return undefined;
  const credentials = credentialsOf(message, delivery, context);
  const attempt = await deliverBody(context, delivery, material, {
    body,
    delaysSeconds: INBOUND_RETRY_DELAYS_SECONDS,
    headers: credentials ? { Authorization: `Basic ${Buffer.from(credentials).toString('base64')}` } : {},
  });
  // The route still gets mail, which would wait for ever: 410 does not switch it off.
  return { ...attempt, isGone: false };
}

async function sendBySmtp(
  context: InboundContext,
  delivery: ClaimedDelivery,
  message: Message,
  content: Buffer,
): Promise<Attempt> {
  const conclude = beginAttempt(delivery);
  const result = await send(context, delivery, message, content);
  if (result.ok) return conclude({ outcome: 'delivered', status: 250, response: result.reply });
  const again = scheduleAttempt({
    attempts: delivery.attempts + 1,
    now: new Date(),
    delaysSeconds: INBOUND_RETRY_DELAYS_SECONDS,
  });
  if (result.reason !== 'refused') {
    return conclude({ outcome: result.reason, response: result.detail, nextAttemptAt: again ?? null });
  }
  const nextAttemptAt = result.isFinal ? null : (again ?? null);
  return conclude({ outcome: 'failed', status: result.code, response: result.reply, nextAttemptAt });
}

/** The settings may have become stricter since the route was made. */
async function send(
  context: InboundContext,
  delivery: ClaimedDelivery,
  message: Message,
  content: Buffer,
): Promise<SmtpResult> {
  const read = readServerUrl(delivery.url, context.urls.addresses);
  if (!read.ok) return { ok: false, reason: 'private_address', detail: read.reason };
  const [user = '', ...rest] = credentialsOf(message, delivery, context)?.split(':') ?? [];
  const credentials = user === '' ? undefined : { user, pass: rest.join(':') };
  return context.sendSmtp({
    server: read.server,
    // Two changes of a route at a time could make one that sends a password in clear.
    requiresTls: message.requiresTls || credentials !== undefined,
    credentials,
    envelope: { from: message.envelopeFrom, to: message.recipient },
    content,
  });
}

/** `user:password`; undefined: none is sent */
function credentialsOf(
  { basicAuthSealed }: Message,
  { domainId }: ClaimedDelivery,
  { masterKey }: InboundContext,
): string | undefined {
  return basicAuthSealed ? unsealBasicAuth(basicAuthSealed, domainId, masterKey) : undefined;
}
