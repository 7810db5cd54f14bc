/**
 * Which delivery goes next. Holds in memory what is known about flows (rows.ts): claimed rows that wait for a sender,
 * whether the database has more that is due, and when the next becomes due. No database and no clock of its own.
 *
 * A flow whose destination is at its limit takes no turns; it is back the moment one of its deliveries ends.
 */

import { BlockedFlows } from './blocked-flows.ts';
import type { WantedRows } from './claim-rows.ts';
import {
  type DestinationOptions,
  Destinations,
  type Experience,
  type LimitOf,
  type Started,
} from './destinations.ts';
import { findStartable } from './first-startable.ts';
import { createFlow, type Flow } from './flow.ts';
import { FlowRing } from './flow-ring.ts';
import { type ClaimedRow, type FlowKey, flowId } from './rows.ts';

/** Claimed ahead for one flow, at most. What waits here is under lease and counted as claimed. */
const BUFFER_PER_FLOW = 20;
/** Fresh rows come claimed; a flow with this many in memory takes no more of those. */
const FULL_BUFFER = 100;
/** Claimed rows in memory over all flows from which on fresh rows are left to the database. */
const FULL_MEMORY = 2_000;

interface Zone {
  ready: FlowRing<Flow>;
  hungry: FlowRing<Flow>;
  blocked: BlockedFlows;
}

/** The local addresses that a row may leave from to a site, the preferred first. None: whoever sends it says why not. */
export type SourcesOf = (row: ClaimedRow, site: string | undefined) => readonly string[];

export interface SchedulerOptions extends DestinationOptions {
  sourcesOf?: SourcesOf | undefined;
}

export class Scheduler {
  readonly destinations: Destinations;
  readonly #sourcesOf: SourcesOf;
  readonly #started = new WeakMap<object, Started>();
  readonly #flows = new Map<string, Flow>();
  readonly #zones = new Map<string, Zone>();
  readonly #timed = new Set<Flow>();
  /** Blocked by a rate, by when that ends. */
  readonly #rateBlocked = new Map<string, { zone: string; destination: string; until: number }>();
  readonly #full = new Set<Flow>();
  #buffered = 0;
  #tickedAt = 0;

  constructor(limitOf: LimitOf, { sourcesOf, ...options }: SchedulerOptions = {}) {
    this.destinations = new Destinations(limitOf, options);
    this.#sourcesOf = sourcesOf ?? (() => []);
  }

  /** Rows in memory that wait for a sender. */
  get buffered(): number {
    return this.#buffered;
  }

  get flowCount(): number {
    return this.#flows.size;
  }

  /** A claimed row waits for a sender. */
  addClaimed(row: ClaimedRow): void {
    const flow = this.#flowOf(row);
    flow.buffer.push(row);
    this.#buffered++;
    this.#settle(flow);
  }

  /** The database may have rows of this flow that are due. */
  noteDue(key: FlowKey): void {
    const flow = this.#flowOf(key);
    flow.hasDue = true;
    this.#settle(flow);
  }

  /** The database has a row of this flow that becomes due at this moment. */
  noteLater(key: FlowKey, dueAt: number): void {
    const flow = this.#flowOf(key);
    flow.hasLater = true;
    flow.nextDueAt = Math.min(flow.nextDueAt, dueAt);
    this.#timed.add(flow);
  }

  /** What has become due by now, and whose rate allows more by now. Call it every fraction of a second. */
  tick(now: number): void {
    // A clock that was set back: what waits for a moment would wait longer by as much. The database says what is due.
    const isSetBack = now < this.#tickedAt;
    this.#tickedAt = now;
    for (const flow of this.#timed) {
      if (flow.nextDueAt > now && !isSetBack) continue;
      this.#timed.delete(flow);
      flow.nextDueAt = Number.POSITIVE_INFINITY;
      flow.hasDue = true;
      this.#settle(flow);
    }
    for (const [key, { zone, destination, until }] of this.#rateBlocked) {
      if (until > now && !isSetBack) continue;
      this.#rateBlocked.delete(key);
      this.#unblock(zone, destination);
    }
  }

  /** The next row of the zone that may be sent now; it is under way from then on, until `release`. */
  take(zoneName: string, now: number): ClaimedRow | undefined {
    const zone = this.#zoneOf(zoneName);
    for (let flow = zone.ready.next(); flow; flow = zone.ready.next()) {
      const until = this.destinations.blockedUntil(zoneName, flow.domain, now);
      if (until !== undefined) {
        this.#block(zone, flow, until);
        continue;
      }
      const site = this.destinations.siteOf(flow.domain);
      const choice = findStartable(
        flow.buffer,
        (row) => this.#sourcesOf(row, site),
        (source) => this.destinations.pacedUntil(flow.domain, source, now),
      );
      if (!choice) zone.ready.delete(flow);
      else if ('until' in choice) this.#block(zone, flow, choice.until);
      else return this.#start(flow, choice, now);
    }
    return undefined;
  }

  /** A delivery that `take` gave has ended. @param experience what that tells about the destination */
  release(row: ClaimedRow, experience?: Experience): void {
    const { zone, domain } = row;
    const site = this.destinations.limitedSiteOf(zone, domain);
    this.destinations.end(this.#started.get(row) ?? [], row, experience);
    this.#started.delete(row);
    this.#unblock(zone, domain);
    const { blocked } = this.#zoneOf(zone);
    if (site === undefined || !blocked.hasSite(site)) return;
    const { source } = row;
    // Room at its own address is all that it leaves behind: without a token there, nobody is woken for nothing.
    const until = source && experience && this.destinations.pacedUntil(domain, source, experience.now);
    if (until) this.#wakeAt(zone, `site:${site}`, until);
    else this.#unblock(zone, `site:${site}`);
  }

  /** What to claim from the database for the zone's senders, in turn by flow; those flows are then being claimed. */
  planClaims(zoneName: string, count: number): WantedRows[] {
    const zone = this.#zoneOf(zoneName);
    const wanted: WantedRows[] = [];
    const share = Math.max(1, Math.ceil(count / Math.max(1, zone.hungry.size)));
    for (let left = count, flow = zone.hungry.next(); flow && left > 0; flow = zone.hungry.next()) {
      const room = Math.min(share, BUFFER_PER_FLOW - flow.buffer.length);
      flow.isClaiming = true;
      this.#settle(flow);
      const { organizationId, domain, priority } = flow;
      wanted.push({ zone: zoneName, organizationId, domain, priority, count: room });
      left -= room;
    }
    return wanted;
  }

  /**
   * The claims that were planned have been made, or have failed. A flow that gave fewer rows than asked has no more
   * that are due.
   * @returns those of the flows that have later rows of which the next is not known
   */
  finishClaims(wanted: WantedRows[], rows: ClaimedRow[] | undefined): FlowKey[] {
    const counts = new Map<string, number>();
    for (const row of rows ?? []) {
      counts.set(flowId(row), (counts.get(flowId(row)) ?? 0) + 1);
      this.addClaimed(row);
    }
    const unknown: FlowKey[] = [];
    for (const key of wanted) {
      const flow = this.#flowOf(key);
      flow.isClaiming = false;
      if (rows && (counts.get(flow.id) ?? 0) < key.count) {
        flow.hasDue = false;
        if (flow.hasLater && !this.#timed.has(flow)) unknown.push(key);
      }
      this.#settle(flow);
    }
    return unknown;
  }

  /** The answer to what finishClaims asked for. */
  setNextDue(key: FlowKey, dueAt: number | undefined): void {
    const flow = this.#flowOf(key);
    if (dueAt !== undefined) this.noteLater(key, dueAt);
    else if (!this.#timed.has(flow)) flow.hasLater = false;
    this.#settle(flow);
  }

  /** Takes the waiting rows out of memory that `isGone` names, to give them back. */
  removeWaiting(isGone: (row: ClaimedRow) => boolean): ClaimedRow[] {
    const removed: ClaimedRow[] = [];
    for (const flow of this.#flows.values()) {
      const gone = flow.buffer.filter(isGone);
      if (gone.length === 0) continue;
      flow.buffer = flow.buffer.filter((row) => !isGone(row));
      this.#buffered -= gone.length;
      removed.push(...gone);
      this.#settle(flow);
    }
    return removed;
  }

  *waitingRows(): Iterable<ClaimedRow> {
    for (const flow of this.#flows.values()) yield* flow.buffer;
  }

  /** Whether fresh rows may come claimed, and the domains that take no more of them. */
  intakeState(): { isOpen: boolean; fullDomains: string[] } {
    const fullDomains = [...new Set([...this.#full].map(({ domain }) => domain))];
    return { isOpen: this.#buffered < FULL_MEMORY, fullDomains };
  }

  /** Limits have changed: whoever is blocked may try again. */
  reconsider(): void {
    for (const zone of this.#zones.values()) {
      for (const flow of zone.blocked.takeAll()) this.#settle(flow);
    }
  }

  /** As `reconsider`, of those to these destinations: domains, or sites as `site:name`. */
  reconsiderDestinations(destinations: ReadonlySet<string>): void {
    for (const zone of this.#zones.keys()) {
      for (const destination of destinations) this.#unblock(zone, destination);
    }
  }

  #start(flow: Flow, { index, source }: { index: number; source: string | undefined }, now: number) {
    const [row] = flow.buffer.splice(index, 1);
    if (!row) return undefined;
    this.#buffered--;
    row.source = source;
    this.#started.set(row, this.destinations.start(flow.zone, flow.domain, now, source));
    this.#settle(flow);
    return row;
  }

  #block(zone: Zone, flow: Flow, until: number): void {
    zone.ready.delete(flow);
    zone.hungry.delete(flow);
    zone.blocked.add(flow, this.destinations.siteOf(flow.domain));
    this.#wakeAt(flow.zone, flow.domain, until);
  }

  /** The earliest of several moments counts. */
  #wakeAt(zone: string, destination: string, until: number): void {
    const key = `${zone} ${destination}`;
    const earliest = Math.min(until, this.#rateBlocked.get(key)?.until ?? until);
    if (Number.isFinite(earliest)) this.#rateBlocked.set(key, { zone, destination, until: earliest });
  }

  /** @param destination a domain, or a site as `site:name` */
  #unblock(zone: string, destination: string): void {
    for (const flow of this.#zoneOf(zone).blocked.takeDestination(destination)) this.#settle(flow);
  }

  /** Puts the flow where it belongs after something about it has changed. */
  #settle(flow: Flow): void {
    const zone = this.#zoneOf(flow.zone);
    const isBlocked = zone.blocked.has(flow);
    if (flow.buffer.length > 0 && !isBlocked) zone.ready.add(flow);
    else zone.ready.delete(flow);
    if (flow.hasDue && !flow.isClaiming && !isBlocked && flow.buffer.length < BUFFER_PER_FLOW)
      zone.hungry.add(flow);
    else zone.hungry.delete(flow);
    if (flow.buffer.length >= FULL_BUFFER) this.#full.add(flow);
    else this.#full.delete(flow);
    const isIdle = flow.buffer.length === 0 && !flow.hasDue && !flow.isClaiming;
    if (isIdle && !flow.hasLater && !this.#timed.has(flow)) this.#forget(zone, flow);
  }

  #forget(zone: Zone, flow: Flow): void {
    this.#flows.delete(flow.id);
    zone.blocked.delete(flow);
  }

  #flowOf(key: FlowKey): Flow {
    const id = flowId(key);
    const known = this.#flows.get(id);
    if (known) return known;
    const flow = createFlow(key);
    this.#flows.set(id, flow);
    return flow;
  }

  #zoneOf(name: string): Zone {
    const known = this.#zones.get(name);
    if (known) return known;
    const zone = { ready: new FlowRing<Flow>(), hungry: new FlowRing<Flow>(), blocked: new BlockedFlows() };
    this.#zones.set(name, zone);
    return zone;
  }
}
