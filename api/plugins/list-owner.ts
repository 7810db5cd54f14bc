/**
 * Routes that both kinds of token open: a domain's token sees what is its domain's, an organization's token all that
 * is the organization's.
 */
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Pool } from '../database.ts';
import type { ListOwner } from '../models/list-owner.ts';
import { authenticateDomain, authenticateOrganization, organizationIdOf } from './authentication.ts';

export const NO_SUCH_DOMAIN = { errors: { domain: ['is not a domain of this token'] } };

/** The organization's token where both are given: it may do more. */
export function authenticateOwner(pool: Pool) {
  const asDomain = authenticateDomain(pool);
  const asOrganization = authenticateOrganization(pool);
  return (request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply | undefined> =>
    request.headers['mailpace-organization-token']
      ? asOrganization(request, reply)
      : asDomain(request, reply);
}

export function ownerOf(request: FastifyRequest): ListOwner {
  if (!request.domainCredential) return { organizationId: organizationIdOf(request), domainId: undefined };
  const { organizationId, domainId } = request.domainCredential;
  return { organizationId, domainId };
}
