/**
 * Block and allow lists. A recipient on a domain's block list is not sent to, unless it is on the allow list
 * (contract 6); who has unsubscribed is not sent to all the same. Rows hold for one domain or for a whole organization,
 * for one stream or for all, for good or until they expire. Whatever changes them makes the services forget what they
 * know of the address. What mail itself tells of recipients: suppressed-recipient.ts.
 */
import { findSuppression, type Suppression } from '../../lib/rpc/contracts/suppressions.ts';
import type { Queryable, Transaction } from '../database.ts';
import type { ListOwner } from './list-owner.ts';

export const lists = ['block', 'allow'] as const;
export const suppressionStreams = ['all', 'transactional', 'bulk'] as const;
export const suppressionReasons = ['bounced', 'complained', 'unsubscribed', 'manual', 'imported'] as const;

export const MAX_NOTE_CHARACTERS = 1_000;

const REAP_BATCH = 1_000;

export interface NewSuppression {
  organizationId: number;
  /** Undefined: every domain of the organization. */
  domainId: number | undefined;
  list: (typeof lists)[number];
  /** As lib/mail/address.ts normalizes it; its case does not matter. */
  address: string;
  stream: (typeof suppressionStreams)[number];
  reason: (typeof suppressionReasons)[number];
  note: string | undefined;
  expiresAt: Date | undefined;
}

/** Row of the lists, as others see it. */
export interface SuppressionRow {
  id: number;
  domain: string | null;
  list: NewSuppression['list'];
  address: string;
  stream: NewSuppression['stream'];
  reason: NewSuppression['reason'];
  note: string | null;
  messageId: number | null;
  expiresAt: Date | null;
  createdAt: Date;
}

export interface SuppressionQuery extends ListOwner {
  list: string | undefined;
  address: string | undefined;
  reason: string | undefined;
  stream: string | undefined;
  /** Older than this id. */
  before: number | undefined;
  limit: number;
}

const selectRow = `
  select suppression.id, domain.name as domain, list, address, stream, reason, note,
         message_id             as "messageId",
         expires_at             as "expiresAt",
         suppression.created_at as "createdAt"
    from suppressions suppression
    left join domains domain on domain.id = suppression.domain_id`;

export const isInForce = '(expires_at is null or expires_at > now())';

/** Those of the addresses that nothing may be sent to in this stream. */
export async function findBlocked(
  db: Queryable,
  {
    organizationId,
    domainId,
    stream,
    addresses,
  }: { organizationId: number; domainId: number; stream: string; addresses: readonly string[] },
): Promise<Set<string>> {
  const { rows } = await db.query<{ address: string }>({
    name: 'find_blocked',
    text: `select address
             from suppressions
            where organization_id = $1
              and address = any($2::text[])
              and (domain_id = $3 or domain_id is null)
              and ${isInForce}
            group by address
           having bool_or(list = 'block' and stream in ('all', $4) and reason = 'unsubscribed')
               or (bool_or(list = 'block' and stream in ('all', $4)) and not bool_or(list = 'allow'))`,
    values: [organizationId, addresses.map(foldAddress), domainId, stream],
  });
  const blocked = new Set(rows.map((row) => row.address));
  return new Set(addresses.filter((address) => blocked.has(foldAddress(address))));
}

/** What the lists of a domain say of one address. */
export async function readSuppression(
  db: Queryable,
  { domain, address }: { domain: string; address: string },
): Promise<Suppression> {
  const { rows } = await db.query<{ list: string; stream: NewSuppression['stream']; reason: string }>(
    `select suppression.list, suppression.stream, suppression.reason
       from suppressions suppression
       join domains domain on domain.organization_id = suppression.organization_id
                          and (domain.id = suppression.domain_id or suppression.domain_id is null)
      where domain.name = $1 and suppression.address = $2 and ${isInForce}
      order by suppression.id`,
    [domain, foldAddress(address)],
  );
  return {
    isAllowed: rows.some(({ list }) => list === 'allow'),
    blocks: rows.flatMap(({ list, stream, reason }) => (list === 'block' ? [{ stream, reason }] : [])),
  };
}

/** Adds a row, or makes the one that is there say this. */
export async function addSuppression(tx: Transaction, row: NewSuppression): Promise<SuppressionRow> {
  const { rows: ids } = await tx.query<{ id: number }>(
    `insert into suppressions (organization_id, domain_id, list, address, stream, reason, note, expires_at)
          values ($1, $2, $3, $4, $5, $6, $7, $8)
     on conflict (organization_id, address, domain_id, list, stream) do update
             set reason     = excluded.reason,
                 note       = excluded.note,
                 message_id = null,
                 expires_at = excluded.expires_at,
                 created_at = now()
       returning id`,
    [
      row.organizationId,
      row.domainId ?? null,
      row.list,
      foldAddress(row.address),
      row.stream,
      row.reason,
      row.note ?? null,
      row.expiresAt ?? null,
    ],
  );
  await forgetAddresses(tx, row, [row.address]);
  const { rows } = await tx.query<SuppressionRow>(`${selectRow} where suppression.id = $1`, [ids[0]?.id]);
  const [saved] = rows;
  if (!saved) throw new Error('the row that was just saved is not there');
  return saved;
}

export async function findSuppressionRow(
  db: Queryable,
  id: number,
  owner: ListOwner,
): Promise<SuppressionRow | undefined> {
  const { rows } = await db.query<SuppressionRow>(
    `${selectRow}
      where suppression.id = $1
        and suppression.organization_id = $2
        and ($3::bigint is null or suppression.domain_id = $3)`,
    [id, owner.organizationId, owner.domainId ?? null],
  );
  return rows[0];
}

/** Newest first. */
export async function listSuppressions(db: Queryable, query: SuppressionQuery): Promise<SuppressionRow[]> {
  const { rows } = await db.query<SuppressionRow>(
    `${selectRow}
      where suppression.organization_id = $1
        and ($2::bigint is null or suppression.domain_id = $2)
        and ($3::text is null or list = $3)
        and ($4::text is null or address = $4)
        and ($5::text is null or reason = $5)
        and ($6::text is null or stream = $6)
        and ($7::bigint is null or suppression.id < $7)
      order by suppression.id desc
      limit $8`,
    [
      query.organizationId,
      query.domainId ?? null,
      query.list ?? null,
      query.address === undefined ? null : foldAddress(query.address),
      query.reason ?? null,
      query.stream ?? null,
      query.before ?? null,
      query.limit,
    ],
  );
  return rows;
}

/** @returns the row that is gone; undefined when the owner has no such row */
export async function removeSuppression(
  tx: Transaction,
  id: number,
  owner: ListOwner,
): Promise<SuppressionRow | undefined> {
  const row = await findSuppressionRow(tx, id, owner);
  if (!row) return undefined;
  const { rows } = await tx.query<{ domainId: number | null }>(
    'delete from suppressions where id = $1 returning domain_id as "domainId"',
    [id],
  );
  const [removed] = rows;
  if (!removed) return undefined; // another request was faster
  await forgetAddresses(tx, { ...owner, domainId: removed.domainId ?? undefined }, [row.address]);
  return row;
}

/** Removes rows that have expired, a batch at a time. Nobody needs to hear of it: they were not in force. */
export async function reapSuppressions(db: Queryable): Promise<number> {
  for (let reaped = 0; ; ) {
    const { rowCount } = await db.query(
      `delete from suppressions
        where id = any(array(select id from suppressions where expires_at <= now() limit $1))`,
      [REAP_BATCH],
    );
    reaped += rowCount ?? 0;
    if ((rowCount ?? 0) < REAP_BATCH) return reaped;
  }
}

/** The answers that the services may hold of these addresses: one a domain that the rows hold for. */
export async function listAnswers(
  db: Queryable,
  { organizationId, domainId }: ListOwner,
  addresses: readonly string[],
): Promise<{ address: string; domain: string }[]> {
  const { rows } = await db.query<{ name: string }>(
    'select name from domains where organization_id = $1 and ($2::bigint is null or id = $2)',
    [organizationId, domainId ?? null],
  );
  return rows.flatMap(({ name: domain }) =>
    addresses.map((address) => ({ address: foldAddress(address), domain })),
  );
}

/** Makes the services forget what they know of the addresses. */
export async function forgetAddresses(
  tx: Transaction,
  owner: ListOwner,
  addresses: readonly string[],
): Promise<void> {
  for (const answer of await listAnswers(tx, owner, addresses)) await tx.invalidate(findSuppression, answer);
}

/** As the table has an address. RFC 5321 2.4 lets a host tell `Ann@` from `ann@`; nobody who asked not to be written to would. */
export function foldAddress(address: string): string {
  return address.toLowerCase();
}
