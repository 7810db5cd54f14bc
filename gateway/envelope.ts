/** Whether MAIL and RCPT are taken. Each answers the reply that refuses, or undefined. */
import type { SMTPServerAddress, SMTPServerSession } from 'smtp-server';
import { domainOf, normalizeAddress } from '../lib/mail/address.ts';
import { lookUpCredential } from './authentication.ts';
import { type GatewayContext, stateOf } from './context.ts';
import { type Reply, replies, withText } from './replies.ts';

/** SIZE: RFC 1870, BODY: RFC 6152, SMTPUTF8: RFC 6531, AUTH: RFC 4954 5 (read and not used) */
const MAIL_PARAMETERS = new Set(['SIZE', 'BODY', 'SMTPUTF8', 'AUTH']);

/** MAIL: the token still holds (AU-8), the sender is of its domain or null, and there is room for the message. */
export async function judgeSender(
  { address, args }: SMTPServerAddress,
  session: SMTPServerSession,
  context: GatewayContext,
): Promise<Reply | undefined> {
  if (Object.keys(args).some((name) => !MAIL_PARAMETERS.has(name))) return replies.parameterUnknown;
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
  state.credential = credential;
  return undefined;
}

/** RCPT: an address that can be delivered to (AD-1, AD-2), without parameters. */
export function judgeRecipient(
  { address, args }: SMTPServerAddress,
  session: SMTPServerSession,
): Reply | undefined {
  if (Object.keys(args).length > 0) return replies.parameterUnknown;
  return judgeAddress(address, session, replies.recipientInvalid);
}

function judgeAddress(address: string, session: SMTPServerSession, invalid: Reply): Reply | undefined {
  if (normalizeAddress(address) === undefined) return invalid;
  // smtp-server has turned A-labels into letters by now, so only the local part tells. RFC 6531 3.4
  const local = address.slice(0, address.lastIndexOf('@'));
  return /[^\0-\x7f]/.test(local) && !session.envelope.smtpUtf8 ? replies.utf8NotAnnounced : undefined;
}
