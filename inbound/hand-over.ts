/** Gives a message that came in to the api, by the kind of its recipients. All of it is committed when this is ok. */
import { hash } from 'node:crypto';
import type { RpcClient, RpcResult } from '../lib/rpc/client.ts';
import {
  createInboundMessage,
  type InboundAuthentication,
  type NewInboundMessage,
} from '../lib/rpc/contracts/inbound-messages.ts';
import { removeForgedResults } from './authenticate.ts';
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
export type HandOver = { ok: true } | { ok: false; reason: 'refused' | 'unavailable'; message: string };

export async function handOver(
  received: Received,
  { hostname, rpc }: { hostname: string; rpc: Pick<RpcClient, 'call'> },
): Promise<HandOver> {
  const to = received.recipients.flatMap(toMailbox);
  if (to.length === 0) return { ok: false, reason: 'unavailable', message: 'no recipient is a mailbox' };
  const { content, sender, client, authentication, spam, id } = received;
  const result = await rpc.call(createInboundMessage, {
    params: {},
    body: {
      digest: hash('sha256', content, 'hex'),
      message: removeForgedResults(content, hostname).toString('base64'),
      envelope: { from: sender, to },
      client: { ip: client.ip, helo: client.helo.slice(0, 500), host: hostOf(client.host) },
      authentication,
      spam,
      virus: null, // an infected message is refused before
    },
    requestId: id,
  });
  return result.ok ? { ok: true } : describe(result);
}

function toMailbox(recipient: Recipient): NewInboundMessage['envelope']['to'] {
  const { address } = recipient;
  if (recipient.kind === 'route') return [{ address, routeId: recipient.routeId }];
  if (recipient.kind !== 'system') return [];
  const { purpose } = recipient;
  return purpose === 'postmaster' || purpose === 'abuse' ? [{ address, purpose }] : [];
}

function describe(failure: Failure): HandOver {
  if (failure.reason === 'not_found') return { ok: false, reason: 'unavailable', message: 'not found' };
  return { ok: false, reason: failure.reason, message: failure.message };
}

function hostOf(host: string | null): string | null {
  return host === null || ['NXDOMAIN', 'DNSERROR', 'Unknown', ''].includes(host) ? null : host.slice(0, 253);
}
