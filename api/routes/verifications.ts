import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { nameserversOf } from '../../config/nameservers.ts';
import type { Context } from '../app.ts';
import {
  type ExaminedRecord,
  examineDkimKey,
  examineDomain,
  examineReturnPath,
} from '../dns/domain-records.ts';
import type { Finding } from '../dns/finding.ts';
import { createLookup } from '../dns/lookup.ts';
import { activateDkimKey, findWaitingKeys, type ListedDkimKey, listDkimKeys } from '../models/dkim-key.ts';
import { type Domain, findDomain } from '../models/domain.ts';
import { noteReturnPath, verifyDomain } from '../models/domain-lifecycle.ts';
import { change } from '../plugins/audit.ts';
import { authenticateOrganization, organizationIdOf } from '../plugins/authentication.ts';
import { NOT_FOUND } from '../plugins/errors.ts';
import { type DnsRecordBody, listDnsRecordsSchema, verifyDomainSchema } from '../schemas/domains.ts';
import { readId } from './id.ts';

/** Findings that are no answer of the DNS change nothing. */
const UNANSWERED = new Set<Finding['status']>(['timeout', 'failed']);

/** What the DNS says about a domain, and what follows from it. */
export function verificationRoutes({ store, settings }: Context): FastifyPluginAsyncTypebox {
  const lookup = createLookup(nameserversOf(settings));

  /** The Ed25519 key that may sign from now on; a domain without such a record is none the worse. */
  async function findPublishedKey(domain: Domain): Promise<ListedDkimKey | undefined> {
    for (const key of await findWaitingKeys(store.pool, domain.id)) {
      const { finding } = await examineDkimKey(domain.name, key, lookup);
      if (finding.status === 'ok') return key;
    }
    return undefined;
  }

  return async (app) => {
    app.addHook('onRequest', authenticateOrganization(store.pool));

    app.get('/domains/:id/dns_records', { schema: listDnsRecordsSchema }, async (request, reply) => {
      const ids = { id: readId(request.params.id), organizationId: organizationIdOf(request) };
      const domain = await findDomain(store.pool, ids);
      if (!domain) return reply.code(404).send(NOT_FOUND);
      const keys = await listDkimKeys(store.pool, domain.id);
      const dkimKeys = keys.filter(({ state }) => state !== 'retired');
      return (await examineDomain({ name: domain.name, dkimKeys }, lookup, settings)).map(toDnsRecord);
    });

    app.post('/domains/:id/verify', { schema: verifyDomainSchema }, async (request, reply) => {
      const ids = { id: readId(request.params.id), organizationId: organizationIdOf(request) };
      const domain = await findDomain(store.pool, ids);
      if (!domain) return reply.code(404).send(NOT_FOUND);
      const { name, dkimSelector: selector, dkimRecord: record } = domain;
      const [dkim, [alias], published] = await Promise.all([
        examineDkimKey(name, { selector, record, algorithm: 'rsa-sha256', state: 'active' }, lookup),
        examineReturnPath(name, lookup, settings),
        findPublishedKey(domain),
      ]);
      const seen = { ...readFindings(domain, dkim.finding, alias?.finding), activated: published?.selector };
      await change(
        store,
        request,
        async (tx) => {
          if (seen.isDkimVerified) await verifyDomain(tx, domain.id);
          if (published) await activateDkimKey(tx, domain, published.selector);
          await noteReturnPath(tx, domain.id, seen.isReturnPathVerified);
        },
        () => describeVerification(domain, seen),
      );
      return toVerification(dkim.finding, alias?.finding, seen);
    });
  };
}

interface Verification {
  isDkimVerified: boolean;
  isReturnPathVerified: boolean;
  /** Selector of a key that signs from now on */
  activated?: string | undefined;
}

/**
 * DKIM, once seen, stays verified: mail is signed whatever the DNS says today. A return path whose alias is gone is not:
 * bounces would go nowhere.
 */
function readFindings(
  { dkimVerifiedAt, returnPathVerifiedAt }: Domain,
  dkim: Finding,
  alias: Finding | undefined,
): Verification {
  const isUnanswered = !alias || UNANSWERED.has(alias.status);
  return {
    isDkimVerified: dkim.status === 'ok' || dkimVerifiedAt !== null,
    isReturnPathVerified: isUnanswered ? returnPathVerifiedAt !== null : alias.status === 'ok',
  };
}

function toVerification(dkim: Finding, alias: Finding | undefined, seen: Verification) {
  return {
    dkim_verified: seen.isDkimVerified,
    advance_verified: seen.isReturnPathVerified,
    errors: {
      ...(dkim.problem && { dkim: dkim.problem }),
      ...(alias?.problem && { advance_verified: alias.problem }),
    },
  };
}

/** Undefined where all is as it was. */
function describeVerification(
  domain: Domain,
  { isDkimVerified, isReturnPathVerified, activated }: Verification,
) {
  const { id, organizationId, name, dkimVerifiedAt, returnPathVerifiedAt } = domain;
  const isSame =
    isDkimVerified === (dkimVerifiedAt !== null) && isReturnPathVerified === (returnPathVerifiedAt !== null);
  if (isSame && activated === undefined) return undefined;
  const details = {
    dkim_verified: isDkimVerified,
    advanced_verified: isReturnPathVerified,
    ...(activated !== undefined && { dkim_key_activated: activated }),
  };
  return { organizationId, action: 'domain.verified', subject: name, subjectId: id, details };
}

function toDnsRecord({ isRequired, finding, ...record }: ExaminedRecord): DnsRecordBody {
  return { ...record, required: isRequired, ...finding };
}
