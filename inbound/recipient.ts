/** Whose mail an address gets: a return path says it itself, all others are asked for. */
import type { Settings } from '../config/schema.ts';
import { readForwardSender } from '../lib/forward-sender.ts';
import { normalizeAddress } from '../lib/mail/address.ts';
import { type ReturnPath, readReturnPath } from '../lib/return-path.ts';
import { findInboundRecipient, type InboundRecipient } from '../lib/rpc/contracts/recipients.ts';
import type { InboundContext } from './context.ts';
import type { HarakaAddress } from './haraka.ts';

export type Recipient = { address: string } & (
  | InboundRecipient
  | { kind: 'return_path'; returnPath: ReturnPath }
);

/** As the api is asked for it; undefined where it is no address of ours in any reading. */
export function recipientAddress(
  { address, host }: HarakaAddress,
  { hostname }: Settings,
): string | undefined {
  // RFC 5321 4.5.1: postmaster has no domain
  if (!host && address.toLowerCase() === 'postmaster') return `postmaster@${hostname.toLowerCase()}`;
  return normalizeAddress(address)?.toLowerCase();
}

/** `unavailable`: the api does not answer, and nothing is cached. */
export async function findRecipient(
  address: string,
  {
    settings,
    rpc,
    returnPathKey,
    forwardKey,
  }: Pick<InboundContext, 'settings' | 'rpc' | 'returnPathKey' | 'forwardKey'>,
  requestId: string,
): Promise<Recipient | 'unknown' | 'unavailable'> {
  if (address.endsWith(`@${settings.mta.returnPathDomain}`)) {
    const returnPath = readReturnPath(address, returnPathKey) ?? readForwarded(address, forwardKey);
    if (returnPath) return { address, kind: 'return_path', returnPath };
  }
  const result = await rpc.call(findInboundRecipient, { params: { address }, requestId });
  if (result.ok) return { address, ...result.value };
  return result.reason === 'unavailable' ? 'unavailable' : 'unknown';
}

function readForwarded(address: string, key: Buffer): ReturnPath | undefined {
  const messageId = readForwardSender(address, key);
  return messageId === undefined ? undefined : { messageId, recipientDigest: null };
}
