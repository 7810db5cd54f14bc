/**
 * suppression: looks at the block list just before a delivery is attempted (OB-11). A recipient that was put on it while
 * the mail was queued is not sent to: the delivery ends as `suppressed`.
 *
 * The worker has looked when it handed the message over. That look is believed for as long as this process has listened
 * to what the api says about changes, without a gap, and heard of none; and for ten minutes at most. Otherwise the api is
 * asked, by RPC, cached (lib/rpc). Without any answer the delivery is put off with 4.3.0: it never guesses.
 *
 * Trusts: the worker's word about when it looked.
 * Settings: api.url, secrets.serviceToken, redis.url.
 */
import type { Delivery, Plugin } from '../lib/mta-types.ts';
import { guard, HookRefusal, pluginContext, pluginRpc } from '../lib/plugin.ts';
import { cacheKey } from '../lib/rpc/cache-key.ts';
import type { RpcClient } from '../lib/rpc/client.ts';
import { findBlock, findSuppression } from '../lib/rpc/contracts/suppressions.ts';
import { KnownChanges } from '../lib/rpc/known-changes.ts';
import { subscribeToInvalidations } from '../lib/rpc/subscription.ts';

export const title = 'suppression';

export const replies = {
  listsOutOfReach: { code: 451, enhanced: '4.3.0', text: 'The block list of the domain cannot be reached' },
} as const;

/** As long as the contract lets a stale answer live. */
const BELIEVED_MS = 600_000;
/** Who sends nothing in particular sends what somebody waits for. */
const DEFAULT_STREAM = 'transactional';

export async function init(plugin: Plugin): Promise<void> {
  const { settings, log } = pluginContext();
  const rpc = pluginRpc();
  const changes = new KnownChanges();
  subscribeToInvalidations({
    redisUrl: settings.redis.url,
    log,
    onInvalidated: (key) => changes.note(key),
    onSubscribed: () => changes.listen(),
    onLost: () => changes.lose(),
  });
  plugin.addHook(
    'sender:fetch',
    guard('sender:fetch', log, (delivery) => suppressDelivery(delivery, rpc, changes)),
  );
}

/** Marks a delivery that must not be made; the queue ends it (mta/queue/sender.ts). */
export async function suppressDelivery(
  delivery: Delivery,
  rpc: Pick<RpcClient, 'call'>,
  changes: KnownChanges,
  now = Date.now(),
): Promise<void> {
  const { domain, stream = DEFAULT_STREAM, listsReadAt } = delivery.postern;
  const params = { address: delivery.recipient.toLowerCase(), domain };
  if (
    listsReadAt !== undefined &&
    now - listsReadAt < BELIEVED_MS &&
    changes.isUnchangedSince(cacheKey(findSuppression, params), listsReadAt)
  ) {
    return;
  }
  const found = await rpc.call(findSuppression, { params });
  if (!found.ok) throw new HookRefusal(replies.listsOutOfReach);
  const reason = findBlock(found.value, stream);
  if (reason === undefined) return;
  delivery.isSuppressed = true;
  delivery.suppressionReason = `On the block list: ${reason}`;
}
