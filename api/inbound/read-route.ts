/** Reads what a route is asked to be, and says what is wrong with it, field by field. */
import { normalizeDomain } from '../../lib/mail/address.ts';
import type { NewInboundRoute } from '../models/inbound-route-lifecycle.ts';
import type { NewRouteBody } from '../schemas/inbound-routes.ts';
import { type Refusal, readTarget, refuse, type TargetChecks } from './read-target.ts';

export type ReadRoute = { ok: true; route: NewInboundRoute } | Refusal;

/** RFC 5322 3.2.3 without upper case and what patterns and tags mean */
const LOCAL_PART = /^[a-z0-9!#$%&'/=?^_`{|}~-]+(?:\.[a-z0-9!#$%&'/=?^_`{|}~-]+)*$/;
const PATTERN = /^(?=.*\*)[a-z0-9*._+-]{1,64}$/;
const MAX_STARS = 5;

/** @param domain whose route it is to be */
export async function readRoute(
  body: NewRouteBody,
  domain: string,
  checks: TargetChecks,
): Promise<ReadRoute> {
  const { address } = body;
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
  const read = await readTarget(body, checks);
  if (!read.ok) return read;
  return {
    ok: true,
    route: {
      hostname,
      kind,
      localPart: kind === 'catch_all' ? '' : localPart,
      subaddressing: body.subaddressing ?? true,
      ...read.value,
      description: body.description ?? '',
      dmarc: body.dmarc ?? 'honour',
      spamRefuseScore: body.spam_refuse_score ?? 15,
    },
  };
}
