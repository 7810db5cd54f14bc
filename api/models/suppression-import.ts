/**
 * Lists that come as CSV. The request stores the file in parts, the worker reads it and writes its entries, a batch a
 * transaction: how far it came commits with the batch, so that a worker that dies is followed by one that goes on
 * from there. A file whose upload broke off is nobody's and goes after a day.
 */

import type { Queryable, Transaction } from '../database.ts';
import { IMPORT_SUPPRESSIONS } from '../jobs/queues.ts';
import type { Problem } from '../suppressions/read-csv.ts';
import type { ListOwner } from './list-owner.ts';
import type { NewSuppression } from './suppression.ts';

export const importStates = ['running', 'finished', 'failed'] as const;

/** Of the problems; all of them are counted. */
const KEPT_PROBLEMS = 100;
const KEPT_DAYS = 30;

export interface SuppressionImport {
  id: number;
  organizationId: number;
  domainId: number | null;
  domain: string | null;
  state: 'receiving' | (typeof importStates)[number];
  bytes: number;
  /** Read so far */
  lines: number;
  added: number;
  changed: number;
  refused: number;
  problems: Problem[];
  createdAt: Date;
  finishedAt: Date | null;
}

const selectImport = `
  select import.id, import.state, bytes, lines, added, changed, refused, problems,
         import.organization_id as "organizationId",
         import.domain_id       as "domainId",
         domain.name            as domain,
         import.created_at      as "createdAt",
         finished_at            as "finishedAt"
    from suppression_imports import
    left join domains domain on domain.id = import.domain_id`;

/** @returns its id; undefined while the organization has one that is running: the later list shall win */
export async function receiveImport(
  db: Queryable,
  { organizationId, domainId }: ListOwner,
): Promise<number | undefined> {
  const { rows } = await db.query<{ id: number }>(
    `insert into suppression_imports (organization_id, domain_id)
     select $1, $2
      where not exists (select from suppression_imports where organization_id = $1 and state = 'running')
  returning id`,
    [organizationId, domainId ?? null],
  );
  return rows[0]?.id;
}

/** @param number of the part, from 0 */
export async function addImportPart(
  db: Queryable,
  id: number,
  { number, content }: { number: number; content: Buffer },
): Promise<void> {
  await db.query('insert into suppression_import_parts (import_id, number, content) values ($1, $2, $3)', [
    id,
    number,
    content,
  ]);
}

/** The file is complete: from the commit on the worker reads it, whatever happens. */
export async function startImport(tx: Transaction, id: number, bytes: number): Promise<void> {
  await tx.query(`update suppression_imports set state = 'running', bytes = $2 where id = $1`, [id, bytes]);
  await tx.enqueue(IMPORT_SUPPRESSIONS, { importId: id });
}

/** Forgets a file that is not wanted. */
export async function dropImport(db: Queryable, id: number): Promise<void> {
  await db.query(`delete from suppression_imports where id = $1 and state = 'receiving'`, [id]);
}

export async function findImport(db: Queryable, id: number): Promise<SuppressionImport | undefined> {
  const { rows } = await db.query<SuppressionImport>(`${selectImport} where import.id = $1`, [id]);
  return rows[0];
}

/** As its owner sees it: an upload that is under way is none yet. */
export async function findOwnImport(
  db: Queryable,
  id: number,
  { organizationId, domainId }: ListOwner,
): Promise<SuppressionImport | undefined> {
  const { rows } = await db.query<SuppressionImport>(
    `${selectImport}
      where import.id = $1
        and import.organization_id = $2
        and ($3::bigint is null or import.domain_id = $3)
        and import.state <> 'receiving'`,
    [id, organizationId, domainId ?? null],
  );
  return rows[0];
}

/** The file, a part in memory at a time. */
export async function* readImportParts(db: Queryable, id: number): AsyncGenerator<Buffer> {
  for (let number = 0; ; number++) {
    const { rows } = await db.query<{ content: Buffer }>(
      'select content from suppression_import_parts where import_id = $1 and number = $2',
      [id, number],
    );
    if (!rows[0]) return;
    yield rows[0].content;
  }
}

/** Entries that were added or changed: the services have to hear of these. */
export interface SavedEntry {
  domainId: number | null;
  address: string;
  isNew: boolean;
}

/**
 * Adds entries, or makes those that are there say this. What an entry says already stays as it is; a note or a reason
 * is not taken away by a line that has none.
 * @param entries addresses in lower case; no two of one address, domain, list and stream
 */
export async function saveEntries(tx: Queryable, entries: readonly NewSuppression[]): Promise<SavedEntry[]> {
  const { rows } = await tx.query<SavedEntry>(
    `insert into suppressions as entry
            (organization_id, domain_id, list, address, stream, reason, note, expires_at)
     select *
       from unnest($1::bigint[], $2::bigint[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[],
                   $8::timestamptz[])
              as line (organization_id, domain_id, list, address, stream, reason, note, expires_at)
      order by organization_id, domain_id, address, list, stream
         on conflict (organization_id, address, domain_id, list, stream) do update
                 set reason     = ${keptReason},
                     note       = coalesce(excluded.note, entry.note),
                     expires_at = excluded.expires_at
               where (entry.reason, entry.note, entry.expires_at) is distinct from
                     (${keptReason}, coalesce(excluded.note, entry.note), excluded.expires_at)
  returning domain_id as "domainId", address, xmax = 0 as "isNew"`,
    [
      entries.map((entry) => entry.organizationId),
      entries.map((entry) => entry.domainId ?? null),
      entries.map((entry) => entry.list),
      entries.map((entry) => entry.address),
      entries.map((entry) => entry.stream),
      entries.map((entry) => entry.reason),
      entries.map((entry) => entry.note ?? null),
      entries.map((entry) => entry.expiresAt ?? null),
    ],
  );
  return rows;
}

const keptReason = `case when excluded.reason = 'imported' then entry.reason else excluded.reason end`;

export interface ImportProgress {
  lines: number;
  added: number;
  changed: number;
  problems: readonly Problem[];
}

/**
 * Adds what a batch came to. Call it in the batch's transaction.
 * @param from how many lines were read before
 * @returns false: another worker was there first, so the batch must not be committed
 */
export async function advanceImport(
  tx: Queryable,
  id: number,
  from: number,
  { lines, added, changed, problems }: ImportProgress,
): Promise<boolean> {
  const { rowCount } = await tx.query(
    `update suppression_imports
        set lines    = lines + $3,
            added    = added + $4,
            changed  = changed + $5,
            refused  = refused + $6,
            problems = (select coalesce(jsonb_agg(problem order by number), '[]')
                          from jsonb_array_elements(problems || $7::jsonb) with ordinality as all_of (problem, number)
                         where number <= ${KEPT_PROBLEMS})
      where id = $1 and lines = $2 and state = 'running'`,
    [id, from, lines, added, changed, problems.length, JSON.stringify(problems.slice(0, KEPT_PROBLEMS))],
  );
  return rowCount === 1;
}

/** Ends it, and lets go of the file. */
export async function finishImport(tx: Queryable, id: number, state: 'finished' | 'failed'): Promise<void> {
  await tx.query(
    `update suppression_imports set state = $2, finished_at = now() where id = $1 and state = 'running'`,
    [id, state],
  );
  await tx.query('delete from suppression_import_parts where import_id = $1', [id]);
}

/** Removes uploads that broke off, and what was imported long ago. @returns how many */
export async function reapImports(db: Queryable): Promise<number> {
  const { rowCount } = await db.query(
    `delete from suppression_imports
      where (state = 'receiving' and created_at < now() - interval '1 day')
         or finished_at < now() - make_interval(days => ${KEPT_DAYS})`,
  );
  return rowCount ?? 0;
}
