import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { FastifyRequest } from 'fastify';
import { nameserversOf } from '../../config/nameservers.ts';
import type { Context } from '../app.ts';
import { examineDkimKey } from '../dns/domain-records.ts';
import { createLookup } from '../dns/lookup.ts';
import {
  activateDkimKey,
  addNextDkimKey,
  deleteDkimKey,
  type ListedDkimKey,
  listDkimKeys,
} from '../models/dkim-key.ts';
import { generateDkimKeyPair } from '../models/dkim-key-pair.ts';
import { type Domain, findDomain } from '../models/domain.ts';
import { change } from '../plugins/audit.ts';
import { authenticateOrganization, organizationIdOf } from '../plugins/authentication.ts';
import { NOT_FOUND } from '../plugins/errors.ts';
import {
  activateDkimKeySchema,
  createDkimKeySchema,
  type DkimKeyBody,
  deleteDkimKeySchema,
  listDkimKeysSchema,
} from '../schemas/domains.ts';
import { readId } from './id.ts';

const ONE_PENDING = { error: 'There is a key already that waits to be activated' };
const IS_ACTIVE = { error: 'The domain signs with this key; activate another one first' };
const IS_RETIRED = { error: 'The key is retired; make a new one' };

/**
 * A rotation: make a key, publish its record beside the other, activate it. It is activated only when the DNS has its
 * record, so that there is no moment in which mail does not verify.
 */
export function dkimKeyRoutes({ store, settings }: Context): FastifyPluginAsyncTypebox {
  const lookup = createLookup(nameserversOf(settings));
  const findOwnDomain = (request: FastifyRequest, id: string) =>
    findDomain(store.pool, { id: readId(id), organizationId: organizationIdOf(request) });
  const findKey = async (domain: Domain, selector: string) =>
    (await listDkimKeys(store.pool, domain.id)).find((key) => key.selector === selector);

  return async (app) => {
    app.addHook('onRequest', authenticateOrganization(store.pool));

    app.get('/domains/:id/dkim_keys', { schema: listDkimKeysSchema }, async (request, reply) => {
      const domain = await findOwnDomain(request, request.params.id);
      if (!domain) return reply.code(404).send(NOT_FOUND);
      return (await listDkimKeys(store.pool, domain.id)).map(toDkimKey);
    });

    app.post('/domains/:id/dkim_keys', { schema: createDkimKeySchema }, async (request, reply) => {
      const domain = await findOwnDomain(request, request.params.id);
      if (!domain) return reply.code(404).send(NOT_FOUND);
      const keyPair = await generateDkimKeyPair(request.body?.dkim_key.algorithm);
      const added = await change(
        store,
        request,
        (tx) => addNextDkimKey(tx, domain, keyPair, settings.secrets.key),
        (key) => key && describe('created', domain, key.selector),
      );
      const key = added && (await findKey(domain, added.selector));
      return key ? reply.code(201).send(toDkimKey(key)) : reply.code(409).send(ONE_PENDING);
    });

    const activation = '/domains/:id/dkim_keys/:selector/activation';
    app.put(activation, { schema: activateDkimKeySchema }, async (request, reply) => {
      const { selector } = request.params;
      const domain = await findOwnDomain(request, request.params.id);
      const key = domain && (await findKey(domain, selector));
      if (!domain || !key) return reply.code(404).send(NOT_FOUND);
      const { finding } = await examineDkimKey(domain.name, key, lookup);
      if (finding.problem) return reply.code(422).send({ errors: { dkim: [finding.problem] } });
      const isActive = await change(
        store,
        request,
        (tx) => activateDkimKey(tx, domain, selector),
        (isDone) => (isDone && key.state !== 'active' ? describe('activated', domain, selector) : undefined),
      );
      const active = isActive && (await findKey(domain, selector));
      return active ? toDkimKey(active) : reply.code(409).send(IS_RETIRED);
    });

    app.delete(
      '/domains/:id/dkim_keys/:selector',
      { schema: deleteDkimKeySchema },
      async (request, reply) => {
        const { selector } = request.params;
        const domain = await findOwnDomain(request, request.params.id);
        if (!domain) return reply.code(404).send(NOT_FOUND);
        const deleted = await change(
          store,
          request,
          (tx) => deleteDkimKey(tx, domain, selector),
          ({ ok }) => (ok ? describe('deleted', domain, selector) : undefined),
        );
        if (deleted.ok) return { message: 'DKIM key deleted' };
        if (deleted.reason === 'not_found') return reply.code(404).send(NOT_FOUND);
        return reply.code(409).send(deleted.reason === 'active' ? IS_ACTIVE : isNeeded(deleted.messages));
      },
    );
  };
}

function isNeeded(messages: number) {
  return { error: `${messages} message(s) from before the key was retired are under way` };
}

function describe(action: string, { id, organizationId, name }: Domain, selector: string) {
  return {
    organizationId,
    action: `dkim_key.${action}`,
    subject: `${selector}._domainkey.${name}`,
    subjectId: id,
  };
}

function toDkimKey(key: ListedDkimKey): DkimKeyBody {
  return {
    algorithm: key.algorithm,
    dkim_selector: key.selector,
    dkim_string: key.record,
    state: key.state,
    created_at: key.createdAt.toISOString(),
    activated_at: key.activatedAt?.toISOString() ?? null,
    retired_at: key.retiredAt?.toISOString() ?? null,
  };
}
