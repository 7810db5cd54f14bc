/**
 * Notices a zone that makes no progress, and acts: mail is due that no limit holds back, senders are free or there are
 * none, and nothing has ended for half a minute. First it looks again at what the database has; if that does not help,
 * it has the zone's sender processes replaced. It reports each time.
 */
import type { Logger } from '../../lib/log.ts';

const EVERY_MS = 5_000;
/** Without a delivery that ended. */
const QUIET_MS = 30_000;
/** Mail that is due for a shorter time is on its way. */
export const DUE_FOR_SECONDS = 15;
/** New senders get as long before the zone is judged again. */
const REPLACED_MS = 60_000;

export interface WatchedZone {
  name: string;
  /** Deliveries that senders could take at once */
  demand: number;
  /** Deliveries in their hands */
  active: number;
  /** By performance.now(); undefined: none has yet */
  lastEndedAt: number | undefined;
}

export interface WatchdogOptions {
  listZones(): WatchedZone[];
  /** Whether the zone has mail that is due for longer than DUE_FOR_SECONDS and held back by no pause or limit. */
  hasOverdueMail(zone: string): Promise<boolean>;
  rediscover(): Promise<void>;
  replaceSenders(zone: string): void;
  onStalled(zone: string, remedy: Remedy): void;
  log: Logger;
  /** In the manner of performance.now(). */
  now?: () => number;
}

export type Remedy = 'rediscover' | 'replace_senders';

export class Watchdog {
  readonly #options: WatchdogOptions;
  readonly #now: () => number;
  /** Zones that were stalled at the last look. */
  readonly #stalled = new Set<string>();
  readonly #graceUntil = new Map<string, number>();
  readonly #startedAt: number;

  constructor(options: WatchdogOptions) {
    this.#options = options;
    this.#now = options.now ?? (() => performance.now());
    this.#startedAt = this.#now();
  }

  start(): { stop(): void } {
    let isLooking = false;
    const timer = setInterval(() => {
      if (isLooking) return;
      isLooking = true;
      this.look()
        .catch((error: unknown) => this.#options.log.warn({ err: error }, 'watchdog.look_failed'))
        .finally(() => {
          isLooking = false;
        });
    }, EVERY_MS).unref();
    return { stop: () => clearInterval(timer) };
  }

  /** One look at every zone. */
  async look(): Promise<void> {
    for (const zone of this.#options.listZones()) {
      if (await this.#isStalled(zone)) await this.#act(zone);
      else this.#stalled.delete(zone.name);
    }
  }

  async #isStalled({ name, demand, active, lastEndedAt }: WatchedZone): Promise<boolean> {
    const now = this.#now();
    if (now < (this.#graceUntil.get(name) ?? 0)) return false;
    if (now - (lastEndedAt ?? this.#startedAt) < QUIET_MS) return false;
    // Senders that are all busy wait for their remotes.
    if (demand === 0 && active > 0) return false;
    return this.#options.hasOverdueMail(name);
  }

  async #act({ name: zone, demand, active }: WatchedZone): Promise<void> {
    const { onStalled, rediscover, replaceSenders, log } = this.#options;
    const remedy: Remedy = this.#stalled.has(zone) ? 'replace_senders' : 'rediscover';
    log.error({ zone, demand, active, remedy }, 'queue.stalled');
    onStalled(zone, remedy);
    if (remedy === 'rediscover') {
      this.#stalled.add(zone);
      await rediscover();
      return;
    }
    this.#stalled.delete(zone);
    this.#graceUntil.set(zone, this.#now() + REPLACED_MS);
    replaceSenders(zone);
  }
}
