/** Messages are read with a domain's token, or all of an organization's with its own. */
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Pool } from '../database.ts';
import type { Reader } from '../models/message.ts';
import { authenticateDomain, authenticateOrganization, organizationIdOf } from './authentication.ts';

/** A request with both tokens is the organization's. */
export function authenticateReader(pool: Pool) {
  const asDomain = authenticateDomain(pool);
  const asOrganization = authenticateOrganization(pool);
  return (request: FastifyRequest, reply: FastifyReply) =>
    request.headers['mailpace-organization-token'] === undefined
      ? asDomain(request, reply)
      : asOrganization(request, reply);
}

export function readerOf(request: FastifyRequest): Reader {
  const { domainCredential } = request;
  if (domainCredential) {
    return { organizationId: domainCredential.organizationId, domainId: domainCredential.domainId };
  }
  return { organizationId: organizationIdOf(request), domainId: undefined };
}
