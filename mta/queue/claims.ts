/**
 * Who delivers what, now. Sender processes ask for deliveries and wait here until there are some: no polling, no pause.
 *
 * Claimed rows are handed out from memory (scheduler.ts says which); they come there from receivers, which claim what
 * is fresh as they write it, and in batches from the database (supply.ts). A claim is a lease on the row. It ends when its sender
 * reports an ending, when the sender's connection closes (then the row is due again at once), or when nobody has
 * renewed the lease: see leases.ts.
 */
import type pg from 'pg';
import type { Logger } from '../../lib/log.ts';
import type { FindSite } from '../../lib/mx-site.ts';
import { ActiveClaims } from './active-claims.ts';
import { findFlows } from './claim-rows.ts';
import type { LimitOf } from './destinations.ts';
import type { EndedDelivery } from './ended-delivery.ts';
import { Gate, type PauseCheck } from './gate.ts';
import type { LimitKeeper } from './limit-keeper.ts';
import type { QueueMetrics } from './metrics.ts';
import type { Pacing } from './pacing.ts';
import type { ClaimedRow, FlowKey } from './rows.ts';
import { Scheduler, type SourcesOf } from './scheduler.ts';
import { SiteSearch } from './site-search.ts';
import type { ListedSlowdown } from './slowdowns.ts';
import { Supply } from './supply.ts';
import { type Waiter, Waiters } from './waiters.ts';

const TICK_MS = 100;
/** Flows that nobody announced: those of another instance on the same database, and defects. */
const DISCOVERY_MS = 60_000;
/** Claimed beyond what senders ask for at the moment. */
const PREFETCH = 20;

export interface ClaimsOptions {
  pool: pg.Pool;
  instanceId: string;
  leaseSeconds: number;
  limitOf: LimitOf;
  metrics: QueueMetrics;
  log: Logger;
  /** Which rows are not to be sent for now. */
  pauses?: PauseCheck;
  /** Where sites are paced. */
  pacing?: Pacing | undefined;
  /** Of limits that all instances keep to together. */
  shared?: LimitKeeper | undefined;
  sourcesOf?: SourcesOf | undefined;
  /** Looks up the site of a domain before anything is sent there; does not reject. */
  findSite?: FindSite | undefined;
  /** A delivery has shown which site takes a domain's mail. */
  onSite?(domain: string, site: string): void;
}

export class Claims {
  readonly scheduler: Scheduler;
  readonly waiters = new Waiters();
  readonly #options: ClaimsOptions;
  readonly #active = new ActiveClaims();
  readonly #supply: Supply;
  readonly #timers: NodeJS.Timeout[] = [];
  readonly #gate: Gate;
  readonly #endedAt = new Map<string, number>();
  #isClosed = false;

  constructor(options: ClaimsOptions) {
    this.#options = options;
    const { pool, instanceId, leaseSeconds, metrics, log } = options;
    const { limitOf, pacing, shared, sourcesOf, findSite } = options;
    const search = findSite && new SiteSearch(findSite, (domain, site) => this.#noteFound(domain, site));
    this.scheduler = new Scheduler(limitOf, {
      ...{ paces: pacing, shared, sourcesOf },
      onSlowdown: (slowdown, isOver) => this.#logSlowdown(slowdown, isOver),
      onUnknownSite: search?.begin,
    });
    this.#supply = new Supply({
      ...{ pool, instanceId, leaseSeconds, metrics, log, scheduler: this.scheduler },
      onClaimed: (zone, rows) => {
        this.#removeStopped(rows);
        this.#pump(zone);
      },
    });
    this.#gate = new Gate({
      pauses: options.pauses,
      onPassed: (rows) => this.#enter(rows),
      onError: (error) => this.#supply.warn(error, 'pause'),
    });
  }

  /** Finds out what the database has, and begins to look after it. */
  async start(): Promise<void> {
    await this.discover();
    this.#timers.push(
      setInterval(() => this.#tick(), TICK_MS),
      setInterval(() => {
        this.discover().catch((error) => this.#supply.warn(error, 'discovery'));
      }, DISCOVERY_MS),
    );
  }

  wait(waiter: Waiter): void {
    if (this.#isClosed) {
      waiter.give(undefined);
      return;
    }
    this.waiters.add(waiter);
    this.#pump(waiter.zone);
  }

  /** A receiver has queued these, claimed for this instance. */
  addFresh(rows: ClaimedRow[]): void {
    this.#enter(this.#gate.admit(rows));
  }

  /** The database has due rows of these flows. */
  noteDue(flows: FlowKey[]): void {
    for (const flow of flows) this.scheduler.noteDue(flow);
    this.#pumpAll(flows);
  }

  /** The rows already say so. */
  end(endings: EndedDelivery[]): void {
    const ended: ClaimedRow[] = [];
    for (const ending of endings) {
      const claim = this.#active.take(ending);
      if (!claim) continue;
      const { row } = claim;
      if (ending.site) this.#noteSite(row.domain, ending.site);
      const source = ending.source ?? row.source;
      this.#options.pacing?.noteEnding({ ...ending, source }, performance.now() - claim.since);
      const { reaction, response = '' } = ending;
      this.scheduler.release(row, { reaction, response, now: Date.now() });
      if (ending.dueAt !== undefined) this.scheduler.noteLater(row, ending.dueAt);
      this.#options.metrics.ended(ending, row, performance.now() - claim.since, () =>
        this.scheduler.destinations.siteOf(row.domain),
      );
      ended.push(row);
      this.#endedAt.set(row.zone, performance.now());
    }
    this.#pumpAll(ended);
  }

  /** A sender process is gone: what it had is due again. */
  async releaseOwner(owner: string): Promise<void> {
    this.waiters.dropOwner(owner);
    const lost = this.#active.takeOf(owner);
    for (const row of lost) this.scheduler.release(row);
    if (lost.length > 0) this.#options.log.warn({ owner, deliveries: lost.length }, 'claims.sender_lost');
    await this.#giveBack(lost, { hasBegun: true });
  }

  /** Takes rows that wait in memory out of it, and makes them due in the database: an operator is about to change them. */
  async giveBackWaiting(isConcerned: (row: ClaimedRow) => boolean = () => true): Promise<void> {
    await this.#giveBack(this.scheduler.removeWaiting(isConcerned), { hasBegun: false });
  }

  /**
   * Keeps rows that are claimed and in nobody's hands from the senders while an operator's action works on them in the
   * database, those too that come to be claimed meanwhile. What the action leaves claimed is given back afterwards.
   * @param work is told, whenever it asks, the claim ids of such rows
   */
  async withdraw<T>(
    isConcerned: (row: ClaimedRow) => boolean,
    work: (claimIds: () => string[]) => Promise<T>,
  ): Promise<T> {
    const withdrawal = { isConcerned, taken: this.scheduler.removeWaiting(isConcerned) };
    this.#gate.open(withdrawal);
    try {
      return await work(() => withdrawal.taken.map((row) => row.claimId));
    } finally {
      this.#gate.close(withdrawal);
      await this.#giveBack(withdrawal.taken, { hasBegun: false });
    }
  }

  /** Claim ids whose leases are to be renewed. */
  liveClaimIds(): string[] {
    return [...this.#active.liveRows(), ...this.scheduler.waitingRows()].map((row) => row.claimId);
  }

  get activeCount(): number {
    return this.#active.count;
  }

  /** Deliveries of the zone in the hands of senders. */
  activeOf(zone: string): number {
    return this.#active.countOf(zone);
  }

  /** When the last delivery of the zone ended, by performance.now(); undefined: none has yet. */
  lastEndedAt(zone: string): number | undefined {
    return this.#endedAt.get(zone);
  }

  /** Lets waiting senders go, and hands back what waits in memory. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    for (const timer of this.#timers) clearInterval(timer);
    for (const zone of this.waiters.zones()) this.waiters.letGo(zone);
    await this.giveBackWaiting();
  }

  /** Finds the flows that the database has rows of, whether or not somebody has announced them. */
  async discover(): Promise<void> {
    this.noteQueued(await findFlows(this.#options.pool));
    this.pumpAllZones();
  }

  /** The database has rows of these flows that are due at these moments, which may be past. */
  noteQueued(flows: (FlowKey & { dueAt: number })[]): void {
    const now = Date.now();
    for (const { dueAt, ...flow } of flows) {
      if (dueAt <= now) this.scheduler.noteDue(flow);
      this.scheduler.noteLater(flow, Math.max(dueAt, now));
    }
  }

  /** Looks again at everything: limits or flows have changed. */
  pumpAllZones(): void {
    for (const zone of this.waiters.zones()) this.#pump(zone);
  }

  /** There is room again at these destinations: domains, or sites as `site:name`. */
  noteRoom(destinations: ReadonlySet<string>): void {
    this.scheduler.reconsiderDestinations(destinations);
    this.pumpAllZones();
  }

  /** Claimed rows that have passed the gate. */
  #enter(rows: ClaimedRow[]): void {
    for (const row of rows) this.scheduler.addClaimed(row);
    this.#pumpAll(rows);
  }

  /** Of rows that the scheduler has just been given, before anybody gets them. */
  #removeStopped(rows: ClaimedRow[]): void {
    const admitted = new Set(this.#gate.admit(rows));
    if (admitted.size === rows.length) return;
    const stopped = new Set(rows.filter((row) => !admitted.has(row)));
    this.scheduler.removeWaiting((row) => stopped.has(row));
  }

  #noteFound(domain: string, site: string): void {
    if (this.scheduler.destinations.siteOf(domain) === undefined) this.#noteSite(domain, site);
    this.noteRoom(new Set([domain]));
  }

  #noteSite(domain: string, site: string): void {
    const { destinations } = this.scheduler;
    if (destinations.siteOf(domain) === site) return;
    destinations.setSite(domain, site);
    this.#options.onSite?.(domain, site);
  }

  #tick(): void {
    if (this.#options.pacing?.tick()) this.scheduler.reconsider();
    this.scheduler.tick(Date.now());
    this.pumpAllZones();
    void this.#supply.askNextDue();
  }

  #pumpAll(rows: { zone: string }[]): void {
    for (const zone of new Set(rows.map((row) => row.zone))) this.#pump(zone);
  }

  /** Gives what is in memory to those who wait, then claims more if more is wanted. */
  #pump(zone: string): void {
    if (this.#isClosed) return;
    this.waiters.serve(zone, (waiter) => this.#take(waiter));
    const missing = this.waiters.demandOf(zone);
    if (this.#supply.isClaiming(zone)) return;
    const count = missing > 0 ? missing + PREFETCH : this.scheduler.buffered < PREFETCH ? PREFETCH : 0;
    if (count > 0) void this.#supply.claim(zone, count);
  }

  #take({ zone, owner, count }: Waiter): ClaimedRow[] {
    const now = Date.now();
    const rows: ClaimedRow[] = [];
    while (rows.length < count) {
      const row = this.scheduler.take(zone, now);
      if (!row) break;
      this.#active.add(row, owner);
      rows.push(row);
    }
    return rows;
  }

  async #giveBack(rows: ClaimedRow[], options: { hasBegun: boolean }): Promise<void> {
    if (await this.#supply.giveBack(rows, options)) this.noteDue(rows);
  }

  #logSlowdown({ zone, destination, response }: ListedSlowdown, isOver: boolean): void {
    const { log } = this.#options;
    if (isOver) log.info({ zone, destination }, 'destination.recovered');
    else log.warn({ zone, destination, response }, 'destination.slowed');
  }
}
