/**
 * RCPT: whose mail it is, asked of the api (with its cache), or said by the token of a return path. Nobody's is refused
 * here, never accepted and bounced later (AD-5). No answer from the api and nothing cached: 451.
 *
 * All recipients of one transaction have one policy, since its one message gets one reply: others get 452 4.5.3, and
 * are sent again in a transaction of their own.
 */

import type { Reply } from '../../../lib/mail/reply.ts';
import { inboundContext } from '../../context.ts';
import { acceptRecipient, envelopeOf } from '../../envelope.ts';
import { guard } from '../../guard.ts';
import type { HarakaAddress, HarakaPlugin } from '../../haraka.ts';
import { findRecipient, recipientAddress } from '../../recipient.ts';
import { replies } from '../../replies.ts';

/** Behind the limit, as many again are answered; then the session ends (AD-12). */
const OVERSHOOT = 2;

export function register(this: HarakaPlugin): void {
  this.register_hook('rcpt', 'checkRecipient');
}

export const checkRecipient = guard<readonly [HarakaAddress]>(
  'recipients.checkRecipient',
  async ({ transaction, uuid }, [given]) => {
    const context = inboundContext();
    const { settings, metrics } = context;
    if (!transaction) return replies.internalError;
    const envelope = envelopeOf(transaction);
    envelope.named += 1;
    const maxRecipients = settings.limits.maxEnvelopeRecipients;
    if (envelope.named > maxRecipients * OVERSHOOT) return replies.flooded;
    if (envelope.recipients.length >= maxRecipients) return replies.tooManyRecipients;

    const address = recipientAddress(given, settings);
    const found = address === undefined ? 'invalid' : await findRecipient(address, context, uuid);
    const reply = typeof found === 'string' ? refusals[found] : acceptRecipient(envelope, found);
    metrics.recipients.inc({ outcome: reply ? outcomeOf(reply) : 'accepted' });
    return reply ?? 'ok';
  },
);

const refusals = {
  invalid: replies.recipientInvalid,
  unknown: replies.recipientUnknown,
  unavailable: replies.recipientUndecided,
} as const;

function outcomeOf({ code }: Reply): string {
  if (code === replies.recipientUnknown.code) return 'unknown';
  return code < 500 ? 'deferred' : 'refused';
}
