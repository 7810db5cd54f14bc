/** The changes of paces, for people who ask later why a site got less. Written in batches; the last seconds die with the process. */
import type pg from 'pg';
import type { PaceChange } from './pacing.ts';

const KEPT_DAYS = 30;
/** While the database does not answer, the latest are kept in memory. */
const MAX_UNWRITTEN = 5_000;

export interface RecordedChange {
  id: number;
  instanceId: string;
  /** Local address, or the name of the unnamed one */
  address: string;
  site: string;
  trigger: string;
  before: { concurrency: number; rate: number };
  after: { concurrency: number; rate: number };
  changedAt: string;
}

export class PaceChanges {
  readonly #pool: pg.Pool;
  readonly #instanceId: string;
  #unwritten: (PaceChange & { changedAt: Date })[] = [];

  constructor(pool: pg.Pool, instanceId: string) {
    this.#pool = pool;
    this.#instanceId = instanceId;
  }

  note(change: PaceChange): void {
    this.#unwritten.push({ ...change, changedAt: new Date() });
    if (this.#unwritten.length > MAX_UNWRITTEN) this.#unwritten.shift();
  }

  /** What cannot be written now is written next time. */
  async write(): Promise<void> {
    const changes = this.#unwritten;
    if (changes.length === 0) return;
    this.#unwritten = [];
    try {
      await insertChanges(this.#pool, this.#instanceId, changes);
    } catch (error) {
      this.#unwritten = [...changes, ...this.#unwritten].slice(-MAX_UNWRITTEN);
      throw error;
    }
    await this.#pool.query(
      `delete from pace_changes where changed_at < now() - interval '${KEPT_DAYS} days'`,
    );
  }
}

/** The latest first. @param query.before an id: only older ones */
export async function listPaceChanges(
  pool: pg.Pool,
  {
    site,
    address,
    limit,
    before,
  }: {
    site: string | undefined;
    address?: string | undefined;
    limit: number;
    before: number | undefined;
  },
): Promise<RecordedChange[]> {
  const { rows } = await pool.query<ChangeRow>(
    `select id, instance_id, address, site, trigger, concurrency_before, concurrency, rate_before, rate, changed_at
       from pace_changes
      where ($1::text is null or site = $1) and ($3::bigint is null or id < $3)
        and ($4::text is null or address = $4)
      order by id desc
      limit $2`,
    [site ?? null, limit, before ?? null, address ?? null],
  );
  return rows.map((row) => ({
    id: Number(row.id),
    instanceId: row.instance_id,
    address: row.address,
    site: row.site,
    trigger: row.trigger,
    before: { concurrency: row.concurrency_before, rate: row.rate_before },
    after: { concurrency: row.concurrency, rate: row.rate },
    changedAt: row.changed_at.toISOString(),
  }));
}

interface ChangeRow {
  id: string;
  instance_id: string;
  address: string;
  site: string;
  trigger: string;
  concurrency_before: number;
  concurrency: number;
  rate_before: number;
  rate: number;
  changed_at: Date;
}

async function insertChanges(
  pool: pg.Pool,
  instanceId: string,
  changes: readonly (PaceChange & { changedAt: Date })[],
): Promise<void> {
  await pool.query(
    `insert into pace_changes
            (instance_id, address, site, trigger, concurrency_before, concurrency, rate_before, rate, changed_at)
     select $1, address, site, trigger, concurrency_before, concurrency, rate_before, rate, changed_at
       from unnest($2::text[], $3::text[], $4::float8[], $5::float8[], $6::float8[], $7::float8[], $8::timestamptz[],
                   $9::text[])
            with ordinality
         as c (site, trigger, concurrency_before, concurrency, rate_before, rate, changed_at, address, number)
      order by number`,
    [
      instanceId,
      changes.map(({ site }) => site),
      changes.map(({ trigger }) => trigger),
      changes.map(({ before }) => before.concurrency),
      changes.map(({ pace }) => pace.concurrency),
      changes.map(({ before }) => before.rate),
      changes.map(({ pace }) => pace.rate),
      changes.map(({ changedAt }) => changedAt),
      changes.map(({ address }) => address),
    ],
  );
}
