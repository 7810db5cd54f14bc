/** Judges the URL of a new endpoint, name and address, and says in words what is wrong with it. */

import { isIP } from 'node:net';
import type { Settings } from '../../config/schema.ts';
import { createAddressPolicy } from './address-policy.ts';
import { hostOf, readEndpointUrl, type UrlRefusal } from './endpoint-url.ts';
import { createResolver, type ResolveResult } from './resolve.ts';

type Refusal = UrlRefusal | Extract<ResolveResult, { ok: false }>['reason'];

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
    const host = hostOf(read.url);
    const resolved = isIP(host) ? undefined : await resolve(host);
    return resolved?.ok === false ? texts[resolved.reason] : undefined;
  };
}
