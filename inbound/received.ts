/** A message that has come in whole, and what may become of it at the api. */
import type { RpcResult } from '../lib/rpc/client.ts';
import type { InboundAuthentication, NewInboundMessage } from '../lib/rpc/contracts/inbound-messages.ts';
import type { Recipient } from './recipient.ts';

export interface Received {
  /** As the client sent it */
  content: Buffer;
  recipients: readonly Recipient[];
  authentication: InboundAuthentication;
  spam: NewInboundMessage['spam'];
  sender: string;
  /** `host`: the name of the address in the DNS, or a word of Haraka's where it has none */
  client: { ip: string; helo: string; host: string | null };
  /** Of the transaction, for the logs of both sides */
  id: string;
}

type Failure = Exclude<RpcResult<never>, { ok: true }>;
export type HandOver =
  | { ok: true }
  /** `code`: the contract's word for a refusal */
  | { ok: false; reason: 'refused'; code: string; message: string }
  | { ok: false; reason: 'unavailable'; message: string };

export function describeFailure(failure: Failure): HandOver {
  if (failure.reason === 'not_found') return { ok: false, reason: 'unavailable', message: 'not found' };
  const { message } = failure;
  if (failure.reason === 'refused') return { ok: false, reason: 'refused', code: failure.code, message };
  return { ok: false, reason: 'unavailable', message };
}
