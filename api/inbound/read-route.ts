/** Reads what a route is asked to be, and says what is wrong with it, field by field. */
import { normalizeDomain } from '../../lib/mail/address.ts';
import type { NewInboundRoute } from '../models/inbound-route.ts';
import type { NewRouteBody } from '../schemas/inbound-routes.ts';
import type { CheckEndpoint } from '../webhooks/endpoint-check.ts';

type Errors = Record<string, string[]>;
export type ReadRoute = { ok: true; route: NewInboundRoute } | { ok: false; errors: Errors };

/** RFC 5322 3.2.3 without upper case and what patterns and tags mean */
const LOCAL_PART = /^[a-z0-9!#$%&'/=?^_`{|}~-]+(?:\.[a-z0-9!#$%&'/=?^_`{|}~-]+)*$/;
const PATTERN = /^(?=.*\*)[a-z0-9*._+-]{1,64}$/;
const MAX_STARS = 5;

/** @param domain whose route it is to be */
export async function readRoute(
  body: NewRouteBody,
  domain: string,
  checkEndpoint: CheckEndpoint,
): Promise<ReadRoute> {
  const { address, target, url } = body;
  const at = address.lastIndexOf('@');
  const localPart = address.slice(0, at).toLowerCase();
  const hostname = normalizeDomain(address.slice(at + 1));
  if (at < 1 || hostname === undefined) return refuse('address', 'is invalid');
  if (hostname !== domain && !hostname.endsWith(`.${domain}`)) {
    return refuse('address', `is not at ${domain} or a name below it`);
  }
  const kind = localPart === '*' ? 'catch_all' : localPart.includes('*') ? 'pattern' : 'exact';
  if (kind === 'exact' && !(LOCAL_PART.test(localPart) && localPart.length <= 64)) {
    return refuse('address', 'is invalid');
  }
  if (kind === 'pattern' && (!PATTERN.test(localPart) || localPart.split('*').length - 1 > MAX_STARS)) {
    return refuse(
      'address',
      `has a pattern that is not valid: letters, digits, . _ + - and at most ${MAX_STARS} *`,
    );
  }
  const endpoint = await readEndpoint(target, url ?? '', checkEndpoint);
  if (!endpoint.ok) return endpoint;
  return {
    ok: true,
    route: {
      hostname,
      kind,
      localPart: kind === 'catch_all' ? '' : localPart,
      subaddressing: body.subaddressing ?? true,
      target,
      destination: endpoint.url,
      basicAuth: endpoint.basicAuth,
      description: body.description ?? '',
      dmarc: body.dmarc ?? 'honour',
      spamRefuseScore: body.spam_refuse_score ?? 15,
    },
  };
}

type Endpoint = { ok: true; url: string; basicAuth: string | null } | { ok: false; errors: Errors };

/** User and password in the URL are sent as basic authentication (contract 3), and kept apart from it. */
async function readEndpoint(
  target: NewRouteBody['target'],
  text: string,
  checkEndpoint: CheckEndpoint,
): Promise<Endpoint> {
  if (target === 'store') {
    return text === ''
      ? { ok: true, url: '', basicAuth: null }
      : refuse('url', 'is only for the target http');
  }
  const [, scheme = '', userinfo, rest = ''] = /^([a-z]+:\/\/)(?:([^/?#@]*)@)?(.*)$/is.exec(text) ?? [];
  const url = scheme + rest;
  const problem = await checkEndpoint(scheme ? url : text);
  if (problem) return refuse('url', problem);
  const basicAuth = userinfo === undefined ? null : decode(userinfo);
  if (basicAuth === undefined) return refuse('url', 'has a user name or a password that is not valid');
  return { ok: true, url, basicAuth };
}

/** Undefined: an escape that is none, no password, or what no header may hold (RFC 7617 2). */
function decode(userinfo: string): string | undefined {
  try {
    const plain = userinfo.split(':').map(decodeURIComponent).join(':');
    return /^[^:\p{Cc}]+:[^\p{Cc}]*$/u.test(plain) ? plain : undefined;
  } catch {
    return undefined; // URIError
  }
}

function refuse(field: string, text: string): { ok: false; errors: Errors } {
  return { ok: false, errors: { [field]: [text] } };
}
