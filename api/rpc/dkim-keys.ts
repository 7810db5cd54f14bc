import type { FastifyInstance } from 'fastify';
import { findDkimKeys, findDkimRecord } from '../../lib/rpc/contracts/dkim-keys.ts';
import type { Context } from '../app.ts';
import { findRecord, findSigningKeys } from '../models/dkim-key.ts';
import { registerCall } from './register.ts';

export function dkimKeyCalls(app: FastifyInstance, { store, settings }: Context): void {
  registerCall(app, findDkimKeys, async ({ params }) => {
    const keys = await findSigningKeys(store.pool, params.name, settings.secrets.key);
    return keys ? { domain: params.name, keys } : null;
  });

  registerCall(app, findDkimRecord, async ({ params }) => {
    const value = await findRecord(store.pool, params.name, params.selector);
    return value === undefined ? null : { value };
  });
}
