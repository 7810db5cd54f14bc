/**
 * SPF (RFC 7208), DKIM (RFC 6376), DMARC (RFC 7489) and ARC (RFC 8617) of a message that came in, by mailauth, and the
 * removal of results that somebody else gives in our name (RFC 8601 5).
 */
import { type AuthenticateResult, authenticate } from 'mailauth';
import { findAuthor } from '../lib/mail/author.ts';
import { type HeaderField, splitMessage } from '../lib/mail/header-block.ts';
import type { InboundAuthentication } from '../lib/rpc/contracts/inbound-messages.ts';
import type { Resolve } from './resolver.ts';

/** RFC 6376 8.4: a message with thirty would cost as many look-ups. */
const MAX_SIGNATURES = 10;

export interface Arrival {
  client: { ip: string; helo: string };
  sender: string;
  message: Buffer;
}

export async function verifyMessage(
  { client, sender, message }: Arrival,
  { resolve, hostname }: { resolve: Resolve; hostname: string },
): Promise<InboundAuthentication> {
  const { fields, rest } = splitMessage(message);
  const result = await authenticate(limitSignatures(message, fields, rest), {
    ip: client.ip,
    helo: client.helo,
    sender,
    mta: hostname,
    resolver: resolve,
    strict: true, // lenient, it passes signatures that RFC 6376 calls invalid: i= of somebody else, a tag twice
    disableBimi: true,
  });
  return describe(result, fields);
}

/** The message without Authentication-Results fields in our name; all other bytes stay. */
export function removeForgedResults(message: Buffer, hostname: string): Buffer {
  const { fields, rest } = splitMessage(message);
  const kept = fields.filter(
    ({ name, value }) => name !== 'authentication-results' || !claimsToBeFrom(value, hostname),
  );
  return kept.length === fields.length ? message : Buffer.concat([...kept.map(({ raw }) => raw), rest]);
}

/**
 * RFC 8601 2.2: the name may be quoted, with comments around it and a version behind. Comments nest, so nothing is
 * parsed: a value that has our name before its first semicolon says that it is ours.
 */
function claimsToBeFrom(value: string, hostname: string): boolean {
  const [identity = ''] = value.split(';', 1);
  const plain = identity.replaceAll(/\\(.)/g, '$1').toLowerCase();
  // A comment may have a semicolon of its own.
  return (
    plain.includes(hostname.toLowerCase()) || (plain.includes('(') && value.toLowerCase().includes(hostname))
  );
}

function limitSignatures(message: Buffer, fields: readonly HeaderField[], rest: Buffer): Buffer {
  let signatures = 0;
  const kept = fields.filter(({ name }) => {
    if (name !== 'dkim-signature') return true;
    signatures += 1;
    return signatures <= MAX_SIGNATURES;
  });
  return signatures <= MAX_SIGNATURES ? message : Buffer.concat([...kept.map(({ raw }) => raw), rest]);
}

function describe(
  { spf, dkim, dmarc, arc }: AuthenticateResult,
  fields: readonly HeaderField[],
): InboundAuthentication {
  return {
    spf: { result: spf ? word(spf.status.result) : 'none', domain: (spf ? spf.domain : '') || null },
    dkim: dkim.results
      .filter(({ signingDomain }) => signingDomain)
      .map(({ status, signingDomain, selector }) => ({
        result: status.underSized ? 'policy' : word(status.result),
        domain: signingDomain ?? null,
        selector: selector?.slice(0, 253) || null,
      })),
    dmarc: describeDmarc(dmarc, fields),
    arc: { result: arc ? word(arc.status.result) : 'none' },
  };
}

/** A header that names several authors, or none, passes for nobody (HD-5). */
function describeDmarc(
  dmarc: AuthenticateResult['dmarc'],
  fields: readonly HeaderField[],
): InboundAuthentication['dmarc'] {
  const author = findAuthor(fields);
  const isAmbiguous = !author.ok && author.reason !== 'invalid_sender';
  if (!dmarc) return { result: isAmbiguous ? 'permerror' : 'none', domain: null, policy: null };
  const result = isHalfSigned(dmarc) ? 'fail' : word(dmarc.status.result);
  return {
    result: isAmbiguous && result === 'pass' ? 'permerror' : result,
    domain: dmarc.domain || null,
    policy: dmarc.policy || null,
  };
}

/** RFC 6376 8.2: what stands behind the end of a signature's l= is anybody's. It would pass for the signer otherwise. */
function isHalfSigned({ alignment }: Exclude<AuthenticateResult['dmarc'], false>): boolean {
  return Boolean(alignment?.dkim?.underSized) && !alignment.spf?.result; // none without a record
}

function word(result: string): string {
  return /^[a-z]{1,20}$/.test(result) ? result : 'permerror';
}
