import type { FastifyInstance } from 'fastify';
import { normalizeAddress } from '../../lib/mail/address.ts';
import { createDeliveryEvents, type DeliveryEvent } from '../../lib/rpc/contracts/delivery-events.ts';
import type { Context } from '../app.ts';
import { inTransaction, type Pool } from '../database.ts';
import { type NewEvent, recordEvents } from '../models/event.ts';
import { listPools } from '../models/sending-pool.ts';
import { suppressBounced } from '../models/suppressed-recipient.ts';
import { registerCall } from './register.ts';

const POOLS_VALID_MS = 60_000;

export function deliveryEventCalls(app: FastifyInstance, { store, metrics, settings }: Context): void {
  const poolOf = createPoolIndex(store.pool);
  registerCall(app, createDeliveryEvents, async ({ body }, { log }) => {
    const { fresh, duplicates, unknownMessageIds } = await inTransaction(store, async (tx) => {
      const recorded = await recordEvents(tx, body.events.map(toEvent));
      await suppressBounced(tx, recorded.fresh, settings.suppressions.bouncedDays);
      return recorded;
    });
    // Refusing them would stop the mta's outbox for ever; the log is where somebody can see it.
    if (unknownMessageIds.length > 0) log.error({ unknownMessageIds }, 'delivery_events.message_unknown');
    const pools = await poolOf();
    for (const { type, data } of fresh) metrics.delivered(type, pools.get(String(data.local_address)));
    return { accepted: fresh.length, duplicates };
  });
}

/** Pools by their addresses, for figures: asked for once a minute, and not to be had is no reason to refuse events. */
function createPoolIndex(pool: Pool): () => Promise<ReadonlyMap<string, string>> {
  let index = new Map<string, string>();
  let validUntil = 0;
  return async () => {
    if (performance.now() < validUntil) return index;
    validUntil = performance.now() + POOLS_VALID_MS;
    const pools = await listPools(pool).catch(() => undefined);
    if (!pools) return index; // the one from before
    index = new Map(
      pools.flatMap(({ name, addresses }) => addresses.map(({ address }) => [address, name] as const)),
    );
    return index;
  };
}

function toEvent(event: DeliveryEvent): NewEvent {
  const { tls } = event;
  return {
    id: event.id,
    messageId: event.messageId,
    recipient: normalizeAddress(event.recipient) ?? event.recipient, // the mta may write its domain in U-labels
    type: event.type,
    occurredAt: event.occurredAt,
    data: {
      attempt: event.attempt,
      attempt_started_at: event.attemptStartedAt,
      response: event.response,
      code: event.code,
      enhanced_code: event.enhanced,
      category: event.bounce?.class ?? event.category,
      bounce: event.bounce && toBounce(event.bounce),
      mx: event.mx,
      local_address: event.localAddress,
      tls: tls && { version: tls.version, cipher: tls.cipher, is_authorized: tls.isAuthorized },
      next_attempt_at: event.nextAttemptAt,
      queue_id: event.queueId,
      sequence: event.sequence,
      instance_id: event.instanceId,
    },
  };
}

function toBounce({ class: name, isHard, action, rule }: NonNullable<DeliveryEvent['bounce']>) {
  return { class: name, is_hard: isHard, action, rule };
}
