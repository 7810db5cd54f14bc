/** Judges the URL of a new endpoint, name and address, and says in words what is wrong with it. */

import { isIP } from 'node:net';
import type { Settings } from '../../config/schema.ts';
import { readServerUrl, type ServerUrlResult } from '../inbound/server-url.ts';
import { createAddressPolicy } from './address-policy.ts';
import { hostOf, readEndpointUrl, type UrlRefusal } from './endpoint-url.ts';
import { createResolver, type Resolve, type ResolveResult } from './resolve.ts';

type Refusal = UrlRefusal | Extract<ServerUrlResult | ResolveResult, { ok: false }>['reason'];

const texts: Record<Refusal, string> = {
  invalid: 'is not a valid URL',
  too_long: 'is longer than 2048 characters',
  scheme: 'must begin with https://',
  userinfo: 'must not hold a user name or a password',
  port: 'has a port that is not allowed',
  private_address: 'private_address: leads to an address that is not public',
  dns_failed: 'dns_failed: the name of its host has no address in the DNS',
};

/** The text of the refusal; undefined when the endpoint may be used as things are now. */
export type CheckEndpoint = (url: string) => Promise<string | undefined>;

export function createEndpointCheck({ webhooks }: Pick<Settings, 'webhooks'>): CheckEndpoint {
  const addresses = createAddressPolicy(webhooks);
  const resolve = createResolver(webhooks.nameservers, addresses);
  return async (text) => {
    const read = readEndpointUrl(text, { allowHttp: webhooks.allowHttp, addresses });
    if (!read.ok) return texts[read.reason];
    return checkHost(resolve, hostOf(read.url));
  };
}

/** As createEndpointCheck, of an SMTP server */
export function createServerCheck({ webhooks }: Pick<Settings, 'webhooks'>): CheckEndpoint {
  const addresses = createAddressPolicy(webhooks);
  const resolve = createResolver(webhooks.nameservers, addresses);
  return async (text) => {
    const read = readServerUrl(text, addresses);
    if (!read.ok) return read.reason === 'invalid' ? NO_SERVER : texts[read.reason];
    return checkHost(resolve, read.server.host);
  };
}

const NO_SERVER = 'must be smtp:// or smtps:// with a host and, if need be, a port';

async function checkHost(resolve: Resolve, host: string): Promise<string | undefined> {
  const resolved = isIP(host) ? undefined : await resolve(host);
  return resolved?.ok === false ? texts[resolved.reason] : undefined;
}
