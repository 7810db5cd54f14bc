/** Messages that come in, kept: many at a time in a few statements. Each has one source, and a row a recipient. */
import type { NewInboundMessage } from '../../lib/rpc/contracts/inbound-messages.ts';
import type { Queryable } from '../database.ts';
import { toStorable } from './event.ts';
import { hasEndpoint } from './inbound-endpoint.ts';
import type { InboundRoute } from './inbound-route.ts';
import { insertInboundWebhooks } from './webhook-outbox.ts';

export type InboundTarget =
  | { address: string; route: InboundRoute; replyToId: number | null }
  /** Ours: operators read it. */
  | { address: string; purpose: 'postmaster' | 'abuse' };

export interface TakenMessage extends Omit<NewInboundMessage, 'message'> {
  content: Buffer;
  fromHeader: string;
  subject: string | null;
  messageId: string | null;
  /** At least one */
  targets: readonly InboundTarget[];
}

export interface InsertedMessage {
  id: number;
  replyToId: number | null;
  recipient: string;
}

/**
 * Keeps messages, and what their endpoints are to be sent. Inside a transaction.
 * @returns by content, the rows of those targets that did not have the message yet
 */
export async function insertInboundMessages(
  tx: Queryable,
  taken: readonly TakenMessage[],
): Promise<Map<Buffer, InsertedMessage[]>> {
  if (taken.length === 0) return new Map();
  const sourceIds = await insertSources(tx, taken);
  const { rows } = await tx.query<InsertedMessage & { sourceId: number }>({
    name: 'insert inbound messages',
    text: INSERT_MESSAGES,
    values: [
      JSON.stringify(
        taken.flatMap(({ targets }, index) =>
          targets.map((target) => ({ source_id: sourceIds[index], ...describeTarget(target) })),
        ),
      ),
      JSON.stringify(toStorable(taken.map((message, index) => describeMessage(message, sourceIds[index])))),
    ],
  });
  const bySource = Map.groupBy(rows, ({ sourceId }) => sourceId);
  const unused = sourceIds.filter((id) => !bySource.has(id));
  if (unused.length > 0) await tx.query('delete from inbound_sources where id = any($1::bigint[])', [unused]);
  const ids = rows.map(({ id }) => id);
  if (ids.length > 0) {
    await queueForEndpoints(tx, ids);
    await insertInboundWebhooks(tx, ids);
  }
  return new Map(taken.map(({ content }, index) => [content, bySource.get(sourceIds[index] ?? 0) ?? []]));
}

/** In the order of the messages: identities are given to rows in the order of the values. */
async function insertSources(tx: Queryable, taken: readonly TakenMessage[]): Promise<number[]> {
  const { rows } = await tx.query<{ id: number }>(
    `insert into inbound_sources (content) values ${taken.map((_, index) => `($${index + 1})`).join(', ')} returning id`,
    taken.map(({ content }) => content),
  );
  return rows.map(({ id }) => id).toSorted((a, b) => a - b);
}

const INSERT_MESSAGES = `
  insert into inbound_messages (organization_id, domain_id, route_id, purpose, reply_to_id, state, recipient, source_id,
                                digest, envelope_from, from_header, subject, message_id, size_bytes, client,
                                authentication, spam, virus)
       select target.organization_id, target.domain_id, target.route_id, target.purpose, target.reply_to_id,
              target.state, target.recipient, message.source_id, message.digest, message.envelope_from,
              message.from_header, message.subject, message.message_id, message.size_bytes, message.client,
              message.authentication, message.spam, message.virus
         from jsonb_to_recordset($1) as target (source_id bigint, organization_id bigint, domain_id bigint,
                                                route_id bigint, purpose text, reply_to_id bigint, state text,
                                                recipient text)
         join jsonb_to_recordset($2) as message (source_id bigint, digest text, envelope_from text, from_header text,
                                                 subject text, message_id text, size_bytes bigint, client jsonb,
                                                 authentication jsonb, spam jsonb, virus text)
           on message.source_id = target.source_id
        order by message.source_id
  on conflict (digest, recipient) do nothing
    returning id, source_id as "sourceId", recipient, reply_to_id as "replyToId"`;

function describeTarget(target: InboundTarget): object {
  if (!('route' in target)) return { recipient: target.address, purpose: target.purpose, state: 'stored' };
  return {
    recipient: target.address,
    organization_id: target.route.organizationId,
    domain_id: target.route.domainId,
    route_id: target.route.id,
    reply_to_id: target.replyToId,
    state: hasEndpoint(target.route) ? 'queued' : 'stored',
  };
}

function describeMessage(message: TakenMessage, sourceId: number | undefined): object {
  return {
    source_id: sourceId,
    digest: message.digest,
    envelope_from: message.envelope.from,
    from_header: message.fromHeader,
    subject: message.subject,
    message_id: message.messageId,
    size_bytes: message.content.length,
    client: message.client,
    authentication: message.authentication,
    spam: message.spam,
    virus: message.virus,
  };
}

async function queueForEndpoints(tx: Queryable, ids: readonly number[]): Promise<void> {
  await tx.query(
    `with delivery as (
       insert into webhook_deliveries (webhook_id, inbound_message_id, event, data, occurred_at)
            select webhook.id, message.id, 'inbound.message', '{}', now()
              from inbound_messages message
              join webhooks webhook on webhook.inbound_route_id = message.route_id and webhook.deleted_at is null
             where message.id = any($1::bigint[])
         returning inbound_message_id
     )
     -- The route has lost its endpoint since it was looked up.
     update inbound_messages set state = 'stored'
      where id = any($1::bigint[]) and state = 'queued' and id not in (select inbound_message_id from delivery)`,
    [ids],
  );
}
