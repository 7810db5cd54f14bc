/** Which site takes a domain's mail: learned from deliveries, kept in the database for the next start. */
import type pg from 'pg';
import type { Destinations } from './destinations.ts';

/** The latest learned; others are learned again at their next delivery. */
const MAX_LOADED = 200_000;
const MAX_WRITTEN = 5_000;

export class Sites {
  readonly #pool: pg.Pool;
  #unwritten = new Map<string, string>();

  constructor(pool: pg.Pool) {
    this.#pool = pool;
  }

  async load(destinations: Destinations): Promise<void> {
    const { rows } = await this.#pool.query<{ domain: string; site: string }>(
      'select domain, site from destination_sites order by seen_at desc limit $1',
      [MAX_LOADED],
    );
    for (const { domain, site } of rows) destinations.setSite(domain, site);
  }

  /** A delivery has shown something new. */
  note(domain: string, site: string): void {
    this.#unwritten.set(domain, site);
  }

  /** Also called before somebody selects by site. What cannot be written now is written next time. */
  async write(): Promise<void> {
    const entries = [...this.#unwritten].slice(0, MAX_WRITTEN);
    if (entries.length === 0) return;
    await this.#pool.query(
      `insert into destination_sites (domain, site)
       select domain, site from unnest($1::text[], $2::text[]) as s (domain, site) order by domain
       on conflict (domain) do update set site = excluded.site, seen_at = now()`,
      [entries.map(([domain]) => domain), entries.map(([, site]) => site)],
    );
    for (const [domain, site] of entries) {
      if (this.#unwritten.get(domain) === site) this.#unwritten.delete(domain);
    }
  }
}
