/** What claimed deliveries are made of: their messages and keys, fetched for all of them at once, and kept for a while. */
import type { KeyObject } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import type { Pool } from '../database.ts';
import { unsealSecret } from '../models/webhook.ts';
import type { ClaimedDelivery } from '../models/webhook-claim.ts';
import { findPrivateWebhookKeys, type PrivateWebhookKey } from '../models/webhook-key.ts';
import { findWebhookMessages } from '../models/webhook-message.ts';
import type { Material } from './deliver.ts';
import type { WebhookMessage } from './payload.ts';
import { readPrivateKey } from './signature.ts';

/** A message is told of several times within seconds: queued, delivered, and to each endpoint. */
const MESSAGE_MS = 60_000;
const MESSAGE_CHARACTERS = 32 * 1024 * 1024;
const KEYS = 1_000;

export type GatherMaterial = (
  deliveries: readonly ClaimedDelivery[],
) => Promise<(of: ClaimedDelivery) => Material>;

export function createMaterialGatherer(pool: Pool, masterKey: string): GatherMaterial {
  const messages = new LRUCache<number, WebhookMessage>({
    ttl: MESSAGE_MS,
    maxSize: MESSAGE_CHARACTERS,
    sizeCalculation: ({ html, text }) => 1_000 + (html?.length ?? 0) + (text?.length ?? 0),
  });
  const keyObjects = new LRUCache<number, KeyObject>({ max: KEYS });
  const toKeyObject = ({ id, privateKey }: PrivateWebhookKey): KeyObject => {
    const key = keyObjects.get(id) ?? readPrivateKey(privateKey);
    keyObjects.set(id, key);
    return key;
  };

  async function gatherMessages(ids: Set<number>): Promise<Map<number, WebhookMessage>> {
    const found = new Map<number, WebhookMessage>();
    for (const id of ids) {
      const known = messages.get(id);
      if (known) found.set(id, known);
    }
    const missing = [...ids].filter((id) => !found.has(id));
    if (missing.length === 0) return found;
    for (const [id, message] of await findWebhookMessages(pool, missing)) {
      messages.set(id, message);
      found.set(id, message);
    }
    return found;
  }

  async function gatherKeys(domainIds: Set<number>): Promise<Map<number, KeyObject[]>> {
    const keys = await findPrivateWebhookKeys(pool, [...domainIds], masterKey);
    const byDomain = Map.groupBy(keys, ({ domainId }) => domainId);
    return new Map([...byDomain].map(([domainId, own]) => [domainId, own.map(toKeyObject)]));
  }

  return async (deliveries) => {
    const [found, keys] = await Promise.all([
      gatherMessages(new Set(deliveries.flatMap(({ messageId }) => messageId ?? []))),
      gatherKeys(new Set(deliveries.map(({ domainId }) => domainId))),
    ]);
    return ({ messageId, domainId, secretSealed, oldSecretSealed }) => ({
      message: messageId === null ? undefined : found.get(messageId),
      privateKeys: keys.get(domainId) ?? [],
      secrets: [secretSealed, oldSecretSealed].flatMap((sealed) =>
        sealed ? [unsealSecret(sealed, domainId, masterKey)] : [],
      ),
    });
  };
}
