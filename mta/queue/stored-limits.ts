/** Limits of destinations that were set at run time: kept in the database, in effect at every instance. */
import type pg from 'pg';
import type { Limit } from './destinations.ts';
import type { Limits } from './limits.ts';

export class StoredLimits {
  readonly #pool: pg.Pool;
  readonly #limits: Limits;
  #stored = new Map<string, Limit>();

  constructor(pool: pg.Pool, limits: Limits) {
    this.#pool = pool;
    this.#limits = limits;
  }

  /** @returns whether a limit has changed since the last time */
  async refresh(): Promise<boolean> {
    const stored = await listLimits(this.#pool);
    const gone = [...this.#stored.keys()].filter((destination) => !stored.has(destination));
    const changed = [...stored].filter(([name, limit]) => !isSame(this.#stored.get(name), limit));
    for (const destination of gone) this.#limits.unset(destination);
    for (const [destination, limit] of changed) this.#limits.set(destination, { ...limit, isShared: true });
    this.#stored = stored;
    return gone.length + changed.length > 0;
  }
}

export async function listLimits(pool: pg.Pool): Promise<Map<string, Limit>> {
  const { rows } = await pool.query<{
    destination: string;
    connections: number;
    rate_per_second: number | null;
  }>('select destination, connections, rate_per_second from destination_limits order by destination');
  return new Map(
    rows.map(({ destination, connections, rate_per_second: rate }) => [
      destination,
      { connections, ...(rate !== null && { ratePerSecond: rate }) },
    ]),
  );
}

export async function saveLimit(client: pg.ClientBase, destination: string, limit: Limit): Promise<void> {
  await client.query(
    `insert into destination_limits (destination, connections, rate_per_second)
          values ($1, $2, $3)
     on conflict (destination) do update
        set connections = excluded.connections, rate_per_second = excluded.rate_per_second, updated_at = now()`,
    [destination, limit.connections, limit.ratePerSecond ?? null],
  );
}

/** @returns false where there was none */
export async function removeLimit(client: pg.ClientBase, destination: string): Promise<boolean> {
  const { rowCount } = await client.query('delete from destination_limits where destination = $1', [
    destination,
  ]);
  return rowCount === 1;
}

function isSame(a: Limit | undefined, b: Limit): boolean {
  return a?.connections === b.connections && a.ratePerSecond === b.ratePerSecond;
}
