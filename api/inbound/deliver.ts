/**
 * One attempt to give a message that came in to its route's endpoint. It uses what webhooks use: claim, signature, poster
 * and the rules of what an answer means; five attempts instead of ten.
 *
 * A message of 30 MB is 100 MB of JSON and more on the way there: so many bytes at a time and no more. What finds no room
 * is left for the end of its lease.
 */
import type { Pool } from '../database.ts';
import { findInboundContent, findInboundForEndpoint } from '../models/inbound-message.ts';
import { unsealBasicAuth } from '../models/inbound-route.ts';
import type { Attempt } from '../models/webhook-attempt.ts';
import type { ClaimedDelivery } from '../models/webhook-claim.ts';
import { type DeliverContext, deliverBody, type Material } from '../webhooks/deliver.ts';
import { parseInbound, renderInbound } from './payload.ts';

/** Wait before each attempt, counted from the failure of the one before. */
export const INBOUND_RETRY_DELAYS_SECONDS: readonly number[] = [0, 60, 600, 3_600, 4 * 3_600];

const MAX_BYTES_AT_A_TIME = 64 * 1024 * 1024;

export interface InboundContext extends DeliverContext {
  pool: Pool;
  masterKey: string;
}

let bytesUnderWay = 0;

/** Undefined: there is no room now. */
export async function deliverInbound(
  context: InboundContext,
  delivery: ClaimedDelivery,
  material: Material,
): Promise<Attempt | undefined> {
  const message = await findInboundForEndpoint(context.pool, delivery.inboundMessageId ?? 0);
  const size = message?.sizeBytes ?? 0;
  if (bytesUnderWay > 0 && bytesUnderWay + size > MAX_BYTES_AT_A_TIME) return undefined;
  bytesUnderWay += size;
  try {
    const content = message && (await findInboundContent(context.pool, message.id));
    const body = content && renderInbound(message, content, await parseInbound(content));
    const attempt = await deliverBody(context, delivery, material, {
      body,
      delaysSeconds: INBOUND_RETRY_DELAYS_SECONDS,
      headers: authorize(message?.basicAuthSealed, delivery.domainId, context.masterKey),
    });
    // The route still gets mail, which would wait for ever: 410 does not switch it off.
    return { ...attempt, isGone: false };
  } finally {
    bytesUnderWay -= size;
  }
}

function authorize(
  sealed: Buffer | null | undefined,
  domainId: number,
  masterKey: string,
): Record<string, string> {
  if (!sealed) return {};
  const credentials = unsealBasicAuth(sealed, domainId, masterKey);
  return { Authorization: `Basic ${Buffer.from(credentials).toString('base64')}` };
}
