/** One attempt of one webhook: makes its body, signs it, posts it, and says what follows. Never throws for what is outside. */
import type { KeyObject } from 'node:crypto';
import type { Attempt } from '../models/webhook-attempt.ts';
import type { ClaimedDelivery } from '../models/webhook-claim.ts';
import { readEndpointUrl, type UrlPolicy } from './endpoint-url.ts';
import { renderPayload, renderPlainPayload, type WebhookMessage } from './payload.ts';
import type { Poster, PostResult } from './post.ts';
import { RETRY_DELAYS_SECONDS, readRetryAfter, scheduleAttempt } from './schedule.ts';
import { type SigningKeys, signWebhook } from './signature.ts';

/** The contract's; receivers look at it. */
const USER_AGENT = 'mailpace_webhooks/1.0';
const GONE = 410;
/** It asks all of us to slow down, not this webhook alone. */
const THROTTLED = new Set([429, 503]);

export interface DeliverContext {
  poster: Poster;
  urls: UrlPolicy;
  maxPayloadBytes: number;
}

export interface Material {
  /** Undefined: the message was purged. */
  message: WebhookMessage | undefined;
  privateKeys: readonly KeyObject[];
  secrets: readonly Buffer[];
}

export async function deliverWebhook(
  context: DeliverContext,
  delivery: ClaimedDelivery,
  material: Material,
): Promise<Attempt> {
  const { message } = material;
  const isGone = delivery.messageId !== null && !message;
  const body = message
    ? renderPayload(delivery, message, context.maxPayloadBytes)
    : renderPlainPayload(delivery.event, delivery.data, context.maxPayloadBytes);
  return deliverBody(context, delivery, material, { body: isGone ? undefined : body });
}

export interface Content {
  /** Undefined: what it was to be made of is gone. */
  body: Buffer | undefined;
  /** The wait before each attempt, where it is not the one of webhooks */
  delaysSeconds?: readonly number[];
  /** Beside those of every webhook */
  headers?: Record<string, string>;
}

/** As deliverWebhook, of a body that somebody else has made. */
export async function deliverBody(
  { poster, urls }: Pick<DeliverContext, 'poster' | 'urls'>,
  delivery: ClaimedDelivery,
  { privateKeys: [first, ...others], secrets }: Pick<Material, 'privateKeys' | 'secrets'>,
  { body, delaysSeconds, headers = {} }: Content,
): Promise<Attempt> {
  const conclude = beginAttempt(delivery);
  if (!body) return conclude({ outcome: 'message_gone' });
  if (!first) throw new Error(`the domain ${delivery.domainId} has no webhook key`);
  const keys: SigningKeys = { privateKeys: [first, ...others], secrets };
  const result = await post({ poster, urls }, delivery, { body, headers }, keys);
  return conclude(judge(result, delivery.attempts + 1, new Date(), delaysSeconds));
}

/** @returns what makes an attempt of how it ended */
export function beginAttempt({
  position,
  claim,
  webhookId,
}: ClaimedDelivery): (outcome: Pick<Attempt, 'outcome'> & Partial<Attempt>) => Attempt {
  const startedAt = new Date();
  const from = performance.now();
  return (outcome) => ({
    ...{ position, claim, webhookId, startedAt },
    durationMs: Math.round(performance.now() - from),
    status: null,
    response: null,
    nextAttemptAt: null,
    pauseUntil: null,
    isGone: false,
    ...outcome,
  });
}

/** The settings may have become stricter since the endpoint was made. */
async function post(
  { poster, urls }: Pick<DeliverContext, 'poster' | 'urls'>,
  { id, url: text }: ClaimedDelivery,
  { body, headers: own }: { body: Buffer; headers: Record<string, string> },
  keys: SigningKeys,
): Promise<PostResult> {
  const read = readEndpointUrl(text, urls);
  if (!read.ok) return { ok: false, reason: 'private_address', detail: read.reason };
  const timestamp = Math.floor(Date.now() / 1000);
  const headers = {
    'Content-Type': 'application/json',
    'Content-Length': String(body.length),
    'User-Agent': USER_AGENT,
    ...own,
    ...signWebhook({ id, timestamp, body }, keys),
  };
  return poster.post(read.url, headers, body);
}

/** What an answer means (HK-8). @param attempts that have failed if this one has */
export function judge(
  result: PostResult,
  attempts: number,
  now: Date,
  delaysSeconds = RETRY_DELAYS_SECONDS,
): Pick<Attempt, 'outcome' | 'status' | 'response' | 'nextAttemptAt' | 'pauseUntil' | 'isGone'> {
  if (!result.ok) {
    const nextAttemptAt = scheduleAttempt({ attempts, now, delaysSeconds }) ?? null;
    return {
      outcome: result.reason,
      status: null,
      response: result.detail,
      nextAttemptAt,
      pauseUntil: null,
      isGone: false,
    };
  }
  const { status, snippet: response } = result;
  if (status >= 200 && status < 300) {
    return { outcome: 'delivered', status, response, nextAttemptAt: null, pauseUntil: null, isGone: false };
  }
  const retryAfterSeconds = THROTTLED.has(status) ? readRetryAfter(result.retryAfter, now) : undefined;
  const pauseUntil =
    retryAfterSeconds === undefined ? null : new Date(now.getTime() + retryAfterSeconds * 1000);
  const nextAttemptAt = scheduleAttempt({ attempts, now, retryAfterSeconds, delaysSeconds }) ?? null;
  return { outcome: 'failed', status, response, nextAttemptAt, pauseUntil, isGone: status === GONE };
}
