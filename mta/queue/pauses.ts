/**
 * Pauses: what an operator has stopped, until it is resumed or the pause ends by itself. A pause concerns what is
 * queued and what comes in later. Rows that it concerns carry its id and are not claimed; rows that were claimed before
 * they could be marked are given back when they pass the gate (gate.ts).
 */
import type pg from 'pg';
import Value from 'typebox/value';
import type { PauseCheck } from './gate.ts';
import type { ClaimedRow } from './rows.ts';
import {
  createTarget,
  mayConcern,
  Parameters,
  type Selector,
  selectorSchema,
  type Target,
  toCondition,
} from './selector.ts';

export interface Pause {
  id: number;
  selector: Selector;
  target: Target;
  reason: string;
  createdBy: string;
  createdAt: Date;
  endsAt: Date | null;
}

interface PauseRow {
  id: string;
  selector: unknown;
  reason: string;
  created_by: string;
  created_at: Date;
  ends_at: Date | null;
}

const COLUMNS = 'id, selector, reason, created_by, created_at, ends_at';

export class Pauses implements PauseCheck {
  readonly #pool: pg.Pool;
  readonly #siteOf: (domain: string) => string | undefined;
  #active: Pause[] = [];

  constructor(pool: pg.Pool, siteOf: (domain: string) => string | undefined) {
    this.#pool = pool;
    this.#siteOf = siteOf;
  }

  /** Reads the pauses of all instances. */
  async refresh(): Promise<void> {
    this.#active = await listPauses(this.#pool);
  }

  get active(): readonly Pause[] {
    return this.#active;
  }

  mayConcern(row: ClaimedRow): boolean {
    return this.#active.some(({ target }) => mayConcern(target, row, this.#siteOf));
  }

  async pause(rows: ClaimedRow[]): Promise<ClaimedRow[]> {
    let left = rows;
    for (const pause of this.#active) {
      const concerned = left.filter((row) => mayConcern(pause.target, row, this.#siteOf));
      if (concerned.length === 0) continue;
      const paused = await pauseClaimed(this.#pool, pause, concerned);
      left = left.filter((row) => !paused.has(row.claimId));
    }
    return left;
  }
}

export async function listPauses(pool: pg.Pool): Promise<Pause[]> {
  const { rows } = await pool.query<PauseRow>(`select ${COLUMNS} from queue_pauses order by id`);
  return rows.map(toPause);
}

export async function insertPause(
  client: pg.ClientBase,
  {
    selector,
    reason,
    createdBy,
    endsAt,
  }: { selector: Selector; reason: string; createdBy: string; endsAt: Date | null },
): Promise<Pause> {
  const { rows } = await client.query<PauseRow>(
    `insert into queue_pauses (selector, reason, created_by, ends_at) values ($1, $2, $3, $4) returning ${COLUMNS}`,
    [selector, reason, createdBy, endsAt],
  );
  const [row] = rows;
  if (!row) throw new Error('the pause was not returned');
  return toPause(row);
}

/** Their attempt has not begun: it is not counted. @returns the claim ids of those that are paused now */
async function pauseClaimed(pool: pg.Pool, pause: Pause, rows: ClaimedRow[]): Promise<Set<string>> {
  const { createdBefore } = pause.target;
  const parameters = new Parameters();
  const id = parameters.add(pause.id);
  const claimIds = parameters.add(rows.map((row) => row.claimId));
  const age = toCondition(createdBefore ? { createdBefore } : {}, parameters);
  const paused = await pool.query<{ claim_id: string }>(
    `with stopped as (
       select d.queue_id, d.sequence, d.claim_id from deliveries d where d.claim_id = any(${claimIds}::bigint[]) and ${age}
     )
     update deliveries d
        set paused_by = ${id}, attempts = d.attempts - 1, claim_id = null, claimed_by = null, claimed_until = null
       from stopped
      where d.queue_id = stopped.queue_id
        and d.sequence = stopped.sequence
        and d.claim_id = stopped.claim_id
  returning stopped.claim_id`,
    parameters.values,
  );
  return new Set(paused.rows.map((row) => row.claim_id));
}

function toPause(row: PauseRow): Pause {
  const selector = Value.Parse(selectorSchema, row.selector);
  return {
    id: Number(row.id),
    selector,
    target: createTarget(selector, row.created_at),
    reason: row.reason,
    createdBy: row.created_by,
    createdAt: row.created_at,
    endsAt: row.ends_at,
  };
}
