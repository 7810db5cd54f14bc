/**
 * Which URLs may be endpoints (HK-1 to HK-4). The text is judged first, so that there is nothing in it that two parsers
 * could read in two ways; then the host, as far as it can be told without the DNS. What a name resolves to is judged at
 * each connection (resolve.ts).
 */
import { isIP } from 'node:net';
import type { AddressPolicy } from './address-policy.ts';

export type UrlRefusal = 'invalid' | 'too_long' | 'scheme' | 'userinfo' | 'port' | 'private_address';

export type UrlResult = { ok: true; url: URL } | { ok: false; reason: UrlRefusal };

export interface UrlPolicy {
  /** For development */
  allowHttp: boolean;
  addresses: AddressPolicy;
}

const MAX_CHARACTERS = 2048;
/** Printable ASCII without the backslash, which some read as a slash; so no look-alikes and no full-width digits. */
const PLAIN = /^[!-[\]-~]+$/;
const SCHEME = /^(https?):\/\/[^/]/i;
/** RFC 1123 2.1, two labels or more: a bare word is a machine of our own network. */
const HOST_NAME =
  /^(?=.{4,253}$)[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)+$/;
/** RFC 6761 6.3: never asked of the DNS. */
const LOCALHOST = /^(?:.+\.)?localhost$/;

const PUBLIC_PORTS = new Set([80, 443]);
const FIRST_FREE_PORT = 1024;
/** Above 1023, and yet not spoken HTTP to by strangers: databases, queues, caches, remote desktops. */
const DENIED_PORTS = new Set([
  1433, 1521, 2049, 2181, 2375, 2376, 2379, 2380, 3306, 3389, 4369, 5432, 5672, 5984, 6000, 6379, 6380, 6667,
  9042, 9092, 9200, 9300, 10250, 11211, 26379, 27017, 27018, 27019,
]);

export function readEndpointUrl(text: string, { allowHttp, addresses }: UrlPolicy): UrlResult {
  if (text.length > MAX_CHARACTERS) return refuse('too_long');
  if (!PLAIN.test(text)) return refuse('invalid');
  const scheme = SCHEME.exec(text)?.[1]?.toLowerCase();
  if (scheme !== 'https' && !(scheme === 'http' && allowHttp)) return refuse('scheme');
  if (!URL.canParse(text)) return refuse('invalid');
  const url = new URL(text);
  if (hasUserinfo(text)) return refuse('userinfo');
  if (!isAllowedPort(url)) return refuse('port');
  const refusal = judgeHost(hostOf(url), addresses);
  return refusal ? refuse(refusal) : { ok: true, url };
}

/** Without brackets and the final dot: a name for the DNS or an address for the kernel. */
export function hostOf({ hostname }: URL): string {
  return hostname.replace(/^\[(.*)\]$/, '$1').replace(/\.$/, '');
}

export function isLocalhost(host: string): boolean {
  return LOCALHOST.test(host);
}

/** What can be told of a host without asking the DNS. */
export function judgeHost(host: string, addresses: AddressPolicy): 'invalid' | 'private_address' | undefined {
  if (isIP(host)) return addresses.allows(host) ? undefined : 'private_address';
  if (isLocalhost(host)) return addresses.allows('127.0.0.1') ? undefined : 'private_address';
  if (!host.includes('.')) return 'private_address';
  return HOST_NAME.test(host) ? undefined : 'invalid';
}

/** Looks at the text: an empty one, as in `https://@host`, leaves no trace in the parsed URL. */
function hasUserinfo(text: string): boolean {
  const authority = text.slice(text.indexOf('//') + 2).split(/[/?#]/, 1)[0] ?? '';
  return authority.includes('@');
}

function isAllowedPort({ port, protocol }: URL): boolean {
  const number = port === '' ? (protocol === 'https:' ? 443 : 80) : Number(port);
  return PUBLIC_PORTS.has(number) || isFreePort(number);
}

/** One that anybody may listen on, and nothing listens on that must not be spoken to. */
export function isFreePort(port: number): boolean {
  return port >= FIRST_FREE_PORT && port <= 65_535 && !DENIED_PORTS.has(port);
}

function refuse(reason: UrlRefusal): UrlResult {
  return { ok: false, reason };
}
