/**
 * Tells the sender of a message that the target of its route did not take it: by a mail with the null reverse-path, and
 * only where the sender's domain was proved by SPF or DKIM, for else it goes to somebody who has sent nothing (AD-6, AD-7).
 * The job is committed with the end of the last attempt; when it runs twice, the mail's submission id keeps it one.
 */
import type { Settings } from '../../config/schema.ts';
import type { Logger } from '../../lib/log.ts';
import { domainOf, normalizeAddress } from '../../lib/mail/address.ts';
import { splitMessage } from '../../lib/mail/header-block.ts';
import type { InboundAuthentication } from '../../lib/rpc/contracts/inbound-messages.ts';
import { inTransaction, type Store } from '../database.ts';
import { composeReport } from '../mail/delivery-report.ts';
import { type DomainCredential, findNotificationCredential, refusalOf } from '../models/api-token.ts';
import {
  findInboundContent,
  findInboundForEndpoint,
  type InboundMessage,
} from '../models/inbound-message.ts';
import type { InboundRoute } from '../models/inbound-route.ts';
import { acceptMessage, type NewMessage } from '../models/message.ts';

export interface BounceContext {
  store: Store;
  settings: Pick<Settings, 'hostname'>;
  log: Pick<Logger, 'info'>;
}

export async function bounceInbound(
  { store, settings, log }: BounceContext,
  inboundMessageId: number,
): Promise<void> {
  const message = await findInboundForEndpoint(store.pool, inboundMessageId);
  if (!message) return; // purged meanwhile
  const reason = await bounce(store, settings.hostname, message);
  log.info(
    { inboundMessageId, ...(reason && { reason }) },
    reason ? 'inbound.not_bounced' : 'inbound.bounced',
  );
}

/** Whether the domain of the envelope sender has sent it. */
export function isSenderProved(envelopeFrom: string, { spf, dkim }: InboundAuthentication): boolean {
  const domain = domainOf(envelopeFrom).toLowerCase();
  if (domain === '') return false;
  if (spf.result === 'pass' && domainOf(`@${spf.domain}`).toLowerCase() === domain) return true;
  return dkim.some((one) => one.result === 'pass' && one.domain?.toLowerCase() === domain);
}

type Failed = InboundMessage & Pick<InboundRoute, 'target'>;

/** @returns why nobody was told */
async function bounce(store: Store, hostname: string, message: Failed): Promise<string | undefined> {
  const to = normalizeAddress(message.envelopeFrom);
  if (to === undefined) return 'it has no sender to tell';
  if (!isSenderProved(to, message.authentication)) return 'its sender is not proved';
  const credential = await findNotificationCredential(store.pool, message.domain);
  const refusal = credential ? refusalOf(credential) : 'the domain has no token';
  if (!credential || refusal) return refusal ?? undefined;
  const content = await findInboundContent(store.pool, message.id);
  const report = await compose(message, { to, hostname, content, credential });
  await inTransaction(store, (tx) => acceptMessage(tx, report));
  return undefined;
}

const refusers = {
  http: 'The application that reads mail for this address did not accept it',
  smtp: 'The server that mail for this address is passed on to did not accept it',
  forward: 'The address that mail for this one is forwarded to did not accept it',
  store: 'It could not be delivered',
} as const;

async function compose(
  message: Failed,
  {
    to,
    hostname,
    content,
    credential,
  }: { to: string; hostname: string; content: Buffer | undefined; credential: DomainCredential },
): Promise<NewMessage> {
  const { domain, recipient, createdAt } = message;
  const now = new Date();
  const composed = await composeReport({
    ...{ kind: 'failed', to, domain, reportingMta: hostname, messageId: message.messageId ?? '' },
    ...{ acceptedAt: createdAt, expiresAt: now },
    recipients: [
      {
        ...{
          address: recipient,
          state: 'expired',
          code: null,
          enhancedCode: null,
          mx: null,
          lastAttemptAt: now,
        },
        // What the endpoint answered is its owner's business.
        response: refusers[message.target],
      },
    ],
    header: content?.subarray(0, content.length - splitMessage(content).rest.length),
  });
  return {
    credential,
    source: 'smtp',
    submissionId: `inbound-bounce-${message.id}`,
    envelopeFrom: '',
    recipients: [{ address: to, kind: 'to' }],
    fromHeader: `Mail Delivery System <mailer-daemon@${domain}>`,
    subject: null,
    messageId: composed.messageId,
    tags: ['delivery-report'],
    stream: 'transactional',
    metadata: {},
    hasUnsubscribeLink: false,
    sendAt: null,
    content: composed.content,
    acceptance: { source: 'report', inbound_message_id: message.id },
  };
}
