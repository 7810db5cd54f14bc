/**
 * Mails that tell of a message of ours: a bounce, a complaint. Which message and recipient are meant, and whether
 * whoever wrote it is to be believed (BN-5, AD-11).
 *
 * The signed return path says by itself what it was made for, so it may only speak for that one recipient, and only
 * for a month. A Message-ID is known to everybody who got the message: it counts where the mail is authenticated for
 * the recipient's domain or the server that took the message, or where its authentication is one of those that we
 * were told to trust; and it never puts anybody on the block list.
 */
import { domainToUnicode } from 'node:url';
import { digestRecipient } from '../../lib/return-path.ts';
import type { ReportOrigin, ReportOutcome } from '../../lib/rpc/contracts/mail-report.ts';
import type { Queryable } from '../database.ts';
import { toStorable } from './event.ts';
import { searchMessages } from './message-search.ts';
import type { Stream } from './stream.ts';

const MAX_AGE_DAYS = 30;
const REAP_BATCH = 1_000;

export interface ReportedMessage {
  id: number;
  organizationId: number;
  domainId: number;
  stream: Stream;
  isRecent: boolean;
  recipients: { address: string; mx: string | null }[];
}

export type Found =
  | { ok: true; message: ReportedMessage; recipient: string | undefined }
  | { ok: false; outcome: Exclude<ReportOutcome, 'recorded' | 'repeated'> };

/** `recipient` is the one that the return path speaks for; undefined: it was found by Message-ID. */
export async function findReportedMessage(db: Queryable, origin: ReportOrigin): Promise<Found> {
  const id = origin.returnPath?.messageId ?? (await findByMessageId(db, origin.original));
  const message = id === undefined ? undefined : await loadMessage(db, id);
  if (!message) return { ok: false, outcome: 'unknown_message' };
  if (!message.isRecent) return { ok: false, outcome: 'too_old' };
  const digest = origin.returnPath?.recipientDigest;
  if (digest === undefined) return { ok: true, message, recipient: undefined };
  const recipient = message.recipients.find(
    ({ address }) => digest === null || digestsOf(address).includes(digest),
  );
  return recipient
    ? { ok: true, message, recipient: recipient.address }
    : { ok: false, outcome: 'other_recipient' };
}

/** One of the domains is the recipient's, that of the server which took its mail, or above one of both. */
export function speaksFor(
  authenticatedDomains: readonly string[],
  { address, mx }: { address: string; mx: string | null },
): boolean {
  const hosts = [address.slice(address.lastIndexOf('@') + 1), mx ?? ''].map((host) => host.toLowerCase());
  return authenticatedDomains.some((domain) =>
    hosts.some((host) => host === domain || (domain.includes('.') && host.endsWith(`.${domain}`))),
  );
}

/** @returns false: this mail was reported before */
export async function noteReport(
  tx: Queryable,
  report: {
    digest: string;
    kind: 'bounce' | 'complaint';
    outcome: ReportOutcome;
    messageId: number | undefined;
  },
): Promise<boolean> {
  const { rowCount } = await tx.query(
    `insert into mail_reports (digest, kind, outcome, message_id) values ($1, $2, $3, $4)
     on conflict (digest) do nothing`,
    [report.digest, report.kind, report.outcome, report.messageId ?? null],
  );
  return rowCount === 1;
}

/** A report that is older speaks of a message that is too old. @returns how many are gone */
export async function reapReports(db: Queryable): Promise<number> {
  for (let reaped = 0; ; ) {
    const { rowCount } = await db.query(
      `delete from mail_reports
        where digest = any(array(select digest from mail_reports
                                  where created_at < now() - make_interval(days => $1)
                                  limit $2))`,
      [MAX_AGE_DAYS, REAP_BATCH],
    );
    reaped += rowCount ?? 0;
    if ((rowCount ?? 0) < REAP_BATCH) return reaped;
  }
}

async function findByMessageId(
  db: Queryable,
  original: ReportOrigin['original'],
): Promise<number | undefined> {
  if (!original) return undefined;
  const { domain, messageId } = toStorable(original);
  const { rows } = await db.query<{ id: number }>('select id from domains where name = $1', [domain]);
  const domainIds = rows.map(({ id }) => id);
  const { ids } = await searchMessages(db, { domainIds, messageId }, { limit: 2 });
  return ids.length === 1 ? ids[0] : undefined; // two of one Message-ID: nobody knows which is meant
}

async function loadMessage(db: Queryable, id: number): Promise<ReportedMessage | undefined> {
  const { rows } = await db.query<Omit<ReportedMessage, 'recipients'>>(
    `select id, organization_id as "organizationId", domain_id as "domainId", stream,
            created_at > now() - make_interval(days => $2) as "isRecent"
       from messages
      where id = $1`,
    [id, MAX_AGE_DAYS],
  );
  const [message] = rows;
  if (!message) return undefined;
  const { rows: recipients } = await db.query<{ address: string; mx: string | null }>(
    'select address, mx from recipients where message_id = $1 order by id',
    [id],
  );
  return { ...message, recipients };
}

/** The mta may have made it of the domain in U-labels. */
function digestsOf(address: string): string[] {
  const at = address.lastIndexOf('@') + 1;
  return [address, `${address.slice(0, at)}${domainToUnicode(address.slice(at))}`].map(digestRecipient);
}
