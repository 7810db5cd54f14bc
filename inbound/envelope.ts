/** What we know of a transaction beside Haraka: its recipients, and the verdict on its message. */

import type { Reply } from '../lib/mail/reply.ts';
import type { InboundAuthentication } from '../lib/rpc/contracts/inbound-messages.ts';
import type { Transaction } from './haraka.ts';
import type { Recipient } from './recipient.ts';
import { replies } from './replies.ts';

export interface Envelope {
  /** RCPTs, refused ones with them */
  named: number;
  recipients: Recipient[];
  /** Set at the end of DATA */
  authentication?: InboundAuthentication;
  /** When the dot came, by performance.now() */
  endedAt?: number;
}

const envelopes = new WeakMap<Transaction, Envelope>();

export function envelopeOf(transaction: Transaction): Envelope {
  const existing = envelopes.get(transaction);
  if (existing) return existing;
  const envelope: Envelope = { named: 0, recipients: [] };
  envelopes.set(transaction, envelope);
  return envelope;
}

/** The same address twice is one recipient. @returns why it cannot be one of this transaction */
export function acceptRecipient(envelope: Envelope, recipient: Recipient): Reply | undefined {
  const [first] = envelope.recipients;
  if (first && policyOf(first) !== policyOf(recipient)) return replies.otherPolicy;
  const isKnown = envelope.recipients.some(({ address }) => address === recipient.address);
  if (!isKnown) envelope.recipients.push(recipient);
  return undefined;
}

function policyOf(recipient: Recipient): string {
  if (recipient.kind === 'route') return `${recipient.dmarc} ${recipient.spamRefuseScore}`;
  return recipient.kind === 'system' ? recipient.purpose : recipient.kind;
}
