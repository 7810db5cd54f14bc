import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { normalizeDomain } from '../../lib/mail/address.ts';
import type { Context } from '../app.ts';
import { inTransaction } from '../database.ts';
import { generateDkimKeyPair } from '../models/dkim-key.ts';
import { createDomain, type Domain, findDomain, listDomains } from '../models/domain.ts';
import { authenticateOrganization, organizationIdOf } from '../plugins/authentication.ts';
import { NOT_FOUND } from '../plugins/errors.ts';
import {
  createDomainSchema,
  type DomainBody,
  listDomainsSchema,
  showDomainSchema,
} from '../schemas/domains.ts';
import { readId } from './id.ts';

export function domainRoutes({ store, settings }: Context): FastifyPluginAsyncTypebox {
  return async (app) => {
    app.addHook('onRequest', authenticateOrganization(store.pool));

    app.get('/domains', { schema: listDomainsSchema }, async (request) => {
      const domains = await listDomains(store.pool, {
        organizationId: organizationIdOf(request),
        ...request.query,
      });
      return domains.map(toDomain);
    });

    app.get('/domains/:id', { schema: showDomainSchema }, async (request, reply) => {
      const id = readId(request.params.id);
      const domain = await findDomain(store.pool, { id, organizationId: organizationIdOf(request) });
      return domain ? toDomain(domain) : reply.code(404).send(NOT_FOUND);
    });

    app.post('/domains', { schema: createDomainSchema }, async (request, reply) => {
      const { url, name: label = '' } = request.body.domain;
      const name = normalizeDomain(url);
      if (!name) return reply.code(422).send({ errors: { url: ['is invalid'] } });
      const keyPair = await generateDkimKeyPair();
      const asked = { organizationId: organizationIdOf(request), name, label, isVerified: false };
      const result = await inTransaction(store, (tx) =>
        createDomain(tx, asked, keyPair, settings.secrets.key),
      );
      if (!result.ok) return reply.code(422).send({ errors: { url: ['has already been taken'] } });
      return reply.code(201).send(toDomain(result.domain));
    });
  };
}

function toDomain(domain: Domain): DomainBody {
  return {
    id: domain.id,
    name: domain.label || domain.name,
    url: domain.name,
    dkim_selector: domain.dkimSelector,
    dkim_string: domain.dkimRecord,
    dkim_verified: domain.dkimVerifiedAt !== null,
    created_at: domain.createdAt.toISOString(),
    modified_at: domain.updatedAt.toISOString(),
  };
}
