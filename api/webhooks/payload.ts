/**
 * The body of a webhook: the fields of the contract (section 2), and behind them what it does not have: recipient,
 * bounce class, reply and metadata. Made anew for each attempt from what is stored, so it is the same each time.
 */
import type { Excerpt } from '../mail/excerpt.ts';

/** What is known of the message. */
export interface WebhookMessage extends Excerpt {
  id: number;
  domainId: number;
  createdAt: Date;
  from: string;
  bcc: string | null;
  subject: string | null;
  messageId: string;
  tags: string[];
  metadata: Record<string, unknown> | null;
  isSandbox: boolean;
}

/** What happened: stored with the delivery (`data` of webhook_deliveries), keys as they are sent. */
export interface WebhookEventData {
  status: string;
  recipient?: string | null;
  bounce_class?: string | null;
  reply?: string | null;
  reply_code?: number | null;
  enhanced_code?: string | null;
  attempt?: number | null;
  [key: string]: unknown;
}

type Payload = Record<string, unknown>;

/** A text that is no longer than this stays whole. */
const MIN_KEPT_CHARACTERS = 64;

export function renderPayload(
  { event, occurredAt, data }: { event: string; occurredAt: Date; data: WebhookEventData },
  message: WebhookMessage,
  maxBytes: number,
): Buffer {
  const { status, ...details } = data;
  return render(
    event,
    {
      status,
      id: message.id,
      domain_id: message.domainId,
      created_at: message.createdAt.toISOString(),
      updated_at: occurredAt.toISOString(),
      from: message.from,
      to: message.to,
      htmlbody: message.html,
      textbody: message.text,
      cc: message.cc,
      bcc: message.bcc,
      subject: message.subject,
      replyto: message.replyTo,
      message_id: message.messageId,
      list_unsubscribe: message.listUnsubscribe,
      tags: message.tags.length > 0 ? message.tags : null,
      recipient: null,
      bounce_class: null,
      reply: null,
      reply_code: null,
      enhanced_code: null,
      attempt: null,
      ...details,
      metadata: message.metadata,
      ...(message.isSandbox && { sandbox: true }),
    },
    maxBytes,
  );
}

/** An event that is about no message of ours: `data` is the payload. */
export function renderPlainPayload(event: string, data: Payload, maxBytes: number): Buffer {
  return render(event, data, maxBytes);
}

/** HK-16: longer than `maxBytes`, the longest texts lose their ends and are named in `truncated`. */
function render(event: string, payload: Payload, maxBytes: number): Buffer {
  const shortened: Payload = { ...payload };
  const truncated = new Set<string>();
  for (;;) {
    const extra = truncated.size > 0 ? { truncated: [...truncated] } : {};
    const body = Buffer.from(JSON.stringify({ event, payload: { ...shortened, ...extra } }));
    const excess = body.length - maxBytes;
    const name = excess > 0 ? findLongest(shortened) : undefined;
    if (name === undefined) return body;
    shortened[name] = shorten(shortened[name], excess);
    truncated.add(name);
  }
}

/** The field that takes most room and can give some. */
function findLongest(payload: Payload): string | undefined {
  const sizes = Object.entries(payload)
    .filter(([, value]) => canGive(value))
    .map(([name, value]) => ({ name, size: sizeOf(value) }));
  return sizes.toSorted((a, b) => b.size - a.size)[0]?.name;
}

function canGive(value: unknown): value is string | unknown[] {
  return Array.isArray(value)
    ? value.length > 1
    : typeof value === 'string' && value.length > MIN_KEPT_CHARACTERS;
}

function sizeOf(value: unknown): number {
  return Buffer.byteLength(JSON.stringify(value));
}

/** By `excess` bytes of JSON or by half, whichever is less: the next round takes from what is longest then. */
function shorten(value: unknown, excess: number): unknown {
  if (Array.isArray(value)) return value.slice(0, Math.ceil(value.length / 2));
  const text = String(value);
  const bytesPerCharacter = sizeOf(text) / text.length;
  const kept = Math.max(
    text.length - Math.ceil(excess / bytesPerCharacter) - 32,
    text.length / 2,
    MIN_KEPT_CHARACTERS,
  );
  return text.slice(0, Math.floor(kept)).replace(/[\ud800-\udbff]$/, ''); // no half of a surrogate pair
}
