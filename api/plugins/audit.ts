/** The change that a request asks for, and its entry in the audit log: one transaction. */
import type { FastifyRequest } from 'fastify';
import { inTransaction, type Store, type Transaction } from '../database.ts';
import { type Actor, type Change, recordChange } from '../models/audit.ts';

/**
 * Runs `work`, and notes what it did.
 * @param describe of what `work` returned; undefined: nothing was changed, so nothing is noted
 */
export function change<T>(
  store: Store,
  request: FastifyRequest,
  work: (tx: Transaction) => Promise<T>,
  describe: (result: T) => Change | undefined,
): Promise<T> {
  return inTransaction(store, async (tx) => {
    const result = await work(tx);
    const made = describe(result);
    if (made) await recordChange(tx, actorOf(request), made);
    return result;
  });
}

export function actorOf(request: FastifyRequest): Actor {
  const {
    operatorCredential,
    organizationCredential,
    domainCredential,
    id: requestId,
    ip: address,
  } = request;
  if (operatorCredential)
    return { kind: 'operator', tokenId: operatorCredential.tokenId, requestId, address };
  if (organizationCredential)
    return { kind: 'organization', tokenId: organizationCredential.tokenId, requestId, address };
  if (domainCredential) return { kind: 'domain', tokenId: domainCredential.tokenId, requestId, address };
  throw new Error('the route does not authenticate');
}
