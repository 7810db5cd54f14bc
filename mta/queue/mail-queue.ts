/**
 * In place of ZoneMTA's lib/mail-queue.js: the queue as the master sees it. It claims deliveries for the senders and
 * keeps the leases; what enters and leaves the queue is written by receivers and senders themselves.
 *
 * The public names are ZoneMTA's, which calls them from its queue server and its HTTP API.
 */
import type { Readable } from 'node:stream';
import { register } from 'prom-client';
import { type Callback, createMailDrop, createSequence } from '../zone-mta.ts';
import { storedBody } from './bodies.ts';
import { Claims } from './claims.ts';
import { queueContext } from './context.ts';
import { countByZone, listDeliveries, readDeliveries, readEnvelope } from './inspection.ts';
import { holdInstance } from './instance-lock.ts';
import { returnLeasesOf, startLeaseKeeper } from './leases.ts';
import { Limits } from './limits.ts';
import { MasterCache } from './master-cache.ts';
import { createQueueMetrics } from './metrics.ts';
import { Outbox } from './outbox.ts';
import { PaceChanges } from './pace-changes.ts';
import { Pauses } from './pauses.ts';
import { loadPlugins } from './plugin-gate.ts';
import { type RunningQueue, setRunningQueue } from './running-queue.ts';
import { Sites } from './sites.ts';
import { StoredLimits } from './stored-limits.ts';
import { createThrottle, type Throttle } from './throttle.ts';
import { loadControlState, startUpkeep } from './upkeep.ts';
import { startWatchdog } from './watch.ts';

const DEFAULT_ZONE = 'default';
/** The id of what `shift` gives: many deliveries under one, for the exchange of a sender process. */
const BATCH = 'batch';
const NO_MAIL = 'Mail is accepted by the intake only';
const OTHER_PORT = 'The queue is changed by the control port: bin/postern queue --help';

class MailQueue {
  readonly seqIndex = createSequence();
  readonly maildrop: unknown;
  readonly limits: Limits;
  readonly claims: Claims;
  readonly outbox: Outbox;
  readonly cache: MasterCache;
  /** What the queue server and the HTTP API read of ZoneMTA's QueueLocker. */
  readonly locks = {
    locks: new Map(),
    zones: new Map(),
    lockOwners: new Map(),
    release: () => false,
    releaseLockOwner: (owner: string) => void this.claims.releaseOwner(owner),
    listSkipDomains: () => false,
  };
  readonly #context = queueContext();
  readonly #running: RunningQueue;
  readonly #throttle: Throttle;
  #isClosing = false;
  #stopKeeping: () => void = () => {};

  constructor() {
    const { pool, settings, log } = this.#context;
    const { instanceId, queue, mta } = settings;
    this.limits = new Limits({ connections: mta.maxConnectionsPerDomain });
    this.outbox = new Outbox(pool);
    const metrics = createQueueMetrics(register, {
      waitingRows: () => this.claims.scheduler.buffered,
      activeRows: () => this.claims.activeCount,
      flows: () => this.claims.scheduler.flowCount,
      slowedDestinations: () => this.claims.scheduler.destinations.slowdowns.count,
    });
    const { leaseSeconds } = queue;
    const sites = new Sites(pool);
    const pauses = new Pauses(pool, (domain) => this.claims.scheduler.destinations.siteOf(domain));
    const paceChanges = new PaceChanges(pool, instanceId);
    this.#throttle = createThrottle({
      ...{ pool, settings, log, paceChanges, registry: register },
      onRoom: (destinations) => this.claims.noteRoom(destinations),
    });
    const { pacing, shares, sources, findSite } = this.#throttle;
    this.claims = new Claims({
      ...{ pool, instanceId, leaseSeconds, limitOf: this.limits.of, metrics, log, pauses, pacing, findSite },
      shared: shares,
      sourcesOf: (row, site) => sources.of(row, site),
      onSite: (domain, site) => sites.note(domain, site),
    });
    this.#running = {
      ...{
        pool,
        instanceId,
        log,
        sites,
        pauses,
        pacing,
        paceChanges,
        claims: this.claims,
        limits: this.limits,
      },
      ...{ outbox: this.outbox, storedLimits: new StoredLimits(pool, this.limits) },
    };
    this.cache = new MasterCache({ claims: this.claims, metrics, onEvents: () => this.outbox.announce() });
    this.maildrop = createMailDrop(this);
  }

  /** ZoneMTA sets this when it begins to shut down: senders that wait are let go, so that they can end. */
  set closing(value: boolean) {
    this.#isClosing = value;
    if (value) void this.claims.close();
  }

  get closing(): boolean {
    return this.#isClosing;
  }

  init(callback: Callback): void {
    this.#start().then(
      () => callback(null, true),
      (error: Error) => {
        this.#context.log.fatal({ err: error }, 'queue.start_failed');
        callback(error);
      },
    );
  }

  /** Gives deliveries of the zone, as many as the sender process can take, as soon as there are any. */
  shift(zone: string, { lockOwner = '' }: { lockOwner?: string }, callback: Callback): void {
    this.claims.wait({
      zone: zone || DEFAULT_ZONE,
      owner: lockOwner,
      count: this.cache.takeDemand(lockOwner),
      give: (rows) => callback(null, rows ? { id: BATCH, domain: '', rows } : false),
    });
  }

  /** The queue server asks again for what `shift` has just given. */
  getMeta(id: string, callback: Callback): void {
    if (id === BATCH) callback(null, {});
    else readEnvelope(this.#context.pool, id).then((envelope) => callback(null, envelope), callback);
  }

  /** Deliveries are ended by senders, and reported by `wire.ended`: these three are never called. */
  getDelivery(_id: string, _seq: string, callback: Callback): void {
    callback(null, false);
  }

  releaseDelivery(_delivery: unknown, callback: Callback): void {
    callback(null, false);
  }

  deferDelivery(_delivery: unknown, _ttl: number, _response: unknown, callback: Callback): void {
    callback(null, false);
  }

  retrieve(id: string): Readable {
    return storedBody(this.#context.pool, id, this.#context.log);
  }

  generateId(callback: Callback): void {
    callback(null, this.seqIndex.get());
  }

  /** What the master itself would write (by its own API, or as bounces) has no identity. */
  store(_id: string, stream: Readable, callback: Callback): void {
    stream.resume();
    callback(new Error(NO_MAIL));
  }

  setMeta(_id: string, _envelope: unknown, callback: Callback): void {
    callback(new Error(NO_MAIL));
  }

  push(_id: string, _envelope: unknown, callback: Callback): void {
    callback(new Error(NO_MAIL));
  }

  removeMessage(_id: string, callback: Callback): void {
    callback(null, true);
  }

  getInfo(id: string, callback: Callback): void {
    readDeliveries(this.#context.pool, id).then((info) => callback(null, info), callback);
  }

  listQueued(
    zone: string,
    type: string,
    _sort: unknown,
    start: number,
    maxItems: number,
    callback: Callback,
  ): void {
    listDeliveries(this.#context.pool, { zone, isDeferred: type === 'deferred', start, maxItems }).then(
      (entries) => callback(null, entries),
      callback,
    );
  }

  count(zones: string | string[], type: string, callback: Callback): void {
    countByZone(this.#context.pool, [zones].flat(), type === 'deferred').then(
      (count) => callback(null, count),
      callback,
    );
  }

  /** ZoneMTA's HTTP API asks no token and keeps no audit: what changes the queue goes by the control port. */
  remove(_id: string, _seq: string | undefined, callback: Callback): void {
    callback(new Error(OTHER_PORT));
  }

  update(_id: string, _seq: string | undefined, _update: unknown, callback: Callback): void {
    callback(new Error(OTHER_PORT));
  }

  stop(): void {
    this.closing = true;
    this.outbox.close();
    this.#stopKeeping();
    void this.claims.close().finally(() => this.#context.pool.end());
  }

  async #start(): Promise<void> {
    const { pool, settings, log } = this.#context;
    const { instanceId, queue } = settings;
    await holdInstance({ url: queue.url, instanceId, log });
    const returned = await returnLeasesOf(pool, instanceId);
    if (returned > 0) log.warn({ deliveries: returned }, 'leases.returned_at_start');
    await loadPlugins(this);
    await loadControlState(this.#running);
    await this.#throttle.start();
    await this.claims.start();
    const keeper = startLeaseKeeper({
      pool,
      claims: this.claims,
      instanceId,
      leaseSeconds: queue.leaseSeconds,
      log,
      onEvents: () => this.outbox.announce(),
    });
    const upkeep = startUpkeep(this.#running);
    const watchdog = startWatchdog(this.#running, register);
    setRunningQueue(this.#running);
    this.#stopKeeping = () => {
      setRunningQueue(undefined);
      for (const task of [keeper, upkeep, watchdog, this.#throttle]) task.stop();
    };
  }
}

export { MailQueue as 'module.exports' };
