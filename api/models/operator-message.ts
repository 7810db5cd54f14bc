/** Mail to postmaster and abuse of the names that receive: the operators', whoever's domain it came to. */
import type { Queryable } from '../database.ts';
import { type InboundMessage, inboundColumns } from './inbound-message.ts';

export const operatorPurposes = ['postmaster', 'abuse'] as const;

export interface OperatorMessage
  extends Omit<
    InboundMessage,
    'domainId' | 'domain' | 'routeId' | 'state' | 'reason' | 'replyToId' | 'forwardId'
  > {
  purpose: (typeof operatorPurposes)[number];
  /** Null: nobody has dealt with it. */
  seenAt: Date | null;
}

const columns = `${inboundColumns}, message.purpose, message.seen_at as "seenAt"`;

export interface OperatorMessageQuery {
  purpose?: string | undefined;
  isSeen?: boolean | undefined;
  /** Only messages older than this id */
  before?: number | undefined;
  limit: number;
}

/** Newest first. */
export async function listOperatorMessages(
  db: Queryable,
  { purpose, isSeen, before, limit }: OperatorMessageQuery,
): Promise<OperatorMessage[]> {
  const { rows } = await db.query<OperatorMessage>(
    `select ${columns}
       from inbound_messages message
      where message.purpose is not null
        and ($1::text is null or message.purpose = $1)
        and ($2::boolean is null or (message.seen_at is not null) = $2)
        and ($3::bigint is null or message.id < $3)
      order by message.id desc
      limit $4`,
    [purpose ?? null, isSeen ?? null, before ?? null, limit],
  );
  return rows;
}

/** Undefined: there is none, or it is a customer's. */
export async function findOperatorMessage(db: Queryable, id: number): Promise<OperatorMessage | undefined> {
  const { rows } = await db.query<OperatorMessage>(
    `select ${columns} from inbound_messages message where message.purpose is not null and message.id = $1`,
    [id],
  );
  return rows[0];
}

/** Undefined: there is none. The first time counts. */
export async function markOperatorMessage(
  db: Queryable,
  id: number,
  isSeen: boolean,
): Promise<OperatorMessage | undefined> {
  const { rows } = await db.query<OperatorMessage>(
    `update inbound_messages message
        set seen_at = case when $2 then coalesce(message.seen_at, now()) end
      where message.purpose is not null and message.id = $1
  returning ${columns}`,
    [id, isSeen],
  );
  return rows[0];
}
