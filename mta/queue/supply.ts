/**
 * Between the database and the scheduler: claims due rows in batches, one batch a zone at a time, asks when the next of a
 * flow are due, and gives rows back. A database that does not answer is asked again; nothing here rejects.
 */
import type pg from 'pg';
import type { Logger } from '../../lib/log.ts';
import { claimRows, findNextDue, giveBackRows } from './claim-rows.ts';
import type { QueueMetrics } from './metrics.ts';
import type { ClaimedRow, FlowKey } from './rows.ts';
import type { Scheduler } from './scheduler.ts';

const RETRY_MS = 500;

export interface SupplyOptions {
  pool: pg.Pool;
  instanceId: string;
  leaseSeconds: number;
  metrics: Pick<QueueMetrics, 'claimed'>;
  log: Logger;
  scheduler: Scheduler;
  /** The scheduler has these now, and the zone may claim again. */
  onClaimed(zone: string, rows: ClaimedRow[]): void;
}

export class Supply {
  readonly #options: SupplyOptions;
  readonly #claiming = new Set<string>();
  #unknownFlows: FlowKey[] = [];

  constructor(options: SupplyOptions) {
    this.#options = options;
  }

  isClaiming(zone: string): boolean {
    return this.#claiming.has(zone);
  }

  async claim(zone: string, count: number): Promise<void> {
    const { pool, instanceId, leaseSeconds, metrics, scheduler, onClaimed } = this.#options;
    const wanted = scheduler.planClaims(zone, count);
    if (wanted.length === 0) return;
    this.#claiming.add(zone);
    try {
      const startedAt = performance.now();
      const rows = await claimRows(pool, { instanceId, leaseSeconds, wanted });
      metrics.claimed(rows.length, performance.now() - startedAt);
      this.#unknownFlows.push(...scheduler.finishClaims(wanted, rows));
      this.#claiming.delete(zone);
      onClaimed(zone, rows);
    } catch (error) {
      this.warn(error, 'claim');
      scheduler.finishClaims(wanted, undefined);
      // Meanwhile nothing of this zone is claimed; the next tick after that tries again.
      setTimeout(() => this.#claiming.delete(zone), RETRY_MS).unref();
    }
  }

  /** Of flows that gave fewer rows than were asked for. Call it every fraction of a second. */
  async askNextDue(): Promise<void> {
    const flows = this.#unknownFlows;
    if (flows.length === 0) return;
    this.#unknownFlows = [];
    try {
      const moments = await findNextDue(this.#options.pool, flows);
      for (const [index, flow] of flows.entries()) this.#options.scheduler.setNextDue(flow, moments[index]);
    } catch (error) {
      this.#unknownFlows.push(...flows);
      this.warn(error, 'next due');
    }
  }

  /** The rows are due again. @returns false: the database did not answer, their leases run out instead */
  async giveBack(rows: ClaimedRow[], options: { hasBegun: boolean }): Promise<boolean> {
    if (rows.length === 0) return true;
    try {
      const claimIds = rows.map((row) => row.claimId);
      await giveBackRows(this.#options.pool, claimIds, options);
      return true;
    } catch (error) {
      this.warn(error, 'give back');
      return false;
    }
  }

  /** @param what was asked of the database */
  warn(error: unknown, what: string): void {
    this.#options.log.warn({ err: error, what }, 'claims.database_failed');
  }
}
