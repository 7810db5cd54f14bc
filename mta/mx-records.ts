/** The DNS as deliveries ask it, and how its errors read in an event. */
import type { Resolver } from 'node:dns/promises';

/** Of the hosts of a domain, so many are looked up (OB-2): the best of them. */
const MAX_EXCHANGES = 100;

interface MxRecord {
  exchange: string;
  priority: number;
}

export type FindRecords = (name: string, type: string) => Promise<unknown[]>;

/**
 * MX records come best first, those of one preference in an order of chance, so that their load is shared
 * (RFC 5321 5.1). Errors are those of node:dns.
 * @param random as Math.random
 */
export function createRecordFinder(
  resolver: Pick<Resolver, 'resolve' | 'resolveMx'>,
  random: () => number = Math.random,
): FindRecords {
  return async (name, type) => {
    if (type !== 'MX') return (await resolver.resolve(name, type)) as unknown[];
    return orderExchanges(await resolver.resolveMx(name), random);
  };
}

export function orderExchanges(records: readonly MxRecord[], random: () => number): MxRecord[] {
  return records
    .map((record) => ({ record, lot: random() }))
    .toSorted((a, b) => a.record.priority - b.record.priority || a.lot - b.lot)
    .slice(0, MAX_EXCHANGES)
    .map(({ record }) => record);
}

/** An error of mx-connect: `response` is what an event shows. */
export interface MxError extends Error {
  code?: string;
  category?: string;
  temporary?: boolean;
  response?: string;
}

/**
 * The reply that an error of the DNS is told as, with the enhanced code of RFC 3463: nobody was connected to.
 * A host that must not be connected to is no word about the recipient: 5.4.6 suppresses nobody, 5.4.4 does.
 * @returns undefined: it was no error of the DNS
 */
export function replyOfDnsError({ category, code, temporary, message }: MxError): string | undefined {
  if (category !== 'dns') return undefined;
  return `${statusOf(code, temporary === true)} DNS Error: ${message}`;
}

function statusOf(code: string | undefined, isTemporary: boolean): string {
  if (code === 'InvalidIpAddress') return isTemporary ? '451 4.4.4' : '550 5.4.6';
  if (isTemporary) return '451 4.4.3';
  if (code === 'ENULLMX') return '556 5.1.10';
  return '550 5.1.2';
}
