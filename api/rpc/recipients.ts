import type { FastifyInstance } from 'fastify';
import { findInboundRecipient } from '../../lib/rpc/contracts/recipients.ts';
import type { Context } from '../app.ts';
import { findRecipient } from '../inbound/find-recipient.ts';
import { registerCall } from './register.ts';

export function recipientCalls(app: FastifyInstance, { store, settings }: Context): void {
  registerCall(app, findInboundRecipient, async ({ params }) => {
    const found = await findRecipient(store.pool, params.address, settings);
    if (found?.kind !== 'route') return found ?? null;
    const { id: routeId, domainId, domain, dmarc, spamRefuseScore } = found.route;
    return { kind: 'route' as const, routeId, domainId, domain, dmarc, spamRefuseScore };
  });
}
