import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { Context } from '../app.ts';
import { inTransaction } from '../database.ts';
import { checkDkimRecord, chooseNameservers, type DkimRecordCheck } from '../mail/dkim-record.ts';
import { findDomain, verifyDomain } from '../models/domain.ts';
import { authenticateOrganization, organizationIdOf } from '../plugins/authentication.ts';
import { NOT_FOUND } from '../plugins/errors.ts';
import { verifyDomainSchema } from '../schemas/domains.ts';
import { readId } from './id.ts';

/** The first is the contract's (1.5). */
const problems: Record<Exclude<DkimRecordCheck, 'published'>, string> = {
  missing: 'No matching DKIM key found',
  different: 'The DKIM record holds another key',
  unknown: 'The DNS did not answer, please try again',
};

export function verificationRoutes({ store, settings }: Context): FastifyPluginAsyncTypebox {
  const nameservers = chooseNameservers(settings);

  return async (app) => {
    app.addHook('onRequest', authenticateOrganization(store.pool));

    app.post('/domains/:id/verify', { schema: verifyDomainSchema }, async (request, reply) => {
      const ids = { id: readId(request.params.id), organizationId: organizationIdOf(request) };
      const domain = await findDomain(store.pool, ids);
      if (!domain) return reply.code(404).send(NOT_FOUND);
      const { id, name, dkimSelector: selector, dkimRecord: record, dkimVerifiedAt } = domain;
      const check = await checkDkimRecord({ domain: name, selector, record }, nameservers);
      if (check === 'published') await inTransaction(store, (tx) => verifyDomain(tx, id));
      const isVerified = check === 'published' || dkimVerifiedAt !== null;
      return { dkim_verified: isVerified, errors: check === 'published' ? {} : { dkim: problems[check] } };
    });
  };
}
