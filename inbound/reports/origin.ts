/** Which message a report is about, and who vouches for it: what bounces and complaints have in common. */
import { createHash } from 'node:crypto';
import { normalizeDomain } from '../../lib/mail/address.ts';
import { type ReturnPath, readReturnPathToken } from '../../lib/return-path.ts';
import type { ReportOrigin } from '../../lib/rpc/contracts/mail-report.ts';

/** Of the SMTP transaction that the mail came in */
export interface ReportEnvelope {
  /** Empty: the null reverse-path */
  sender: string;
  /** What the recipient's address says, already checked; undefined: it was no return path. */
  returnPath: ReturnPath | undefined;
}

/** The part of the checks that counts here */
export interface ReportAuthentication {
  spf: { result: string; domain: string | null };
  dkim: readonly { result: string; domain: string | null }[];
}

/** Beyond it nothing is looked for. */
const MAX_SEARCHED = 1_048_576;
const MAX_TOKENS = 20;
const MAX_DOMAINS = 20;
/** In an address, or in the Feedback-ID that plugins/feedback-id adds. */
const TOKEN = /(?:\bbounces\+|^feedback-id:\s{0,4})([a-z2-7]{31})[@:]/gim;
const MESSAGE_ID = /^message-id:\s*(<[^<>\s]{1,990}>)/im;
const AUTHOR = /^from:[^\n]{0,900}@([a-z0-9.-]{1,253})/im;

export function describeOrigin(
  raw: Buffer,
  returnPath: ReturnPath | undefined,
  authentication: ReportAuthentication,
): ReportOrigin {
  return {
    digest: createHash('sha256').update(raw).digest('hex'),
    receivedAt: new Date().toISOString(),
    returnPath: returnPath ?? null,
    original: returnPath ? null : findOriginal(textOf(raw)),
    authenticatedDomains: listAuthenticated(authentication),
  };
}

/** The first signed token that stands anywhere in it: in a Return-Path, Original-Mail-From (RFC 5965 3.2), Feedback-ID. */
export function findReturnPath(raw: Buffer, key: Buffer): ReturnPath | undefined {
  for (const [, token = ''] of [...textOf(raw).matchAll(TOKEN)].slice(0, MAX_TOKENS)) {
    const returnPath = readReturnPathToken(token, key);
    if (returnPath) return returnPath;
  }
  return undefined;
}

/** Those that SPF or DKIM passed for */
export function listAuthenticated({ spf, dkim }: ReportAuthentication): string[] {
  const domains = [spf, ...dkim].flatMap(({ result, domain }) =>
    result === 'pass' && domain ? [domain.toLowerCase()] : [],
  );
  return [...new Set(domains)].slice(0, MAX_DOMAINS);
}

/** The header of the quoted message: the first lines behind the report's own header with an id and an author. */
function findOriginal(text: string): ReportOrigin['original'] {
  const [, ...blocks] = text.split(/\n[ \t]*\n/);
  for (const block of blocks) {
    const messageId = MESSAGE_ID.exec(block)?.[1];
    const domain = normalizeDomain(AUTHOR.exec(block)?.[1] ?? '');
    if (messageId !== undefined && domain !== undefined) return { messageId, domain };
  }
  return null;
}

function textOf(raw: Buffer): string {
  return raw.subarray(0, MAX_SEARCHED).toString('latin1').replaceAll(/\r\n?/g, '\n');
}
