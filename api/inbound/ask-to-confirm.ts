/** Asks an address by mail whether mail may be forwarded to it. The mail leaves as the domain's own. */

import type { Queryable, Transaction } from '../database.ts';
import { composeMessage } from '../mail/compose.ts';
import { type DomainCredential, findNotificationCredential, refusalOf } from '../models/api-token.ts';
import { findAskable, requestConfirmation } from '../models/forward-address.ts';
import { acceptMessage, type NewMessage } from '../models/message.ts';

export interface Question {
  organizationId: number;
  /** By whose name the mail leaves */
  domain: string;
  /** Who is asked */
  to: string;
}

/**
 * Why it cannot be asked, for people; undefined: it can, or need not.
 * @param isAgain whether the same was asked before, and is asked for again
 */
export async function findAskProblem(
  db: Queryable,
  { organizationId, domain, to }: Question,
  isAgain: boolean,
): Promise<string | undefined> {
  const askable = await findAskable(db, organizationId, to);
  if (askable === 'confirmed') return undefined;
  if (askable === 'too_soon') return isAgain ? 'was asked less than ten minutes ago' : undefined;
  if (askable === 'too_many') return 'has to wait: there are 20 addresses that have not agreed yet';
  const credential = await findNotificationCredential(db, domain);
  const refusal = credential ? refusalOf(credential) : `${domain} has no token`;
  return refusal ? `has to agree, and cannot be asked: ${refusal}` : undefined;
}

/** Where that is needed. Inside the transaction of the route. @param route the address that is forwarded */
export async function askToConfirm(
  tx: Transaction,
  { organizationId, domain, to }: Question,
  route: string,
): Promise<void> {
  if ((await findAskable(tx, organizationId, to)) !== 'askable') return;
  const credential = await findNotificationCredential(tx, domain);
  const code = credential && (await requestConfirmation(tx, organizationId, to));
  if (!code) return;
  await acceptMessage(tx, await composeQuestion(credential, { to, route, code }));
}

async function composeQuestion(
  credential: DomainCredential,
  { to, route, code }: { to: string; route: string; code: string },
): Promise<NewMessage> {
  const { domain } = credential;
  const from = { name: '', address: `postmaster@${domain}` };
  const subject = `May mail for ${route} be forwarded to you?`;
  const composed = await composeMessage({
    from,
    to: [{ name: '', address: to }],
    subject,
    text: `Somebody who manages mail of ${domain} wants to forward mail for ${route} to this address.

If you agree, give them this code:

    ${code}

It is good for seven days. If you do not know what this is about, do nothing: nothing is forwarded to you.
`,
    ...{ cc: [], bcc: [], replyTo: [], headers: [], attachments: [], html: undefined },
    ...{ inReplyTo: undefined, references: [], listUnsubscribe: undefined },
  });
  return {
    credential,
    ...{ source: 'http', submissionId: null, envelopeFrom: from.address, subject },
    recipients: [{ address: to, kind: 'to' }],
    fromHeader: from.address,
    messageId: composed.messageId,
    content: composed.content,
    ...{ tags: ['forward-confirmation'], stream: 'transactional', metadata: {} },
    ...{ hasUnsubscribeLink: false, sendAt: null },
    acceptance: { source: 'forward_confirmation', route },
  };
}
