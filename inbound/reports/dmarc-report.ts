/** DMARC aggregate reports (RFC 7489 appendix C): XML without a schema that everybody keeps to. */
import { isIP } from 'node:net';
import { XMLParser } from 'fast-xml-parser';
import Type from 'typebox';
import Value from 'typebox/value';
import { normalizeDomain } from '../../lib/mail/address.ts';
import type { ReadReport, ReportRow } from '../../lib/rpc/contracts/domain-reports.ts';

export const MAX_ROWS = 10_000;
/** A row has about twenty. To parse more takes seconds, in which nobody else's mail is read. */
const MAX_TAGS = 250_000;
const MAX_WORD = 200;

const text = Type.String();
const recordSchema = Type.Object({
  row: Type.Object({
    source_ip: text,
    count: text,
    policy_evaluated: Type.Object({
      disposition: Type.Optional(text),
      dkim: Type.Optional(text),
      spf: Type.Optional(text),
    }),
  }),
});
const reportSchema = Type.Object({
  feedback: Type.Object({
    report_metadata: Type.Object({
      org_name: Type.Optional(text),
      report_id: text,
      date_range: Type.Object({ begin: text, end: text }),
    }),
    policy_published: Type.Object({ domain: text }),
    record: Type.Optional(Type.Array(recordSchema)),
  }),
});

/**
 * No entities of its own: a document type is refused before anything is parsed, and with it all expansion and every
 * reference to somewhere else.
 */
const parser = new XMLParser({
  ignoreAttributes: true,
  parseTagValue: false,
  processEntities: false,
  removeNSPrefix: true,
  maxNestedTags: 20,
  isArray: (name) => name === 'record',
});

/** @returns a reason where it is none that can be read */
export function readDmarcReport(xml: string): ReadReport | string {
  if (/<!(?:doctype|entity)/i.test(xml)) return 'document_type';
  if (xml.split('<', MAX_TAGS + 1).length > MAX_TAGS) return 'too_many_rows';
  const tree = parse(xml);
  if (!Value.Check(reportSchema, tree)) return 'not_a_report';
  const { report_metadata: metadata, policy_published: policy, record = [] } = tree.feedback;
  if (record.length > MAX_ROWS) return 'too_many_rows';
  const domain = normalizeDomain(policy.domain.trim());
  const beganAt = toMoment(metadata.date_range.begin);
  const endedAt = toMoment(metadata.date_range.end);
  if (!domain || !beganAt || !endedAt) return 'not_a_report';
  const rows = record.map(toRow);
  if (!rows.every((row) => row !== undefined)) return 'not_a_report';
  return {
    state: 'read',
    domain,
    reporter: cut(decode(metadata.org_name ?? '')),
    reportId: cut(metadata.report_id),
    beganAt,
    endedAt,
    rows,
  };
}

function parse(xml: string): unknown {
  try {
    return parser.parse(xml);
  } catch {
    return undefined; // of what is no XML nobody needs to know why
  }
}

/** It passes where one of both is aligned and passes (RFC 7489 4.2). */
function toRow({ row }: Type.Static<typeof recordSchema>): ReportRow | undefined {
  const source = row.source_ip.trim();
  const messages = Number(row.count);
  if (isIP(source) === 0 || !Number.isSafeInteger(messages) || messages < 0 || messages > 1e12)
    return undefined;
  const { disposition = 'none', dkim = 'fail', spf = 'fail' } = row.policy_evaluated;
  const result = cut(`${disposition} dkim=${dkim} spf=${spf}`.toLowerCase());
  return { source, result, isPassed: dkim === 'pass' || spf === 'pass', messages };
}

/** @param seconds since the epoch */
function toMoment(seconds: string): string | undefined {
  const value = Number(seconds);
  return value > 0 && value < 1e11 ? new Date(value * 1000).toISOString() : undefined;
}

/** XML 1.0 4.6 */
const ENTITIES: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" };

function decode(value: string): string {
  return value.replaceAll(/&(amp|lt|gt|quot|apos);/g, (_all, name: string) => ENTITIES[name] ?? '');
}

function cut(value: string): string {
  return value.trim().slice(0, MAX_WORD).toWellFormed();
}
