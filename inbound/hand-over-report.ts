/** Gives what a bounce, a complaint or a report about a domain says to the api. Mail that is neither, as a vacation reply, changes nothing. */
import { hash } from 'node:crypto';
import type { Logger } from '../lib/log.ts';
import type { RpcClient } from '../lib/rpc/client.ts';
import { createBounceReport } from '../lib/rpc/contracts/bounce-reports.ts';
import { createComplaint } from '../lib/rpc/contracts/complaints.ts';
import { createDomainReport, type DomainReport } from '../lib/rpc/contracts/domain-reports.ts';
import { readBounce } from './bounce.ts';
import { readComplaint } from './complaint.ts';
import { describeFailure, type HandOver, type Received } from './received.ts';
import type { Recipient } from './recipient.ts';
import { readDomainReport } from './report.ts';

export async function handOverReport(
  { content, sender, authentication, id }: Received,
  recipient: Recipient,
  { returnPathKey, rpc, log }: { returnPathKey: Buffer; rpc: Pick<RpcClient, 'call'>; log: Logger },
): Promise<HandOver> {
  const returnPath = recipient.kind === 'return_path' ? recipient.returnPath : undefined;
  const envelope = { sender, returnPath };
  const call = { params: {}, requestId: id };
  const bounce = await readBounce(content, envelope, authentication);
  if (bounce) {
    const result = await rpc.call(createBounceReport, { ...call, body: bounce });
    return result.ok ? { ok: true } : describeFailure(result);
  }
  const complaint = await readComplaint(content, envelope, authentication, returnPathKey);
  if (complaint) {
    const result = await rpc.call(createComplaint, { ...call, body: complaint });
    return result.ok ? { ok: true } : describeFailure(result);
  }
  return ignore(id, content, log);
}

/** A report about a customer's domain, by the address that it came to */
export async function handOverDomainReport(
  { content, authentication, id }: Received,
  kind: DomainReport['kind'],
  { rpc, log }: { rpc: Pick<RpcClient, 'call'>; log: Logger },
): Promise<HandOver> {
  const report = await readDomainReport(content, kind, authentication);
  if (!report) return ignore(id, content, log);
  const result = await rpc.call(createDomainReport, { params: {}, body: report, requestId: id });
  return result.ok ? { ok: true } : describeFailure(result);
}

function ignore(id: string, content: Buffer, log: Logger): HandOver {
  log.info({ transaction: id, digest: hash('sha256', content, 'hex') }, 'report.none');
  return { ok: true };
}
