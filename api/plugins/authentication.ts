/**
 * Who is calling. A domain's token opens /send and /messages, an organization's token opens /domains; both names of the
 * domain header are good for ever (contract 1.1). Runs before the body is read.
 */
import type { FastifyReply, FastifyRequest } from 'fastify';
import { digestToken } from '../../lib/secrets.ts';
import type { Pool } from '../database.ts';
import {
  type DomainCredential,
  findDomainCredential,
  findOrganizationCredential,
  type OrganizationCredential,
  refusalOf,
} from '../models/api-token.ts';

declare module 'fastify' {
  interface FastifyRequest {
    domainCredential: DomainCredential | undefined;
    organizationCredential: OrganizationCredential | undefined;
  }
}

type Answer = FastifyReply | undefined;

/** Missing: 401; wrong or revoked: 400, as the contract has it. */
export function authenticateDomain(pool: Pool) {
  return async (request: FastifyRequest, reply: FastifyReply): Promise<Answer> => {
    const { headers } = request;
    const token = headers['mailpace-server-token'] || headers['ohmysmtp-server-token'];
    if (typeof token !== 'string' || token === '') {
      return reply.code(401).send({ error: 'Missing API Token' });
    }
    request.domainCredential = await findDomainCredential(pool, { digest: digestToken(token) });
    return request.domainCredential ? undefined : reply.code(400).send({ error: 'Invalid API Token' });
  };
}

/** 403 while the organization is suspended or the domain's DKIM record was not seen. */
export async function requireSendingAllowed(request: FastifyRequest, reply: FastifyReply): Promise<Answer> {
  const refusal = refusalOf(domainCredentialOf(request));
  return refusal ? reply.code(403).send({ error: refusal }) : undefined;
}

/** Missing, wrong or revoked: 401. */
export function authenticateOrganization(pool: Pool) {
  return async (request: FastifyRequest, reply: FastifyReply): Promise<Answer> => {
    const token = request.headers['mailpace-organization-token'];
    if (typeof token !== 'string' || token === '') {
      return reply.code(401).send({ error: 'Missing Organization API Token' });
    }
    request.organizationCredential = await findOrganizationCredential(pool, digestToken(token));
    if (request.organizationCredential) return undefined;
    return reply.code(401).send({ error: 'Invalid Organization API Token' });
  };
}

export function domainCredentialOf({ domainCredential }: FastifyRequest): DomainCredential {
  if (!domainCredential) throw new Error('the route does not authenticate');
  return domainCredential;
}

export function organizationIdOf({ organizationCredential }: FastifyRequest): number {
  if (!organizationCredential) throw new Error('the route does not authenticate');
  return organizationCredential.organizationId;
}
