/** Messages that came in: one row a recipient, over one source. */
import type { NewInboundMessage } from '../../lib/rpc/contracts/inbound-messages.ts';
import type { Queryable } from '../database.ts';
import type { InboundRoute } from './inbound-route.ts';
import { type ListOwner, ownerParameters } from './list-owner.ts';
import type { Attempt } from './webhook-attempt.ts';

export const inboundStates = ['stored', 'queued', 'retrying', 'delivered', 'failed'] as const;

export interface InboundMessage
  extends Pick<NewInboundMessage, 'client' | 'authentication' | 'spam' | 'virus'> {
  id: number;
  domainId: number;
  domain: string;
  routeId: number;
  state: (typeof inboundStates)[number];
  /** Why it is not delivered: what the target last answered, or what keeps it from there */
  reason: string | null;
  envelopeFrom: string;
  recipient: string;
  fromHeader: string;
  subject: string | null;
  messageId: string | null;
  sizeBytes: number;
  /** The sent message that it is a reply to */
  replyToId: number | null;
  /** The message by which it was forwarded */
  forwardId: number | null;
  createdAt: Date;
}

/** Of the table under the alias `message`. */
export const inboundColumns = `
  message.id, message.state, message.reason, message.recipient, message.subject, message.client,
  message.authentication, message.spam, message.virus,
  message.domain_id     as "domainId",
  (select name from domains where id = message.domain_id) as domain,
  message.route_id      as "routeId",
  message.envelope_from as "envelopeFrom",
  message.from_header   as "fromHeader",
  message.message_id    as "messageId",
  message.size_bytes    as "sizeBytes",
  message.reply_to_id   as "replyToId",
  message.forward_id    as "forwardId",
  message.created_at    as "createdAt"`;
/** `$1` and `$2` are the owner's organization and domain. */
const isOwned = 'message.organization_id = $1 and ($2::bigint is null or message.domain_id = $2)';

export interface InboundQuery {
  routeId?: number | undefined;
  state?: string | undefined;
  recipient?: string | undefined;
  /** Only messages older than this id */
  before?: number | undefined;
  limit: number;
}

/** Newest first. */
export async function listInboundMessages(
  db: Queryable,
  owner: ListOwner,
  { routeId, state, recipient, before, limit }: InboundQuery,
): Promise<InboundMessage[]> {
  const { rows } = await db.query<InboundMessage>(
    `select ${inboundColumns}
       from inbound_messages message
      where ${isOwned}
        and ($3::bigint is null or message.route_id = $3)
        and ($4::text is null or message.state = $4)
        and ($5::text is null or lower(message.recipient) = lower($5))
        and ($6::bigint is null or message.id < $6)
      order by message.id desc
      limit $7`,
    [...ownerParameters(owner), routeId ?? null, state ?? null, recipient ?? null, before ?? null, limit],
  );
  return rows;
}

/** Undefined: there is none, or it is another's. */
export async function findInboundMessage(
  db: Queryable,
  id: number,
  owner: ListOwner,
): Promise<InboundMessage | undefined> {
  const { rows } = await db.query<InboundMessage>(
    `select ${inboundColumns} from inbound_messages message where ${isOwned} and message.id = $3`,
    [...ownerParameters(owner), id],
  );
  return rows[0];
}

/** With its way to the endpoint, as the route is now */
type Addressed = InboundMessage &
  Pick<InboundRoute, 'target' | 'requiresTls'> & { basicAuthSealed: Buffer | null };

/** What an endpoint is sent of it. Undefined: it was purged. */
export async function findInboundForEndpoint(db: Queryable, id: number): Promise<Addressed | undefined> {
  const { rows } = await db.query<Addressed>(
    `select ${inboundColumns}, route.basic_auth_sealed as "basicAuthSealed", route.target, route.requires_tls as "requiresTls"
       from inbound_messages message
       join inbound_routes route on route.id = message.route_id
      where message.id = $1`,
    [id],
  );
  return rows[0];
}

/** Undefined: it is not kept any more. */
export async function findInboundContent(db: Queryable, id: number): Promise<Buffer | undefined> {
  const { rows } = await db.query<{ content: Buffer }>(
    `select source.content
       from inbound_messages message
       join inbound_sources source on source.id = message.source_id
      where message.id = $1`,
    [id],
  );
  return rows[0]?.content;
}

/**
 * What the attempts mean for the messages: behind concludeAttempts, in its transaction.
 * @returns ids of those that have failed for good by this
 */
export async function concludeInbound(tx: Queryable, attempts: readonly Attempt[]): Promise<number[]> {
  const { rows } = await tx.query<{ id: number; state: string }>(
    `update inbound_messages message
        set state = case delivery.state when 'delivered' then 'delivered' when 'dead' then 'failed' else 'retrying' end,
            reason = case when delivery.state <> 'delivered' then attempt.reason end,
            updated_at = now()
       from unnest($1::bigint[], $2::text[]) as attempt (position, reason)
       join webhook_deliveries delivery on delivery.position = attempt.position
      where message.id = delivery.inbound_message_id and delivery.claim is null and message.state in ('queued', 'retrying')
  returning message.id, message.state`,
    [
      attempts.map(({ position }) => position),
      attempts.map(({ outcome, status, response }) =>
        `${status ?? outcome} ${response ?? ''}`.trim().slice(0, 1000),
      ),
    ],
  );
  return rows.filter(({ state }) => state === 'failed').map(({ id }) => id);
}

/**
 * A batch of what is over its organization's retention goes, with the sources that nobody has any more. Inside a
 * transaction. @returns how many are gone; fewer than `limit`: there are no more
 */
export async function purgeInboundMessages(tx: Queryable, limit: number): Promise<number> {
  const { rows } = await tx.query<{ sourceId: number }>(
    `delete from inbound_messages
      where id in (select message.id
                     from inbound_messages message
                     left join organizations organization on organization.id = message.organization_id
                    where message.state not in ('queued', 'retrying')
                      and message.updated_at < now() - make_interval(days => coalesce(organization.retention_days, 30))
                    order by message.id
                    limit $1)
  returning source_id as "sourceId"`,
    [limit],
  );
  await tx.query(
    `delete from inbound_sources source
      where id = any($1::bigint[])
        and not exists (select from inbound_messages where source_id = source.id)`,
    [rows.map(({ sourceId }) => sourceId)],
  );
  return rows.length;
}
