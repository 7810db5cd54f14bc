import type { FastifyRequest } from 'fastify';
import type { Pool } from '../database.ts';
import { findDomain } from '../models/domain.ts';
import { organizationIdOf } from '../plugins/authentication.ts';
import { readId } from './id.ts';

/** The id of the organization's domain that the path names; 0, an id that no row has, when it is not its own (AU-9). */
export async function ownDomainId(pool: Pool, request: FastifyRequest, id: string): Promise<number> {
  const domain = await findDomain(pool, { id: readId(id), organizationId: organizationIdOf(request) });
  return domain?.id ?? 0;
}
