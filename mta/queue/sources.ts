/**
 * The local addresses that a delivery may leave from, as the master sees them when it hands it out: those of its pool
 * (lib/pools), the preferred first, without those that the site has blocked. Pools and blocks are read beside that, so
 * nobody waits for them; the sender looks again before it connects (plugins/source-address.ts).
 */
import { isIPv6 } from 'node:net';
import type { AddressBlock } from '../../lib/pools/block.ts';
import { choosePool, rankAddresses } from '../../lib/pools/choose.ts';
import type { PoolAddress, SendingPools } from '../../lib/rpc/contracts/sending-pools.ts';
import type { ClaimedRow } from './rows.ts';

const EVERY_MS = 1_000;
const DEFAULT_STREAM = 'transactional';

export interface SourcesOptions {
  /** Undefined: they cannot be had now; the last ones hold. */
  findPools(): Promise<SendingPools | undefined>;
  /** All that stand. @throws when they cannot be had; the last ones hold. */
  listBlocks(): Promise<AddressBlock[]>;
  /** What the address is called that the operating system chooses, where mail has no pool. */
  unnamed: string;
  now?: () => number;
}

export class Sources {
  readonly #options: SourcesOptions;
  readonly #now: () => number;
  #pools: SendingPools = { pools: [], assignments: [] };
  /** When each block ends, by `address site` */
  #blocks = new Map<string, number>();
  /** Ranking costs a hash an address: of rows that are looked at again and again it is made once. */
  #ranked = new WeakMap<ClaimedRow, readonly string[]>();
  #timer: NodeJS.Timeout | undefined;

  constructor(options: SourcesOptions) {
    this.#options = options;
    this.#now = options.now ?? Date.now;
  }

  /** Reads what there is, and goes on doing so. */
  async start(): Promise<void> {
    await this.refresh();
    this.#timer = setInterval(() => void this.refresh(), EVERY_MS).unref();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  async refresh(): Promise<void> {
    await Promise.all([this.#refreshPools(), this.#refreshBlocks()]);
  }

  /** None: the pool is empty, or the site has blocked every address of it. */
  of(row: ClaimedRow, site: string | undefined): readonly string[] {
    const addresses = this.#rank(row);
    if (site === undefined || this.#blocks.size === 0) return addresses;
    const now = this.#now();
    const isFree = (address: string) => (this.#blocks.get(`${address} ${site}`) ?? 0) <= now;
    const free = addresses.filter(isFree);
    // What is greylisted does not wait for an address that is blocked.
    return free.length === 0 && row.pinnedAddress !== undefined ? this.#rankAll(row).filter(isFree) : free;
  }

  /** By address, how many sites block it now. */
  countBlocks(): Map<string, number> {
    const counts = new Map<string, number>();
    const now = this.#now();
    for (const [name, endsAt] of this.#blocks) {
      const [address = ''] = name.split(' ');
      if (endsAt > now) counts.set(address, (counts.get(address) ?? 0) + 1);
    }
    return counts;
  }

  #rank(row: ClaimedRow): readonly string[] {
    const known = this.#ranked.get(row);
    if (known) return known;
    const all = this.#rankAll(row);
    const { pinnedAddress } = row;
    // What is greylisted waits for the address that the site knows it by, however much it may send.
    const ranked = pinnedAddress !== undefined && all.includes(pinnedAddress) ? [pinnedAddress] : all;
    this.#ranked.set(row, ranked);
    return ranked;
  }

  #rankAll({ organizationId, senderDomain = '', stream = DEFAULT_STREAM, messageId }: ClaimedRow): string[] {
    const pool = choosePool(this.#pools, { organizationId, domain: senderDomain, stream });
    if (!pool) return [this.#options.unnamed];
    return rankAddresses(countedOf(pool.addresses), String(messageId)).map(({ address }) => address);
  }

  async #refreshPools(): Promise<void> {
    const pools = await this.#options.findPools();
    if (!pools || pools === this.#pools) return;
    this.#pools = pools;
    this.#ranked = new WeakMap();
  }

  async #refreshBlocks(): Promise<void> {
    const blocks = await this.#options.listBlocks().catch(() => undefined);
    if (blocks)
      this.#blocks = new Map(blocks.map((block) => [`${block.address} ${block.site}`, block.endsAt]));
  }
}

/** Of a pool with both families its IPv4 addresses count: which family a delivery uses is seen when a host answers. */
function countedOf(addresses: readonly PoolAddress[]): PoolAddress[] {
  const ipv4 = addresses.filter(({ address }) => !isIPv6(address));
  return ipv4.length > 0 ? ipv4 : [...addresses];
}
