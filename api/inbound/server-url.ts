/** The URL of an SMTP server that mail is passed on to: `smtp://mail.example.com:25`, or `smtps://` with TLS from the start. */
import type { AddressPolicy } from '../webhooks/address-policy.ts';
import { isFreePort, judgeHost } from '../webhooks/endpoint-url.ts';

export interface ServerUrl {
  /** A name for the DNS or an address for the kernel */
  host: string;
  port: number;
  /** TLS before the greeting (RFC 8314 3.3) */
  isImplicitTls: boolean;
}

export type ServerUrlResult =
  | { ok: true; server: ServerUrl }
  | { ok: false; reason: 'invalid' | 'port' | 'private_address' };

/** One form and no other: nothing in it can be read in two ways. */
const FORM = /^(smtps?):\/\/(?:\[([0-9a-f:.]{2,45})\]|([a-z0-9._-]{1,253}))(?::(\d{1,5}))?\/?$/i;
const MAIL_PORTS = new Set([25, 465, 587]);

export function readServerUrl(text: string, addresses: AddressPolicy): ServerUrlResult {
  const [, scheme = '', bracketed, name, portText] = FORM.exec(text) ?? [];
  const host = (bracketed ?? name ?? '').toLowerCase().replace(/\.$/, '');
  if (host === '') return { ok: false, reason: 'invalid' };
  const isImplicitTls = scheme.toLowerCase() === 'smtps';
  const port = portText === undefined ? (isImplicitTls ? 465 : 25) : Number(portText);
  if (!MAIL_PORTS.has(port) && !isFreePort(port)) return { ok: false, reason: 'port' };
  const refusal = judgeHost(host, addresses);
  if (refusal) return { ok: false, reason: refusal };
  return { ok: true, server: { host, port, isImplicitTls } };
}
