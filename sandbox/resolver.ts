/** The zone for callers in this process, with the errors of node:dns. */
import type { Zone, ZoneRecord } from './zone.ts';

/** As mailauth wants it: TXT records as lists of strings, other records as strings. */
export type Resolve = (name: string, type: string) => Promise<string[][] | string[]>;

export function createResolver(zone: Zone): Resolve {
  return async (name, type) => {
    const answer = await zone.answer(name, type);
    if (answer.status === 'not_found') throw lookupError('ENOTFOUND', name, type);
    if (answer.status === 'failed') throw lookupError('ESERVFAIL', name, type);
    if (answer.status === 'silent') throw lookupError('ETIMEOUT', name, type);
    if (answer.records.length === 0) throw lookupError('ENODATA', name, type);
    if (type === 'TXT') return answer.records.map((record) => [textOf(record)]);
    return answer.records.map(textOf);
  };
}

function textOf(record: ZoneRecord): string {
  switch (record.type) {
    case 'A':
    case 'AAAA':
      return record.address;
    case 'MX':
      return record.exchange;
    case 'TXT':
      return record.text;
    case 'CNAME':
    case 'PTR':
      return record.domain;
    case 'TLSA':
      return record.data.toString('hex');
  }
}

function lookupError(code: string, name: string, type: string): Error {
  return Object.assign(new Error(`query${type} ${code} ${name}`), { code });
}
