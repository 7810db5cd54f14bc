/**
 * Who is calling, and whether the token is good for this route and this client. A domain's token opens /send and
 * /messages, an organization's token opens /domains, an operator's /organizations; both names of the domain header are
 * good for ever (contract 1.1). Runs before the body is read.
 */
import type { FastifyReply, FastifyRequest } from 'fastify';
import { refuseAccess } from '../../lib/access.ts';
import { digestToken } from '../../lib/secrets.ts';
import type { Pool } from '../database.ts';
import {
  type DomainCredential,
  findDomainCredential,
  findOperatorCredential,
  findOrganizationCredential,
  type OperatorCredential,
  type OrganizationCredential,
  refusalOf,
  type TokenRule,
} from '../models/api-token.ts';
import { isGranted, scopeOf } from '../models/scope.ts';
import { createUseNote, type NoteUse } from '../models/token-use.ts';

declare module 'fastify' {
  interface FastifyRequest {
    domainCredential: DomainCredential | undefined;
    organizationCredential: OrganizationCredential | undefined;
    operatorCredential: OperatorCredential | undefined;
  }
}

type Answer = FastifyReply | undefined;

/** Missing: 401; wrong, revoked or expired: 400, as the contract has it; not for this client or this route: 403. */
export function authenticateDomain(pool: Pool) {
  const noteUse = createUseNote(pool);
  return async (request: FastifyRequest, reply: FastifyReply): Promise<Answer> => {
    const { headers } = request;
    const token = headers['mailpace-server-token'] || headers['ohmysmtp-server-token'];
    if (typeof token !== 'string' || token === '') {
      return reply.code(401).send({ error: 'Missing API Token' });
    }
    const credential = await findDomainCredential(pool, { digest: digestToken(token) });
    if (!credential) return reply.code(400).send({ error: 'Invalid API Token' });
    request.domainCredential = credential;
    return admit(request, reply, credential, noteUse);
  };
}

/** 403 while the organization is suspended or the domain's DKIM record was not seen. */
export async function requireSendingAllowed(request: FastifyRequest, reply: FastifyReply): Promise<Answer> {
  const refusal = refusalOf(domainCredentialOf(request));
  return refusal ? reply.code(403).send({ error: refusal }) : undefined;
}

/** Missing, wrong, revoked or expired: 401; not for this client or this route: 403. */
export function authenticateOrganization(pool: Pool) {
  const noteUse = createUseNote(pool);
  return async (request: FastifyRequest, reply: FastifyReply): Promise<Answer> => {
    const token = request.headers['mailpace-organization-token'];
    if (typeof token !== 'string' || token === '') {
      return reply.code(401).send({ error: 'Missing Organization API Token' });
    }
    const credential = await findOrganizationCredential(pool, digestToken(token));
    if (!credential) return reply.code(401).send({ error: 'Invalid Organization API Token' });
    request.organizationCredential = credential;
    return admit(request, reply, credential, noteUse);
  };
}

/** As authenticateOrganization. Operators see all organizations. */
export function authenticateOperator(pool: Pool) {
  const noteUse = createUseNote(pool);
  return async (request: FastifyRequest, reply: FastifyReply): Promise<Answer> => {
    const token = request.headers['postern-operator-token'];
    if (typeof token !== 'string' || token === '') {
      return reply.code(401).send({ error: 'Missing Operator Token' });
    }
    const credential = await findOperatorCredential(pool, digestToken(token));
    if (!credential) return reply.code(401).send({ error: 'Invalid Operator Token' });
    request.operatorCredential = credential;
    return admit(request, reply, credential, noteUse);
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

async function admit(
  request: FastifyRequest,
  reply: FastifyReply,
  rule: TokenRule,
  noteUse: NoteUse,
): Promise<Answer> {
  if (refuseAccess(rule, request.ip)) {
    return reply.code(403).send({ error: 'This API token may not be used from this address' });
  }
  const scope = scopeOf(request.method, request.routeOptions.url ?? '');
  if (!isGranted(rule.scopes, scope)) {
    return reply.code(403).send({ error: `This API token needs the scope ${scope ?? '*'} for that` });
  }
  await noteUse(rule.tokenId);
  return undefined;
}
