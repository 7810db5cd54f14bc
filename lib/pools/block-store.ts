/**
 * Blocks of addresses at sites, in Redis, which all mta instances share: a hash a site, a field an address, and the list
 * of sites that have any. What stands there outlives every restart of ours.
 *
 * While Redis is down a process goes on with what it has read last and what it sees itself; its own blocks are written
 * as soon as Redis answers again. Nobody waits for Redis longer than a tenth of a second.
 */
import { once } from 'node:events';
import { Redis } from 'ioredis';
import { LRUCache } from 'lru-cache';
import { redisOptions } from '../rpc/redis-options.ts';
import { type AddressBlock, type BlockTerms, isActive, raiseBlock, readBlock } from './block.ts';

const SITES = 'postern:blocked-sites';
const DEADLINE_MS = 100;
/** A process that has just started would otherwise know nothing yet. */
const START_MS = 1_000;
const MAX_SITES = 10_000;
const SILENCE_MS = 60_000;

export interface BlockStore {
  /** Those that stand now, by address. */
  blocksOf(site: string): Promise<Map<string, AddressBlock>>;
  block(address: string, site: string, reply: string): Promise<AddressBlock>;
  /** All that stand now. @throws when Redis is out of reach */
  listBlocks(): Promise<AddressBlock[]>;
  /** Ends a block and forgets those before. False: there is none. @throws when Redis is out of reach */
  liftBlock(address: string, site: string): Promise<boolean>;
  close(): void;
}

export interface BlockStoreOptions {
  redisUrl: string;
  terms: BlockTerms;
  log: { warn(details: object, message: string): void };
  now?: () => number;
}

type Blocks = Map<string, AddressBlock>;

export function createBlockStore({ redisUrl, terms, log, now = Date.now }: BlockStoreOptions): BlockStore {
  const redis = new Redis(redisUrl, { ...redisOptions, commandTimeout: DEADLINE_MS });
  /** As last read, with what this process has added since. */
  const known = new LRUCache<string, Blocks>({ max: MAX_SITES });
  const unwritten = new Map<string, AddressBlock>();
  const started = once(redis, 'ready', { signal: AbortSignal.timeout(START_MS) }).catch(() => {}); // then without
  let quietUntil = 0;

  redis.on('error', noteFailure);

  function noteFailure(error: unknown): void {
    if (performance.now() < quietUntil) return;
    quietUntil = performance.now() + SILENCE_MS;
    log.warn({ err: error }, 'blocks.redis_failed');
  }

  async function attempt<T>(command: () => Promise<T>): Promise<T | undefined> {
    await started;
    try {
      return await command();
    } catch (error) {
      noteFailure(error);
      return undefined;
    }
  }

  /** Every block of the site, also those that have ended: the next one is measured by them. */
  async function read(site: string): Promise<Blocks> {
    const fields = await attempt(() => redis.hgetall(keyOf(site)));
    if (!fields) return known.get(site) ?? new Map();
    const blocks: Blocks = new Map();
    for (const text of Object.values(fields)) {
      const block = readBlock(text);
      if (block) blocks.set(block.address, block);
    }
    for (const block of unwritten.values()) {
      if (block.site !== site) continue;
      blocks.set(block.address, block);
      await write(block);
    }
    known.set(site, blocks);
    return blocks;
  }

  async function write(block: AddressBlock): Promise<void> {
    const { site, address, endsAt } = block;
    const name = `${address} ${site}`;
    const keptUntil = endsAt + terms.maxBlockSeconds * 1000;
    const written = await attempt(async () => {
      await redis.hset(keyOf(site), address, JSON.stringify(block));
      await redis.pexpire(keyOf(site), Math.max(1, keptUntil - now()));
      await redis.zadd(SITES, 'GT', keptUntil, site);
      return true;
    });
    if (written) unwritten.delete(name);
    else unwritten.set(name, block);
  }

  return {
    async blocksOf(site) {
      const blocks = await read(site);
      return new Map([...blocks].filter(([, block]) => isActive(block, now())));
    },
    async block(address, site, reply) {
      const blocks = await read(site);
      const previous = blocks.get(address);
      const block = raiseBlock(previous, { address, site, reply, now: now() }, terms);
      if (block === previous) return block;
      known.set(site, new Map(blocks).set(address, block));
      await write(block);
      return block;
    },
    async listBlocks() {
      await started;
      await redis.zremrangebyscore(SITES, '-inf', now());
      const sites = await redis.zrange(SITES, 0, -1);
      const found = await Promise.all(sites.map((site) => redis.hvals(keyOf(site))));
      return found.flat().flatMap((text) => {
        const block = readBlock(text);
        return block && isActive(block, now()) ? [block] : [];
      });
    },
    async liftBlock(address, site) {
      await started;
      return (await redis.hdel(keyOf(site), address)) > 0;
    },
    close: () => redis.disconnect(),
  };
}

function keyOf(site: string): string {
  return `postern:blocks:${site}`;
}
