import type { FastifyInstance } from 'fastify';
import { findCredential } from '../../lib/rpc/contracts/credentials.ts';
import type { Context } from '../app.ts';
import { findDomainCredential, refusalOf } from '../models/api-token.ts';
import { isGranted } from '../models/scope.ts';
import { registerCall } from './register.ts';

export function credentialCalls(app: FastifyInstance, { store }: Context): void {
  registerCall(app, findCredential, async ({ params }) => {
    const credential = await findDomainCredential(store.pool, { digest: params.digest });
    if (!credential || !isGranted(credential.scopes, 'send')) return null;
    return { ...credential, refusal: refusalOf(credential) };
  });
}
