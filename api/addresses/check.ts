/**
 * What the world needs to see of a local address before it takes mail from it. Each check says what is wrong and what to
 * do; what could not be asked is `unknown`, never `ok`.
 */
import type { Resolver } from 'node:dns/promises';
import { connect, isIPv6 } from 'node:net';
import { createDnsResolver } from '../../lib/dns-resolver.ts';
import type { AddressFinding } from '../models/sending-pool.ts';

const DNS_TIMEOUT_MS = 3_000;
const CONNECT_TIMEOUT_MS = 10_000;
const NO_RECORD = new Set(['ENOTFOUND', 'ENODATA']);

export interface CheckOptions {
  /** `host` or `host:port`; empty: those of the system */
  nameservers: readonly string[];
  /** Zones of DNS blocklists (RFC 5782) */
  blocklists: readonly string[];
  /** Any MX that answers */
  probe: { host: string; port: number };
}

export type Findings = Record<string, AddressFinding>;

type Ask = (name: string, type: 'A' | 'AAAA' | 'PTR') => Promise<string[] | undefined>;

/** @returns findings by name: `reverse_dns`, `helo`, `port`, and `blocklist <zone>` for each list */
export async function checkAddress(
  { address, helo }: { address: string; helo: string },
  { nameservers, blocklists, probe }: CheckOptions,
): Promise<Findings> {
  const ask = createAsk(nameservers);
  const [reverse, name, port, ...lists] = await Promise.all([
    checkReverse(address, ask),
    checkHelo(address, helo, ask),
    checkPort(address, probe),
    ...blocklists.map((zone) => checkBlocklist(address, zone, ask)),
  ]);
  return {
    reverse_dns: reverse,
    helo: name,
    port,
    ...Object.fromEntries(
      blocklists.map((zone, index) => [`blocklist ${zone}`, lists[index] ?? unknown(zone)]),
    ),
  };
}

/** Forward-confirmed: the name of the address leads back to it. */
async function checkReverse(address: string, ask: Ask): Promise<AddressFinding> {
  const names = await ask(reverseName(address), 'PTR');
  if (!names) return unknown('reverse DNS');
  if (names.length === 0) return wrong(`there is no PTR record; ask who gave you ${address} to set it`);
  for (const name of names) {
    if ((await ask(name, familyOf(address)))?.includes(address)) return ok(name);
  }
  return wrong(`${names.join(', ')} does not lead back to ${address}; add the ${familyOf(address)} record`);
}

/** RFC 5321 4.1.4 lets nobody refuse mail for it; many do. */
async function checkHelo(address: string, helo: string, ask: Ask): Promise<AddressFinding> {
  const addresses = await ask(helo, familyOf(address));
  if (!addresses) return unknown(helo);
  if (addresses.includes(address)) return ok(helo);
  return wrong(`${helo} does not lead to ${address}; add the ${familyOf(address)} record`);
}

async function checkBlocklist(address: string, zone: string, ask: Ask): Promise<AddressFinding> {
  const reversed = reverseName(address).replace(/\.(in-addr|ip6)\.arpa$/, '');
  const answers = await ask(`${reversed}.${zone}`, 'A');
  if (!answers) return unknown(zone);
  // 127.255.255.x: the list does not answer this resolver. Outside 127/8: somebody answers for every name.
  const listings = answers.filter((answer) => /^127\./.test(answer) && !answer.startsWith('127.255.255.'));
  if (answers.length > 0 && listings.length === 0)
    return unknown(`${zone}, which answers ${answers.join(', ')}`);
  return listings.length === 0 ? ok('not listed') : wrong(`listed (${listings.join(', ')}); see ${zone}`);
}

/** Whether mail can leave: from this address, to the port of another's MX, up to its greeting. */
export function checkPort(address: string, { host, port }: CheckOptions['probe']): Promise<AddressFinding> {
  return new Promise((resolve) => {
    const family = isIPv6(address) ? 6 : 4;
    const socket = connect({ host, port, family, localAddress: address, timeout: CONNECT_TIMEOUT_MS });
    const end = (finding: AddressFinding) => {
      socket.destroy();
      resolve(finding);
    };
    socket.once('data', () => end(ok(`${host}:${port} greets`)));
    socket.once('timeout', () =>
      end(wrong(`${host}:${port} does not answer; does a firewall close the port?`)),
    );
    socket.once('end', () => end(wrong(`${host}:${port} closes the connection without a greeting`)));
    socket.once('error', (error: NodeJS.ErrnoException) => end(describeFailure(error, `${host}:${port}`)));
  });
}

function describeFailure({ code = '' }: NodeJS.ErrnoException, target: string): AddressFinding {
  if (code === 'EADDRNOTAVAIL' || code === 'EINVAL') {
    return { status: 'unknown', text: 'not an address of the machine that checks' };
  }
  if (NO_RECORD.has(code) || code === 'EAI_AGAIN') return unknown(target);
  return wrong(`${target} cannot be reached (${code}); does a firewall close the port?`);
}

/** Undefined: no answer. An empty list: there is no such record. */
function createAsk(nameservers: readonly string[]): Ask {
  const resolver = createDnsResolver(nameservers, DNS_TIMEOUT_MS);
  return async (name, type) => {
    try {
      const found =
        type === 'PTR' ? await resolver.resolvePtr(name) : await resolveAddresses(resolver, name, type);
      return found.map((value) => value.toLowerCase().replace(/\.$/, ''));
    } catch (error) {
      const code = error instanceof Error && 'code' in error ? String(error.code) : '';
      return NO_RECORD.has(code) ? [] : undefined;
    }
  };
}

function resolveAddresses(resolver: Resolver, name: string, type: 'A' | 'AAAA'): Promise<string[]> {
  return type === 'A' ? resolver.resolve4(name) : resolver.resolve6(name);
}

function familyOf(address: string): 'A' | 'AAAA' {
  return isIPv6(address) ? 'AAAA' : 'A';
}

/** `1.2.0.192.in-addr.arpa`, or the nibbles under ip6.arpa (RFC 3596 2.5). */
export function reverseName(address: string): string {
  if (!isIPv6(address)) return `${address.split('.').toReversed().join('.')}.in-addr.arpa`;
  const [head = '', tail] = address.split('::');
  const groups = (text: string) => (text === '' ? [] : text.split(':'));
  const missing = tail === undefined ? 0 : 8 - groups(head).length - groups(tail).length;
  const all = [...groups(head), ...Array.from({ length: missing }, () => '0'), ...groups(tail ?? '')];
  const nibbles = all.map((group) => group.padStart(4, '0')).join('');
  return `${[...nibbles].toReversed().join('.')}.ip6.arpa`;
}

function ok(text: string): AddressFinding {
  return { status: 'ok', text };
}

function wrong(text: string): AddressFinding {
  return { status: 'wrong', text };
}

function unknown(what: string): AddressFinding {
  return { status: 'unknown', text: `no answer about ${what}` };
}
