/** Reads where a route is asked to lead, and says what is wrong with it, field by field. */
import { normalizeAddress } from '../../lib/mail/address.ts';
import type { InboundRoute } from '../models/inbound-route.ts';
import type { NewInboundRoute } from '../models/inbound-route-lifecycle.ts';
import type { NewRouteBody } from '../schemas/inbound-routes.ts';
import type { CheckEndpoint } from '../webhooks/endpoint-check.ts';

export type Refusal = { ok: false; errors: Record<string, string[]> };
type RouteTarget = Pick<NewInboundRoute, 'target' | 'destination' | 'basicAuth' | 'requiresTls'>;
export type TargetResult<T> = { ok: true; value: T } | Refusal;

type TargetBody = Partial<Pick<NewRouteBody, 'target' | 'url' | 'requires_tls' | 'forward_to'>>;

/** What is wrong with an URL; undefined: nothing */
export interface TargetChecks {
  endpoint: CheckEndpoint;
  server: CheckEndpoint;
}

export async function readTarget(
  { target = 'store', url = '', requires_tls: requiresTls, forward_to: forwardTo }: TargetBody,
  checks: TargetChecks,
): Promise<TargetResult<RouteTarget>> {
  if (requiresTls !== undefined && target !== 'smtp') {
    return refuse('requires_tls', 'is only for the target smtp');
  }
  if (forwardTo !== undefined && target !== 'forward') {
    return refuse('forward_to', 'is only for the target forward');
  }
  if (target === 'store' || target === 'forward') {
    if (url !== '') return refuse('url', 'is only for the targets http and smtp');
    const destination = target === 'store' ? '' : normalizeAddress(forwardTo ?? '');
    if (destination === undefined) return refuse('forward_to', 'is invalid');
    return { ok: true, value: { target, destination, basicAuth: null, requiresTls: true } };
  }
  const read = await readUrl(url, target === 'http' ? checks.endpoint : checks.server);
  if (!read.ok) return read;
  const value = { target, ...read.value, requiresTls: requiresTls ?? true };
  return isPasswordInClear(value.basicAuth !== null, value) ? IN_CLEAR : { ok: true, value };
}

/** Of a route that is there: what is asked for anew, and no more. */
export async function readTargetChange(
  body: TargetBody,
  route: InboundRoute,
  checks: TargetChecks,
): Promise<TargetResult<Partial<RouteTarget>>> {
  const { target = route.target, url, requires_tls: requiresTls } = body;
  if (target !== route.target || url !== undefined || body.forward_to !== undefined) {
    const kept = target === 'smtp' && route.target === 'smtp' ? { requires_tls: route.requiresTls } : {};
    return readTarget({ ...kept, ...body, target }, checks);
  }
  if (requiresTls === undefined) return { ok: true, value: {} };
  if (target !== 'smtp') return refuse('requires_tls', 'is only for the target smtp');
  return isPasswordInClear(route.hasBasicAuth, { target, requiresTls })
    ? IN_CLEAR
    : { ok: true, value: { requiresTls } };
}

export function refuse(field: string, text: string): Refusal {
  return { ok: false, errors: { [field]: [text] } };
}

const IN_CLEAR = refuse('requires_tls', 'must be true where there is a password');

function isPasswordInClear(
  hasPassword: boolean,
  { target, requiresTls }: Pick<RouteTarget, 'target' | 'requiresTls'>,
): boolean {
  return target === 'smtp' && hasPassword && !requiresTls;
}

/** User and password in the URL are sent to the server (contract 3), and kept apart from the rest. */
async function readUrl(
  text: string,
  check: CheckEndpoint,
): Promise<TargetResult<Pick<RouteTarget, 'destination' | 'basicAuth'>>> {
  const [, scheme = '', userinfo, rest = ''] = /^([a-z]+:\/\/)(?:([^/?#@]*)@)?(.*)$/is.exec(text) ?? [];
  const destination = scheme + rest;
  const problem = await check(scheme ? destination : text);
  if (problem) return refuse('url', problem);
  const basicAuth = userinfo === undefined ? null : decode(userinfo);
  if (basicAuth === undefined) return refuse('url', 'has a user name or a password that is not valid');
  return { ok: true, value: { destination, basicAuth } };
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
