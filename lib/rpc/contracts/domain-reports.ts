import Type, { type Static } from 'typebox';
import { defineContract } from './contract.ts';

const word = Type.String({ maxLength: 200 });
const moment = Type.String({ format: 'date-time' });

/** What came from, or went to, one source with one result. */
export const reportRowSchema = Type.Object({
  /** DMARC: the address that the mail came from. TLS: the server that took it, or the kind of policy. */
  source: word,
  /** DMARC: `none dkim=pass spf=fail`, the first word being what was done with it. TLS: `success`, or the failure. */
  result: word,
  isPassed: Type.Boolean(),
  messages: Type.Integer({ minimum: 0, maximum: 1_000_000_000_000 }),
});
export type ReportRow = Static<typeof reportRowSchema>;

export const reportKinds = ['dmarc', 'tls'] as const;

export const domainReportSchema = Type.Object({
  /** SHA-256 of the mail */
  digest: Type.String({ pattern: '^[0-9a-f]{64}$' }),
  receivedAt: moment,
  /** Those that SPF or DKIM passed for; shown, not judged */
  authenticatedDomains: Type.Array(Type.String({ maxLength: 253 }), { maxItems: 20 }),
  kind: Type.Enum(reportKinds),
  content: Type.Union([
    Type.Object({
      state: Type.Literal('read'),
      domain: Type.String({ minLength: 1, maxLength: 253 }),
      /** Who reports, and its own name of the report: the same two are the same report. */
      reporter: word,
      reportId: word,
      beganAt: moment,
      endedAt: moment,
      rows: Type.Array(reportRowSchema, { maxItems: 10_000 }),
    }),
    /** It was no report that can be read within limits (MB-12). */
    Type.Object({ state: Type.Literal('rejected'), reason: word }),
  ]),
});
export type DomainReport = Static<typeof domainReportSchema>;
export type ReadReport = Extract<DomainReport['content'], { state: 'read' }>;

/** Keeps a DMARC or TLS report about a domain of ours. Answered after the commit. */
export const createDomainReport = defineContract({
  name: 'createDomainReport',
  method: 'POST',
  path: '/rpc/v1/domain_reports',
  params: Type.Object({}),
  body: domainReportSchema,
  reply: Type.Object({ outcome: Type.Enum(['recorded', 'repeated', 'rejected', 'unknown_domain']) }),
  isIdempotent: true,
});
