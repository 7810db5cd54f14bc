/** Gives a message that came in to the api, by the kind of its recipients. All of it is committed when this is ok. */
import { hash } from 'node:crypto';
import type { Logger } from '../lib/log.ts';
import type { RpcClient } from '../lib/rpc/client.ts';
import { createInboundMessage, type NewInboundMessage } from '../lib/rpc/contracts/inbound-messages.ts';
import { removeForgedResults } from './authenticate.ts';
import { handOverDomainReport, handOverReport } from './hand-over-report.ts';
import { describeFailure, type HandOver, type Received } from './received.ts';
import type { Recipient } from './recipient.ts';

export async function handOver(
  received: Received,
  means: { hostname: string; returnPathKey: Buffer; rpc: Pick<RpcClient, 'call'>; log: Logger },
): Promise<HandOver> {
  const to = received.recipients.flatMap(toMailbox);
  if (to.length > 0) return handOverMessage(received, to, means); // those of reports are in transactions of their own
  for (const recipient of received.recipients) {
    const result = await handOverOne(received, recipient, means);
    if (!result.ok) return result; // what was handed over is the same report when it comes again
  }
  return { ok: true };
}

function handOverOne(
  received: Received,
  recipient: Recipient,
  means: { returnPathKey: Buffer; rpc: Pick<RpcClient, 'call'>; log: Logger },
): Promise<HandOver> {
  const purpose = recipient.kind === 'system' ? recipient.purpose : undefined;
  if (purpose === 'dmarc_report') return handOverDomainReport(received, 'dmarc', means);
  if (purpose === 'tls_report') return handOverDomainReport(received, 'tls', means);
  return handOverReport(received, recipient, means);
}

async function handOverMessage(
  received: Received,
  to: NewInboundMessage['envelope']['to'],
  { hostname, rpc }: { hostname: string; rpc: Pick<RpcClient, 'call'> },
): Promise<HandOver> {
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
  if (!result.ok) return describeFailure(result);
  const { unknown } = result.value;
  if (unknown.length === 0) return { ok: true };
  // Sent again, it is the same for those who have it, and RCPT refuses the others: their sender hears of it.
  return { ok: false, reason: 'unavailable', message: `the routes of ${unknown.join(', ')} are gone` };
}

function toMailbox(recipient: Recipient): NewInboundMessage['envelope']['to'] {
  const { address } = recipient;
  if (recipient.kind === 'route') return [{ address, routeId: recipient.routeId }];
  if (recipient.kind !== 'system') return [];
  const { purpose } = recipient;
  return purpose === 'postmaster' || purpose === 'abuse' ? [{ address, purpose }] : [];
}

function hostOf(host: string | null): string | null {
  return host === null || ['NXDOMAIN', 'DNSERROR', 'Unknown', ''].includes(host) ? null : host.slice(0, 253);
}
