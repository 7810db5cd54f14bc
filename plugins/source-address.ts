/**
 * source-address: the local address that each delivery leaves from.
 *
 * Pools of addresses come from the api by RPC, cached for ever (lib/rpc). The most specific assignment chooses the pool
 * (lib/pools/choose.ts). The master has chosen the address as it handed the delivery out (mta/queue/sources.ts), by pace;
 * here the choice is kept unless the site has blocked the address meanwhile. A reply that blames the address blocks it at
 * that site for a growing time, shared by all instances in Redis, and the mail is tried from another; a greylisted
 * delivery comes back from where it came from. With all addresses of a pool blocked, or none in it, the delivery is put
 * off with the reason. It never leaves from an address outside its pool.
 *
 * Mail without a pool leaves from whatever the operating system chooses, as HELO hostname.
 * Settings: pools, api.url, redis.url, mta.nameservers.
 */
import { isIPv6 } from 'node:net';
import { LRUCache } from 'lru-cache';
import { nameserversOf } from '../config/nameservers.ts';
import { classifyReply } from '../lib/bounces/classify.ts';
import { loadRules, type RuleFile } from '../lib/bounces/rules.ts';
import type { Connection, Delivery, DeliveryError, Plugin } from '../lib/mta-types.ts';
import { createSiteFinder, type FindSite } from '../lib/mx-site.ts';
import { guard, HookRefusal, pluginContext, pluginRpc } from '../lib/plugin.ts';
import { type BlockStore, createBlockStore } from '../lib/pools/block-store.ts';
import { choosePool, chooseSource, type Source } from '../lib/pools/choose.ts';
import type { RpcClient } from '../lib/rpc/client.ts';
import { findSendingPools, type Pool, type SendingPools } from '../lib/rpc/contracts/sending-pools.ts';

export const title = 'source-address';

export const replies = {
  poolsOutOfReach: { code: 451, enhanced: '4.3.0', text: 'The sending pools cannot be reached' },
} as const;

const DEFAULT_STREAM = 'transactional';
/** An address that this machine does not have is left alone for so long. */
const ABSENT_MS = 60_000;
const NO_POOLS: SendingPools = { pools: [], assignments: [] };

export interface SourceContext {
  findPools: () => Promise<SendingPools>;
  findSite: FindSite;
  blocks: BlockStore;
  rules: readonly RuleFile[];
  /** Addresses that this machine turned out not to have. */
  absent: LRUCache<string, true>;
}

export async function init(plugin: Plugin): Promise<void> {
  const { settings, log } = pluginContext();
  const rpc = pluginRpc();
  const context: SourceContext = {
    findPools: rememberPools(rpc),
    findSite: createSiteFinder(nameserversOf(settings)),
    blocks: createBlockStore({ redisUrl: settings.redis.url, terms: settings.pools, log }),
    rules: loadRules(),
    absent: new LRUCache({ max: 1_000, ttl: ABSENT_MS }),
  };
  plugin.addHook(
    'sender:fetch',
    guard('sender:fetch', log, (delivery) => setSource(delivery, context)),
  );
  plugin.addHook(
    'sender:connect',
    guard('sender:connect', log, async (delivery, options) => keepToPool(delivery, options)),
  );
  plugin.addHook(
    'sender:responseError',
    guard('sender:responseError', log, async (delivery, connection, error) => {
      const blamed = await noteReply(delivery, connection, error, context);
      if (blamed) log.warn(blamed, 'address.blocked');
    }),
  );
}

/** The last answer holds for as long as there is no other. */
export function rememberPools(rpc: Pick<RpcClient, 'call'>): () => Promise<SendingPools> {
  let last: SendingPools | undefined;
  return async () => {
    const found = await rpc.call(findSendingPools, { params: {} });
    if (found.ok) last = found.value;
    else if (found.reason === 'not_found') return NO_POOLS; // an api from before there were any
    if (!last) throw new HookRefusal(replies.poolsOutOfReach);
    return last;
  };
}

export async function setSource(delivery: Delivery, context: SourceContext): Promise<void> {
  if (delivery.isSuppressed) return;
  const { organizationId, domain, stream = DEFAULT_STREAM } = delivery.postern;
  const pool = choosePool(await context.findPools(), { organizationId, domain, stream });
  if (!pool) return;
  if (pool.addresses.length === 0) throw refusePool(pool, 'has no address');
  const site = await context.findSite(delivery.domain);
  const blocks = await context.blocks.blocksOf(site);
  const free = pool.addresses.filter(({ address }) => !blocks.has(address) && !context.absent.has(address));
  const source = chooseSource(free, String(delivery.postern.messageId), delivery.claim.source);
  if (!source.ipv4 && !source.ipv6) {
    const ends = [...blocks.values()].map(({ endsAt }) => endsAt);
    if (ends.length === 0) throw refusePool(pool, 'has no address that this machine has');
    const until = new Date(Math.min(...ends)).toISOString();
    throw refusePool(pool, `has no address that ${site} takes mail from, the first again at ${until}`);
  }
  applySource(delivery, source);
  delivery.source = { ...source, site, alternatives: free.length - 1 };
}

function refusePool({ name }: Pool, problem: string): HookRefusal {
  return new HookRefusal({ code: 451, enhanced: '4.4.4', text: `The sending pool ${name} ${problem}` });
}

/** In the fields that ZoneMTA opens connections by. */
function applySource(delivery: Delivery, { ipv4, ipv6 }: Source): void {
  delete delivery.zoneAddress;
  delete delivery.zoneAddressIPv4;
  delete delivery.zoneAddressIPv6;
  if (ipv4) delivery.zoneAddressIPv4 = { address: ipv4.address, name: ipv4.helo };
  if (ipv6) delivery.zoneAddressIPv6 = { address: ipv6.address, name: ipv6.helo };
  delivery.dnsOptions = { ...delivery.dnsOptions, ignoreIPv6: !ipv6, preferIPv6: !ipv4 };
  if (delivery.attempt && !(ipv4 && ipv6)) delivery.attempt.localAddress = (ipv4 ?? ipv6)?.address ?? null;
}

/** A host of a family that the pool has no address for would be reached from whatever the machine has. */
export function keepToPool({ source }: Delivery, { host }: { host?: string }): void {
  if (!source || !host || (isIPv6(host) ? source.ipv6 : source.ipv4)) return;
  const family = isIPv6(host) ? 'IPv6' : 'IPv4';
  throw new HookRefusal({
    code: 451,
    enhanced: '4.4.4',
    text: `The pool has no ${family} address for ${host}`,
  });
}

/** Blocks the address where the reply blames it. @returns what an operator reads of it; undefined: nothing new */
export async function noteReply(
  delivery: Delivery,
  connection: Connection | false,
  error: DeliveryError,
  { blocks, rules, absent }: Pick<SourceContext, 'blocks' | 'rules' | 'absent'>,
): Promise<object | undefined> {
  const { source } = delivery;
  if (!source || error instanceof HookRefusal) return undefined;
  if (error.code === 'EADDRNOTAVAIL') return noteAbsence(delivery, absent);
  const address = usedAddress(delivery, connection);
  const mx = (connection || undefined)?.options.servername || delivery.mxHostname;
  const reply = error.response ?? error.message;
  const verdict = classifyReply(rules, reply, mx);
  if (!address) return undefined;
  if (verdict.class === 'greylisted') delivery.pinnedAddress = address;
  if (verdict.action !== 'retry-elsewhere') return undefined;
  const block = await blocks.block(address, source.site, reply);
  error.action = 'defer'; // this address is refused, not the mail
  delivery.isForAnotherAddress = source.alternatives > 0;
  return { ...block, endsAt: new Date(block.endsAt).toISOString(), rule: verdict.rule };
}

/** Nobody has refused anything: the machine does not have the address that the pool names (OB-12). */
function noteAbsence(delivery: Delivery, absent: LRUCache<string, true>): object {
  const { ipv4, ipv6, alternatives = 0 } = delivery.source ?? {};
  const addresses = [ipv4, ipv6].flatMap((entry) => (entry ? [entry.address] : []));
  for (const address of addresses) absent.set(address, true);
  delivery.isForAnotherAddress = alternatives > 0;
  return { addresses, reply: 'not an address of this machine' };
}

function usedAddress(delivery: Delivery, connection: Connection | false): string | undefined {
  const { ipv4, ipv6 } = delivery.source ?? {};
  const local = delivery.localAddress ?? (connection ? connection.options.localAddress : undefined);
  if (local === undefined) return undefined;
  return (isIPv6(local) ? ipv6 : ipv4)?.address;
}
