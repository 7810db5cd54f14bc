import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { normalizeDomain } from '../../lib/mail/address.ts';
import type { Context } from '../app.ts';
import { generateFirstKeyPairs } from '../models/dkim-key-pair.ts';
import {
  createDomain,
  type Domain,
  findDomain,
  listDomains,
  type UpdateDomainResult,
  updateDomain,
} from '../models/domain.ts';
import { deleteDomain } from '../models/domain-lifecycle.ts';
import { change } from '../plugins/audit.ts';
import { authenticateOrganization, organizationIdOf } from '../plugins/authentication.ts';
import { NOT_FOUND } from '../plugins/errors.ts';
import {
  createDomainSchema,
  type DomainBody,
  deleteDomainSchema,
  listDomainsSchema,
  showDomainSchema,
  updateDomainSchema,
} from '../schemas/domains.ts';
import { readId } from './id.ts';

const INVALID_URL = { errors: { url: ['is invalid'] } };
const TAKEN = { errors: { url: ['has already been taken'] } };
const TOO_MANY = { errors: { domain: ['exceeds the number of domains the organization may have'] } };
const UNDER_WAY = { errors: { url: ['cannot be changed while mail of the domain is under way'] } };

export function domainRoutes({ store, settings }: Context): FastifyPluginAsyncTypebox {
  return async (app) => {
    app.addHook('onRequest', authenticateOrganization(store.pool));

    app.get('/domains', { schema: listDomainsSchema }, async (request) => {
      const organizationId = organizationIdOf(request);
      return (await listDomains(store.pool, { organizationId, ...request.query })).map(toDomain);
    });

    app.get('/domains/:id', { schema: showDomainSchema }, async (request, reply) => {
      const id = readId(request.params.id);
      const domain = await findDomain(store.pool, { id, organizationId: organizationIdOf(request) });
      return domain ? toDomain(domain) : reply.code(404).send(NOT_FOUND);
    });

    app.post('/domains', { schema: createDomainSchema }, async (request, reply) => {
      const { url, name: label = '' } = request.body.domain;
      const name = normalizeDomain(url);
      if (!name) return reply.code(422).send(INVALID_URL);
      const keyPairs = await generateFirstKeyPairs();
      const asked = { organizationId: organizationIdOf(request), name, label, isVerified: false };
      const result = await change(
        store,
        request,
        (tx) => createDomain(tx, asked, keyPairs, settings.secrets.key),
        (created) => (created.ok ? describe('created', created.domain) : undefined),
      );
      if (result.ok) return reply.code(201).send(toDomain(result.domain));
      return reply.code(422).send(result.reason === 'taken' ? TAKEN : TOO_MANY);
    });

    app.patch('/domains/:id', { schema: updateDomainSchema }, async (request, reply) => {
      const { url, name: label, tls } = request.body.domain;
      const name = url === undefined ? undefined : normalizeDomain(url);
      if (url !== undefined && name === undefined) return reply.code(422).send(INVALID_URL);
      const ids = { id: readId(request.params.id), organizationId: organizationIdOf(request) };
      const result: UpdateDomainResult = await change(
        store,
        request,
        (tx) =>
          updateDomain(
            tx,
            ids,
            { name, label, requiresTls: tls && tls === 'required' },
            settings.secrets.key,
          ),
        (updated) => (updated.ok ? describe('changed', updated.domain) : undefined),
      );
      if (result.ok) return toDomain(result.domain);
      if (result.reason === 'not_found') return reply.code(404).send(NOT_FOUND);
      return reply.code(422).send(result.reason === 'taken' ? TAKEN : UNDER_WAY);
    });

    app.delete('/domains/:id', { schema: deleteDomainSchema }, async (request, reply) => {
      const ids = { id: readId(request.params.id), organizationId: organizationIdOf(request) };
      const result = await change(
        store,
        request,
        (tx) => deleteDomain(tx, ids),
        (deleted) =>
          deleted.ok
            ? {
                organizationId: ids.organizationId,
                action: 'domain.deleted',
                subject: deleted.name,
                subjectId: ids.id,
              }
            : undefined,
      );
      if (result.ok) return { message: 'Domain deleted' };
      if (result.reason === 'not_found') return reply.code(404).send(NOT_FOUND);
      return reply.code(409).send({ error: `${result.messages} message(s) of the domain are under way` });
    });
  };
}

function describe(action: 'created' | 'changed', { id, organizationId, name, label, requiresTls }: Domain) {
  return {
    organizationId,
    action: `domain.${action}`,
    subject: name,
    subjectId: id,
    details: { name, label, ...(requiresTls && { tls: 'required' }) },
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
    advanced_verified: domain.returnPathVerifiedAt !== null,
    tls: domain.requiresTls ? 'required' : 'opportunistic',
    webhook_public_key: domain.webhookPublicKey,
    created_at: domain.createdAt.toISOString(),
    modified_at: domain.updatedAt.toISOString(),
  };
}
