/**
 * In place of ZoneMTA's lib/mail-queue.js: the queue as the master sees it. It claims deliveries for the senders and
 * keeps the leases; what enters and leaves the queue is written by receivers and senders themselves.
 *
 * The public names are ZoneMTA's, which calls them from its queue server and its HTTP API.
 */
import type { Readable } from 'node:stream';
import { type Callback, createMailDrop, createSequence, createTtlCache } from '../zone-mta.ts';
import { bodyStream } from './bodies.ts';
import type { ClaimedRow } from './claim-rows.ts';
import { Claims, claimKey } from './claims.ts';
import { queueContext } from './context.ts';
import { createDelivery, parkUnreadable } from './handed-out.ts';
import {
  countByZone,
  listDeliveries,
  readDeliveries,
  readEnvelope,
  removeDeliveries,
  retryDeliveries,
} from './inspection.ts';
import { holdInstance } from './instance-lock.ts';
import { returnLeasesOf, startLeaseKeeper } from './leases.ts';
import { Outbox } from './outbox.ts';
import { loadPlugins } from './plugin-gate.ts';

const DEFAULT_ZONE = 'default';
const DEFAULT_LIMIT = 5;

interface ShiftOptions {
  lockOwner?: string;
  getDomainConfig?: (domain: string, key: string) => unknown;
}

class MailQueue {
  readonly cache = createTtlCache();
  readonly seqIndex = createSequence();
  readonly maildrop: unknown;
  readonly claims: Claims;
  readonly outbox: Outbox;
  /** What the queue server and the HTTP API read of ZoneMTA's QueueLocker. */
  readonly locks = {
    locks: new Map(),
    zones: new Map(),
    lockOwners: new Map(),
    release: (key: string) => this.claims.release(key),
    releaseLockOwner: (owner: string) => void this.claims.releaseOwner(owner),
    listSkipDomains: () => false,
  };
  readonly #context = queueContext();
  #closing = false;
  #stopKeeping: () => void = () => {};

  constructor() {
    const { pool, settings, log } = this.#context;
    const { instanceId, queue } = settings;
    this.claims = new Claims({ pool, instanceId, leaseSeconds: queue.leaseSeconds, log });
    this.outbox = new Outbox(pool);
    this.maildrop = createMailDrop(this);
  }

  /** ZoneMTA sets this when it begins to shut down: senders that wait are let go, so that they can end. */
  set closing(value: boolean) {
    this.#closing = value;
    if (value) this.claims.close();
  }

  get closing(): boolean {
    return this.#closing;
  }

  init(callback: Callback): void {
    this.#start().then(
      () => callback(null, true),
      (error: Error) => callback(error),
    );
  }

  /** Gives the next delivery of the zone, as soon as there is one. */
  shift(zone: string, options: ShiftOptions, callback: Callback): void {
    this.claims.wait({
      zone: zone || DEFAULT_ZONE,
      owner: options.lockOwner ?? '',
      limitOf: (domain) => Number(options.getDomainConfig?.(domain, 'maxConnections')) || DEFAULT_LIMIT,
      give: (row) => this.#give(row, zone, options, callback),
    });
  }

  /** A receiver has queued a message. */
  push(id: string, envelope: { sendingZone?: string }, callback: Callback): void {
    this.claims.wake(envelope.sendingZone ?? DEFAULT_ZONE);
    callback(null, id);
  }

  /** The claim that a sender reports about; the row itself may be gone already. */
  getDelivery(id: string, seq: string, callback: Callback): void {
    const row = this.claims.find(claimKey({ queue_id: id, sequence: seq }));
    callback(null, row ? { id, seq, domain: row.domain, sendingZone: row.zone } : false);
  }

  releaseDelivery(delivery: { _lock: string }, callback: Callback): void {
    this.#endClaim(delivery, callback);
  }

  deferDelivery(delivery: { _lock: string }, _ttl: number, _response: unknown, callback: Callback): void {
    this.#endClaim(delivery, callback);
  }

  /** The queue server asks again for what `shift` has just given: the envelope is already in the delivery. */
  getMeta(id: string, callback: Callback): void {
    if (this.claims.isHandedOut(id)) {
      callback(null, {});
      return;
    }
    readEnvelope(this.#context.pool, id).then((envelope) => callback(null, envelope), callback);
  }

  retrieve(id: string): Readable {
    return bodyStream(this.#context.pool, id, this.#context.log);
  }

  generateId(callback: Callback): void {
    callback(null, this.seqIndex.get());
  }

  /** Mail enters by the intake alone: what the master would write (its own API, bounces) has no identity. */
  store(_id: string, stream: Readable, callback: Callback): void {
    stream.resume();
    callback(new Error('Mail is accepted by the intake only'));
  }

  setMeta(_id: string, _envelope: unknown, callback: Callback): void {
    callback(new Error('Mail is accepted by the intake only'));
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

  remove(id: string, seq: string | undefined, callback: Callback): void {
    const { pool, settings } = this.#context;
    removeDeliveries(pool, { id, seq, instanceId: settings.instanceId }).then((count) => {
      this.outbox.announce();
      callback(null, count);
    }, callback);
  }

  /** ZoneMTA's HTTP API calls this to have a delivery tried at once, whatever the update says. */
  update(id: string, seq: string | undefined, _update: unknown, callback: Callback): void {
    retryDeliveries(this.#context.pool, { id, seq }).then((count) => {
      this.claims.wakeAll();
      callback(null, count);
    }, callback);
  }

  stop(): void {
    this.closing = true;
    this.#stopKeeping();
    void this.#context.pool.end();
  }

  async #start(): Promise<void> {
    const { pool, settings, log } = this.#context;
    const { instanceId, queue } = settings;
    await holdInstance({ url: queue.url, instanceId, log });
    const returned = await returnLeasesOf(pool, instanceId);
    if (returned > 0) log.warn({ deliveries: returned }, 'leases.returned_at_start');
    const keeper = startLeaseKeeper({
      pool,
      claims: this.claims,
      instanceId,
      leaseSeconds: queue.leaseSeconds,
      log,
      onEvents: () => this.outbox.announce(),
    });
    this.#stopKeeping = () => keeper.stop();
    await loadPlugins(this);
  }

  #give(row: ClaimedRow | undefined, zone: string, options: ShiftOptions, callback: Callback): void {
    if (!row) {
      callback(null, false);
      return;
    }
    const delivery = createDelivery(row);
    if (delivery.ok) {
      callback(null, delivery.value);
      return;
    }
    const { pool, settings, log } = this.#context;
    log.error({ queueId: row.queue_id, sequence: row.sequence, reason: delivery.reason }, 'delivery.held');
    parkUnreadable(pool, row, settings.instanceId, delivery.reason)
      .catch((error: unknown) => log.error({ err: error }, 'delivery.hold_failed'))
      .finally(() => {
        this.claims.release(claimKey(row));
        this.outbox.announce();
        this.shift(zone, options, callback);
      });
  }

  #endClaim(delivery: { _lock: string }, callback: Callback): void {
    this.claims.release(delivery._lock);
    this.outbox.announce();
    callback(null, true);
  }
}

export { MailQueue as 'module.exports' };
