/** Recipients that go on a domain's block list by what came of mail to them: they bounced, complained or unsubscribed. */
import type { Transaction } from '../database.ts';
import { type NewEvent, toStorable } from './event.ts';
import type { Stream } from './stream.ts';
import { foldAddress, forgetAddresses, isInForce } from './suppression.ts';

/** Of one stream of a domain's mail. */
export interface StreamRecipient {
  organizationId: number;
  domainId: number;
  stream: Stream;
  address: string;
  /** The message that it is about. */
  messageId: number;
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
      bounces.map(({ recipient }) => foldAddress(recipient ?? '')),
      bounces.map(({ data }) => data.response?.slice(0, 1_000) ?? null),
      days,
    ],
  );
  for (const { address, ...owner } of rows) await forgetAddresses(tx, owner, [address]);
  return rows.length;
}

/** Blocks who called a message spam for the domain's stream, for good. That somebody unsubscribed says more, and stays. */
export async function suppressComplained(tx: Transaction, recipient: StreamRecipient): Promise<void> {
  await blockForGood(tx, recipient, { reason: 'complained', stronger: ['unsubscribed'] });
}

/** Blocks who unsubscribed from a domain's stream, for good: against the allow list too. */
export async function suppressUnsubscribed(tx: Transaction, recipient: StreamRecipient): Promise<void> {
  await blockForGood(tx, recipient, { reason: 'unsubscribed', stronger: [] });
}

/** A row for good that gives this reason or a stronger one stays as it is; any other becomes this. */
async function blockForGood(
  tx: Transaction,
  { organizationId, domainId, stream, address, messageId }: StreamRecipient,
  { reason, stronger }: { reason: string; stronger: readonly string[] },
): Promise<void> {
  const { rowCount } = await tx.query(
    `insert into suppressions (organization_id, domain_id, stream, address, reason, message_id)
          values ($1, $2, $3, $4, $5, $6)
     on conflict (organization_id, address, domain_id, list, stream) do update
             set reason     = excluded.reason,
                 note       = null,
                 message_id = excluded.message_id,
                 expires_at = null,
                 created_at = now()
           where suppressions.reason <> all($7::text[]) or suppressions.expires_at is not null`,
    [organizationId, domainId, stream, foldAddress(address), reason, messageId, [reason, ...stronger]],
  );
  if (rowCount) await forgetAddresses(tx, { organizationId, domainId }, [address]);
}
