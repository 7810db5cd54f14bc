/** Whether MAIL and RCPT are taken. Each answers the reply that refuses, or undefined. */
import type { SMTPServerAddress, SMTPServerSession } from 'smtp-server';
import { domainOf, normalizeAddress } from '../lib/mail/address.ts';
import { type Reply, withText } from '../lib/mail/reply.ts';
import { lookUpCredential } from './authentication.ts';
import { type GatewayContext, stateOf } from './context.ts';
import { replies } from './replies.ts';

/** MAIL: the token still holds (AU-8), the sender is of its domain or null, and there is room for more. */
export async function judgeSender(
  { address, args }: SMTPServerAddress,
  session: SMTPServerSession,
  context: GatewayContext,
): Promise<Reply | undefined> {
  const invalid = judgeAddress(address, session, replies.senderInvalid);
  if (invalid && address !== '') return invalid;
  const declaredBytes = args ? Number(args.SIZE ?? 0) : 0;
  if (!context.budget.hasRoomFor(Math.max(declaredBytes, 1))) return replies.memoryFull;

  const state = stateOf(session);
  if (state.tokenDigest === undefined) return replies.authenticationRequired;
  const lookup = await lookUpCredential(state.tokenDigest, session, context);
  if (!lookup.ok) return lookup.reason === 'unknown' ? replies.credentialRevoked : replies.notTakenOver;
  const { credential } = lookup;
  if (credential.refusal !== null) return withText(replies.sendingRefused, credential.refusal);
  if (address !== '' && domainOf(normalizeAddress(address) ?? '') !== credential.domain) {
    return replies.senderNotAllowed;
  }
  if (context.pauses.isPaused(credential.tokenId)) return replies.tooFast;
  state.credential = credential;
  return undefined;
}

/** RCPT: an address that can be delivered to (AD-1, AD-2). */
export function judgeRecipient(
  { address }: SMTPServerAddress,
  session: SMTPServerSession,
): Reply | undefined {
  return judgeAddress(address, session, replies.recipientInvalid);
}

function judgeAddress(address: string, session: SMTPServerSession, invalid: Reply): Reply | undefined {
  if (normalizeAddress(address) === undefined) return invalid;
  // RFC 6531 3.4; a domain in A-labels is ASCII (CM-14)
  const isAscii = /^[\0-\x7f]*$/.test(address);
  return isAscii || session.envelope.smtpUtf8 ? undefined : replies.utf8NotAnnounced;
}
