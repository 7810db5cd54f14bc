/**
 * Sends what the outbox holds, in the worker. One loop: writes down what has ended, claims what is due, starts it.
 * Endpoints do not wait for each other: each has a bounded number of attempts under way, one while it fails, and those
 * that fail have at most half of the worker's, together with SMTP servers, which may take minutes (HK-12).
 *
 * Killed at any point, everything goes out at least once: what was in hand is due again after its lease (HK-11). With
 * Postgres down nothing is claimed, and what has ended is written down when it is back.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Settings } from '../../config/schema.ts';
import type { Logger } from '../../lib/log.ts';
import { inTransaction, type Store } from '../database.ts';
import { deliverInbound } from '../inbound/deliver.ts';
import { createSmtpSender } from '../inbound/smtp-sender.ts';
import { BOUNCE_INBOUND, TELL_OWNER } from '../jobs/queues.ts';
import { concludeInbound } from '../models/inbound-message.ts';
import { type Attempt, concludeAttempts } from '../models/webhook-attempt.ts';
import { type ClaimedDelivery, claimDeliveries, putBack } from '../models/webhook-claim.ts';
import { createAddressPolicy } from './address-policy.ts';
import { deliverWebhook, type Material } from './deliver.ts';
import { createMaterialGatherer } from './material.ts';
import type { WebhookMetrics } from './metrics.ts';
import { createPoster } from './post.ts';
import { createResolver } from './resolve.ts';

/** Between two looks while nothing is due. NOTIFY would be sooner, and would queue all commits that send one. */
const IDLE_MS = 200;
/** Between two looks while there is work: what ends meanwhile is written down together. */
const BUSY_MS = 10;
const AFTER_ERROR_MS = 1_000;
/** The process has ten seconds to end (lib/shutdown.ts). */
const FINISH_MS = 7_000;

export interface Dispatcher {
  /** Takes nothing new, waits a while for what is under way, and writes down how it ended. */
  close(): Promise<void>;
}

export function startDispatcher({
  store,
  settings,
  log,
  metrics,
}: {
  store: Store;
  settings: Settings;
  log: Logger;
  metrics: WebhookMetrics;
}): Dispatcher {
  const { webhooks, secrets, hostname } = settings;
  const addresses = createAddressPolicy(webhooks);
  const resolve = createResolver(webhooks.nameservers, addresses);
  const poster = createPoster({ addresses, resolve, timeoutMs: webhooks.timeoutMs });
  const context = { poster, urls: { ...webhooks, addresses }, maxPayloadBytes: webhooks.maxPayloadBytes };
  const sendSmtp = createSmtpSender({ addresses, resolve, name: hostname });
  const inbound = { ...context, pool: store.pool, masterKey: secrets.key, sendSmtp };
  const gather = createMaterialGatherer(store.pool, secrets.key);
  const running = createRunning();
  const ended: Attempt[] = [];
  let isClosing = false;

  async function claim(): Promise<number> {
    const free = webhooks.concurrency - running.count;
    if (free <= 0) return 0;
    const claimed = await claimDeliveries(store.pool, {
      underWay: running.byEndpoint,
      perEndpoint: webhooks.concurrencyPerEndpoint,
      limit: free,
      slowLimit: Math.floor(webhooks.concurrency / 2) - running.slowCount,
    });
    if (claimed.length === 0) return 0;
    const materialOf = await gather(claimed);
    for (const delivery of claimed) void run(delivery, materialOf(delivery));
    return claimed.length;
  }

  async function run(delivery: ClaimedDelivery, material: Material): Promise<void> {
    running.add(delivery);
    try {
      const attempt =
        delivery.inboundMessageId === null
          ? await deliverWebhook(context, delivery, material)
          : await deliverInbound(inbound, delivery, material);
      if (!attempt) return await putBack(store.pool, delivery);
      metrics.count(attempt);
      ended.push(attempt);
    } catch (error) {
      // A mistake of ours: it is tried again when the claim is over.
      log.error({ err: error, webhookId: delivery.webhookId, deliveryId: delivery.id }, 'webhook.failed');
    } finally {
      running.remove(delivery);
    }
  }

  async function conclude(): Promise<void> {
    const attempts = [...ended];
    if (attempts.length === 0) return;
    const troubles = await inTransaction(store, async (tx) => {
      const found = await concludeAttempts(tx, attempts);
      for (const inboundMessageId of await concludeInbound(tx, attempts)) {
        await tx.enqueue(BOUNCE_INBOUND, { inboundMessageId });
      }
      for (const trouble of found) await tx.enqueue(TELL_OWNER, trouble);
      return found;
    });
    ended.splice(0, attempts.length); // what came meanwhile stands behind
    for (const { webhookId, reason } of troubles)
      log.warn({ webhookId, reason }, 'webhook.endpoint_troubled');
  }

  async function loop(): Promise<void> {
    while (!isClosing) {
      try {
        await conclude();
        const count = await claim();
        await sleep(count > 0 || running.count > 0 || ended.length > 0 ? BUSY_MS : IDLE_MS);
      } catch (error) {
        log.error({ err: error }, 'webhooks.interrupted');
        await sleep(AFTER_ERROR_MS);
      }
    }
  }

  const looping = loop();
  return {
    async close() {
      isClosing = true;
      await looping;
      const deadline = Date.now() + FINISH_MS;
      while (running.count > 0 && Date.now() < deadline) await sleep(BUSY_MS);
      await conclude();
      poster.close();
    },
  };
}

/** What is under way. */
function createRunning() {
  const byEndpoint = new Map<number, number>();
  const slow = new Set<number>();
  let count = 0;
  return {
    byEndpoint,
    get count() {
      return count;
    },
    get slowCount() {
      return slow.size;
    },
    add({ webhookId, position, isSlow }: ClaimedDelivery) {
      count++;
      byEndpoint.set(webhookId, (byEndpoint.get(webhookId) ?? 0) + 1);
      if (isSlow) slow.add(position);
    },
    remove({ webhookId, position }: ClaimedDelivery) {
      count--;
      const left = (byEndpoint.get(webhookId) ?? 1) - 1;
      if (left > 0) byEndpoint.set(webhookId, left);
      else byEndpoint.delete(webhookId);
      slow.delete(position);
    },
  };
}
