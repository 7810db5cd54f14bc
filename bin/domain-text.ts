/** Domains, their DNS records and keys, as the api shows them and as people read them. */
import Type, { type Static } from 'typebox';
import { nullable } from './nullable.ts';
import type { Domain } from './public-api.ts';
import { clean, formatTable } from './text.ts';

export const dnsRecordSchema = Type.Object({
  purpose: Type.String(),
  name: Type.String(),
  type: Type.String(),
  value: Type.String(),
  required: Type.Boolean(),
  status: Type.String(),
  problem: nullable(Type.String()),
  remedy: nullable(Type.String()),
});
export type DnsRecordView = Static<typeof dnsRecordSchema>;

export const dkimKeySchema = Type.Object({
  algorithm: Type.String(),
  dkim_selector: Type.String(),
  dkim_string: Type.String(),
  state: Type.String(),
});
export type DkimKeyView = Static<typeof dkimKeySchema>;

export const verificationSchema = Type.Object({
  dkim_verified: Type.Boolean(),
  advance_verified: Type.Boolean(),
  errors: Type.Record(Type.String(), Type.String()),
});

export function formatDomains(domains: Domain[]): string {
  return formatTable(
    ['id', 'domain', 'sends', 'return path', 'selector'],
    domains.map(({ id, url, dkim_verified, advanced_verified, dkim_selector }) => [
      String(id),
      url,
      dkim_verified ? 'yes' : 'not verified',
      advanced_verified ? 'verified' : 'not verified',
      dkim_selector,
    ]),
  );
}

/** What is there, and below it what is to be done. */
export function formatRecords(records: DnsRecordView[]): string {
  const table = formatTable(
    ['record', 'type', 'name', 'state', 'needed'],
    records.map(({ purpose, type, name, status, required }) => [
      purpose,
      type,
      name,
      status,
      required ? 'to send' : 'no',
    ]),
  );
  const remedies = records.flatMap(({ problem, remedy }) =>
    problem ? [`\n${clean(problem)}.${remedy ? `\n  ${clean(remedy)}` : ''}`] : [],
  );
  return [table, ...remedies].join('\n');
}

/** As it stands in a zone file. */
export function formatRecord({ name, type, value }: { name: string; type: string; value: string }): string {
  return `${name}. IN ${type} ${type === 'TXT' ? quote(value) : value}`;
}

/** A string of a TXT record holds 255 bytes (RFC 1035 3.3): longer values are several strings. */
function quote(value: string): string {
  return (value.match(/.{1,255}/g) ?? []).map((part) => `"${part}"`).join(' ');
}
