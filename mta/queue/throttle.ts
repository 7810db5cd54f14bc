/**
 * What decides, beside the queue itself, when a delivery may start and from where: limits that all instances keep to
 * together, the pace of each local address at each site, and the addresses of its pool. Put together here for the master.
 */
import type pg from 'pg';
import type { Registry } from 'prom-client';
import { nameserversOf } from '../../config/nameservers.ts';
import type { Settings } from '../../config/schema.ts';
import type { Logger } from '../../lib/log.ts';
import { createSiteFinder, type FindSite } from '../../lib/mx-site.ts';
import { pluginRpc } from '../../lib/plugin.ts';
import { createBlockStore } from '../../lib/pools/block-store.ts';
import { findSendingPools, type SendingPools } from '../../lib/rpc/contracts/sending-pools.ts';
import type { PaceChanges } from './pace-changes.ts';
import { type PaceChange, Pacing } from './pacing.ts';
import { createShareExchange } from './share-exchange.ts';
import { Shares } from './shares.ts';
import { Sources } from './sources.ts';
import { createThrottleMetrics } from './throttle-metrics.ts';

const NO_POOLS: SendingPools = { pools: [], assignments: [] };

export interface ThrottleOptions {
  pool: pg.Pool;
  settings: Settings;
  log: Logger;
  paceChanges: PaceChanges;
  registry: Registry;
  /** There is room again at these destinations: domains, or sites as `site:name`. */
  onRoom(destinations: ReadonlySet<string>): void;
}

export interface Throttle {
  shares: Shares;
  sources: Sources;
  /** Undefined: sites are not paced. */
  pacing: Pacing | undefined;
  /** Undefined: nobody has to know a site before something is sent there. */
  findSite: FindSite | undefined;
  /** Before the first claim. */
  start(): Promise<void>;
  stop(): void;
}

export function createThrottle({
  pool,
  settings,
  log,
  paceChanges,
  registry,
  onRoom,
}: ThrottleOptions): Throttle {
  const { redis, instanceId, hostname, pools: terms } = settings;
  const isPaced = settings.pacing.enabled;
  const exchange = createShareExchange({ redisUrl: redis.url, instanceId });
  const shares = new Shares({
    ...{ exchange, log },
    onMore: (names) => onRoom(destinationsOf(names)),
    onDenied: () => metrics.tokenDenied(),
  });
  const blocks = createBlockStore({ redisUrl: redis.url, terms, log });
  const sources = new Sources({ findPools, listBlocks: () => blocks.listBlocks(), unnamed: hostname });
  const pacing = isPaced
    ? new Pacing({
        onChange: (change) => {
          metrics.paceChanged(change);
          noteChange(change, paceChanges, log);
        },
        isShared: () => shares.isTogether,
        now: shares.now,
      })
    : undefined;
  shares.usePacing(pacing);
  const metrics = createThrottleMetrics(registry, {
    paces: () => pacing?.list() ?? [],
    isTogether: () => shares.isTogether,
    instances: () => shares.instances,
    blocks: () => sources.countBlocks(),
  });

  return {
    ...{ shares, sources, pacing },
    findSite: isPaced ? createSiteFinder(nameserversOf(settings)) : undefined,
    async start() {
      exchange.open(await readQueueId(pool));
      await Promise.all([shares.open(), sources.start()]);
    },
    stop() {
      shares.close();
      sources.stop();
      blocks.close();
    },
  };
}

/** The last word of a limit's name. */
function destinationsOf(names: ReadonlySet<string>): Set<string> {
  return new Set([...names].map((name) => name.slice(name.lastIndexOf(' ') + 1)));
}

async function findPools(): Promise<SendingPools | undefined> {
  const found = await pluginRpc().call(findSendingPools, { params: {} });
  if (found.ok) return found.value;
  return found.reason === 'not_found' ? NO_POOLS : undefined; // an api from before there were any
}

/** What instances of this queue call themselves in Redis. */
async function readQueueId(pool: pg.Pool): Promise<string> {
  const { rows } = await pool.query<{ id: string }>('select id from queue_identity');
  const [identity] = rows;
  if (!identity) throw new Error('the queue has no identity: its schema is not complete');
  return identity.id;
}

/** Every change of a pace is recorded, and a line of the log, with what caused it. */
function noteChange(change: PaceChange, changes: PaceChanges, log: Logger): void {
  changes.note(change);
  const { address, site, trigger, before } = change;
  const { concurrency, rate } = change.pace;
  log.info(
    {
      address,
      site,
      trigger,
      concurrency,
      rate,
      before: { concurrency: before.concurrency, rate: before.rate },
    },
    'site.pace_changed',
  );
}
