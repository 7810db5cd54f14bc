/** What came of TLS in the sessions of a day, counted by the mta and reported by the api (RFC 8460). */
import Type, { type Static } from 'typebox';
import Value from 'typebox/value';
import type { StsPolicy } from './sts-policy.ts';

/** RFC 8460 4.3 */
export const resultTypes = [
  'success',
  'starttls-not-supported',
  'certificate-host-mismatch',
  'certificate-expired',
  'certificate-not-trusted',
  'validation-failure',
  'dnssec-invalid',
  'sts-policy-fetch-error',
  'sts-policy-invalid',
  'sts-webpki-invalid',
] as const;
export type ResultType = (typeof resultTypes)[number];

const resultSchema = Type.Object({
  /** Of the recipients */
  domain: Type.String(),
  policyType: Type.Enum(['sts', 'tlsa', 'no-policy-found']),
  /** The lines of a policy of MTA-STS */
  policy: Type.Array(Type.String()),
  mxPatterns: Type.Array(Type.String()),
  resultType: Type.Enum(resultTypes),
  mx: Type.String(),
  sendingIp: Type.String(),
});
export type TlsResult = Static<typeof resultSchema>;

/** @param day as 2026-01-31, UTC */
export function resultsKey(day: string): string {
  return `postern:tls:results:${day}`;
}

export function dayOf(time: Date): string {
  return time.toISOString().slice(0, 10);
}

export function encodeResult(result: TlsResult): string {
  return JSON.stringify(result);
}

/** Undefined: what stands in Redis is none. */
export function decodeResult(text: string): TlsResult | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return Value.Check(resultSchema, value) ? value : undefined;
  } catch {
    return undefined;
  }
}

export function formatPolicy({ mode, mx, maxAgeSeconds }: StsPolicy): string[] {
  return ['version: STSv1', `mode: ${mode}`, ...mx.map((host) => `mx: ${host}`), `max_age: ${maxAgeSeconds}`];
}

/**
 * Where the TXT records at `_smtp._tls.<domain>` want reports: `mailto:` and `https:` URLs. Empty: nowhere; several
 * records are none (RFC 8460 3).
 */
export function readReportAddresses(records: readonly string[]): string[] {
  const [record, ...others] = records.filter((text) => /^v=TLSRPTv1\s*;/.test(text));
  if (record === undefined || others.length > 0) return [];
  const rua = /;\s*rua\s*=\s*([^;]+)/.exec(record)?.[1] ?? '';
  const urls = rua.split(',').map((url) => url.trim());
  return urls.filter((url) => /^(mailto:[^@\s,]+@[^@\s,?]+|https:\/\/[^\s]+)$/i.test(url));
}
