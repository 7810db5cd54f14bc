/**
 * Block and allow lists. A recipient on a domain's block list is not sent to, unless it is on the allow list
 * (contract 6); who has unsubscribed is not sent to all the same. Rows hold for one domain or for a whole organization, for one stream or for all, for good or until they
 * expire. Whatever changes them makes the services forget what they know of the address.
 */
import { findSuppression, type Suppression } from '../../lib/rpc/contracts/suppressions.ts';
import type { Queryable, Transaction } from '../database.ts';
import { type NewEvent, toStorable } from './event.ts';
import type { ListOwner } from './list-owner.ts';
import type { Stream } from './stream.ts';

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

const isInForce = '(expires_at is null or expires_at > now())';

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
    values: [organizationId, addresses.map(fold), domainId, stream],
  });
  const blocked = new Set(rows.map((row) => row.address));
  return new Set(addresses.filter((address) => blocked.has(fold(address))));
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
    [domain, fold(address)],
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
      fold(row.address),
      row.stream,
      row.reason,
      row.note ?? null,
      row.expiresAt ?? null,
    ],
  );
  await forget(tx, row, [row.address]);
  const { rows } = await tx.query<SuppressionRow>(`${selectRow} where suppression.id = $1`, [ids[0]?.id]);
  const [saved] = rows;
  if (!saved) throw new Error('the row that was just saved is not there');
  return saved;
}

/**
 * Blocks the recipients of hard bounces for the domains that sent to them, unless the allow list names them. What the
 * list says already stays; only a row that would expire earlier is made to last longer. @returns how many were added
 * @param days until it expires; 0: never
 */
export async function suppressBounced(
  tx: Transaction,
  events: readonly NewEvent[],
  days: number,
): Promise<number> {
  // A reply may hold what Postgres cannot store, and a batch that fails would come again for ever.
  const bounces = toStorable(
    events.filter(({ type, data }) => type === 'bounced' && data.bounce?.is_hard === true),
  );
  if (bounces.length === 0) return 0;
  const { rows } = await tx.query<{ address: string; organizationId: number; domainId: number }>(
    `insert into suppressions (organization_id, domain_id, address, reason, note, message_id, expires_at)
     select distinct on (message.domain_id, bounce.address)
            message.organization_id, message.domain_id, bounce.address, 'bounced', bounce.response, message.id,
            now() + make_interval(days => nullif($4::integer, 0))
       from unnest($1::bigint[], $2::text[], $3::text[]) as bounce (message_id, address, response)
       join messages message on message.id = bounce.message_id
      where not exists (select
                          from suppressions allowed
                         where allowed.organization_id = message.organization_id
                           and allowed.address = bounce.address
                           and (allowed.domain_id = message.domain_id or allowed.domain_id is null)
                           and allowed.list = 'allow'
                           and ${isInForce})
      order by message.domain_id, bounce.address
         on conflict (organization_id, address, domain_id, list, stream) do update
                 set reason     = excluded.reason,
                     note       = excluded.note,
                     message_id = excluded.message_id,
                     expires_at = excluded.expires_at
               where suppressions.expires_at < coalesce(excluded.expires_at, 'infinity')
  returning address, organization_id as "organizationId", domain_id as "domainId"`,
    [
      bounces.map(({ messageId }) => messageId),
      bounces.map(({ recipient }) => fold(recipient ?? '')),
      bounces.map(({ data }) => data.response?.slice(0, 1_000) ?? null),
      days,
    ],
  );
  for (const { address, ...owner } of rows) await forget(tx, owner, [address]);
  return rows.length;
}

/** Blocks who called a message spam for the domain's stream, for good. That somebody unsubscribed says more, and stays. */
export async function addComplained(
  tx: Transaction,
  row: { organizationId: number; domainId: number; stream: Stream; address: string; messageId: number },
): Promise<void> {
  const { rowCount } = await tx.query(
    `insert into suppressions (organization_id, domain_id, stream, address, reason, message_id)
          values ($1, $2, $3, $4, 'complained', $5)
     on conflict (organization_id, address, domain_id, list, stream) do update
             set reason     = 'complained',
                 note       = null,
                 message_id = excluded.message_id,
                 expires_at = null,
                 created_at = now()
           where suppressions.reason not in ('unsubscribed', 'complained') or suppressions.expires_at is not null`,
    [row.organizationId, row.domainId, row.stream, fold(row.address), row.messageId],
  );
  if (rowCount) await forget(tx, row, [row.address]);
}

/**
 * Blocks who unsubscribed from a domain's stream, for good. A row that says so already stays as it is; another reason
 * gives way to this one, which holds against the allow list too.
 */
export async function addUnsubscribed(
  tx: Transaction,
  row: { organizationId: number; domainId: number; stream: Stream; address: string; messageId: number },
): Promise<void> {
  const { rowCount } = await tx.query(
    `insert into suppressions (organization_id, domain_id, stream, address, reason, message_id)
          values ($1, $2, $3, $4, 'unsubscribed', $5)
     on conflict (organization_id, address, domain_id, list, stream) do update
             set reason     = 'unsubscribed',
                 note       = null,
                 message_id = excluded.message_id,
                 expires_at = null,
                 created_at = now()
           where suppressions.reason <> 'unsubscribed' or suppressions.expires_at is not null`,
    [row.organizationId, row.domainId, row.stream, fold(row.address), row.messageId],
  );
  if (rowCount) await forget(tx, row, [row.address]);
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
      query.address === undefined ? null : fold(query.address),
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
  await forget(tx, { ...owner, domainId: removed.domainId ?? undefined }, [row.address]);
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
  return rows.flatMap(({ name: domain }) => addresses.map((address) => ({ address: fold(address), domain })));
}

async function forget(tx: Transaction, owner: ListOwner, addresses: readonly string[]): Promise<void> {
  for (const answer of await listAnswers(tx, owner, addresses)) await tx.invalidate(findSuppression, answer);
}

/** RFC 5321 2.4 lets a host tell `Ann@` from `ann@`; nobody who asked not to be written to would. */
function fold(address: string): string {
  return address.toLowerCase();
}
