/** What envelope senders are to be told of by mail: noted with the event, told by the worker (jobs/send-reports.ts). */

import type { Queryable } from '../database.ts';
import type { ReportedRecipient, ReportKind } from '../mail/delivery-report.ts';
import type { NewEvent } from './event.ts';

const KEEP_DAYS = 30;

/** A message of which something is to be told. */
export interface Reportable {
  messageId: number;
  tokenId: number;
  organizationId: number;
  domainId: number;
  domain: string;
  /** Empty: nobody can be told */
  envelopeFrom: string;
  headerMessageId: string;
  acceptedAt: Date;
  /** The message as submitted; null: it is not kept here any more */
  content: Buffer | null;
}

const kinds: Partial<Record<NewEvent['type'], ReportKind>> = {
  bounced: 'failed',
  expired: 'failed',
  suppressed: 'failed',
  spam: 'failed',
  deferred: 'delayed',
};

/**
 * Of mail by SMTP of organizations that ask for it. Inside the transaction of the events.
 * @param news events that changed something
 */
export async function noteReports(tx: Queryable, news: readonly NewEvent[]): Promise<void> {
  const told = news.flatMap(({ messageId, recipient, type }) => {
    const kind = kinds[type];
    return kind && recipient !== null ? [{ messageId, recipient: recipient.toLowerCase(), kind }] : [];
  });
  if (told.length === 0) return;
  await tx.query(
    `insert into delivery_reports (message_id, recipient, kind, accepted_at)
          select message.id, told.recipient, told.kind, message.created_at
            from unnest($1::bigint[], $2::text[], $3::text[]) as told (message_id, recipient, kind)
            join messages message           on message.id = told.message_id and message.id = any($1::bigint[])
            join organizations organization on organization.id = message.organization_id
           where organization.bounce_mail and message.source = 'smtp' and not message.is_sandbox
              on conflict do nothing`,
    [told.map((one) => one.messageId), told.map((one) => one.recipient), told.map((one) => one.kind)],
  );
}

/** Failures at once, delays when the message is as old as that. @returns messages, those that wait longest first */
export async function listDueReports(
  db: Queryable,
  { kind, delaySeconds, limit }: { kind: ReportKind; delaySeconds: number; limit: number },
): Promise<number[]> {
  const { rows } = await db.query<{ messageId: number }>(
    `select message_id as "messageId"
       from delivery_reports
      where reported_at is null and kind = $1 and accepted_at <= now() - make_interval(secs => $2)
      group by message_id
      order by min(accepted_at)
      limit $3`,
    [kind, delaySeconds, limit],
  );
  return rows.map((row) => row.messageId);
}

/** Takes what is to be told of a message: from now on it is told. Another worker that asks waits, and gets nothing. */
export async function takeReports(
  tx: Queryable,
  messageId: number,
  kind: ReportKind,
): Promise<{ message: Reportable; recipients: ReportedRecipient[] } | undefined> {
  const { rows: taken } = await tx.query<{ recipient: string }>(
    `update delivery_reports set reported_at = now()
      where message_id = $1 and kind = $2 and reported_at is null
  returning recipient`,
    [messageId, kind],
  );
  const message = await findReportable(tx, messageId);
  if (!message || taken.length === 0) return undefined;
  const { rows: recipients } = await tx.query<ReportedRecipient>(
    `select address, state, response, mx,
            response_code as code,
            enhanced_code as "enhancedCode",
            state_at      as "lastAttemptAt"
       from recipients
      where message_id = $1 and lower(address) = any($2::text[]) and (state = 'deferred') = ($3 = 'delayed')
      order by id`,
    [messageId, taken.map(({ recipient }) => recipient), kind],
  );
  return { message, recipients };
}

async function findReportable(db: Queryable, messageId: number): Promise<Reportable | undefined> {
  const { rows } = await db.query<Reportable>(
    `select message.id              as "messageId",
            message.token_id        as "tokenId",
            message.organization_id as "organizationId",
            message.domain_id       as "domainId",
            domain.name             as domain,
            message.envelope_from   as "envelopeFrom",
            message.message_id      as "headerMessageId",
            message.created_at      as "acceptedAt",
            source.content
       from messages message
       join domains domain on domain.id = message.domain_id
       left join message_sources source on source.message_id = message.id
      where message.id = $1`,
    [messageId],
  );
  return rows[0];
}

/** @returns how many were removed */
export async function reapDeliveryReports(db: Queryable): Promise<number> {
  const { rowCount } = await db.query(
    `delete from delivery_reports where created_at < now() - interval '${KEEP_DAYS} days'`,
  );
  return rowCount ?? 0;
}
