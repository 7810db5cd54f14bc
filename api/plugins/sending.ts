/** What the routes that take messages begin with: a span, a domain's token, and an organization that may send. */
import type { FastifyInstance } from 'fastify';
import type { Tracer } from '../../lib/tracing/tracer.ts';
import type { Store } from '../database.ts';
import { authenticateDomain, requireSendingAllowed } from './authentication.ts';
import { traceRequests } from './tracing.ts';

/** Adds it to the routes that `app` gets. */
export function admitSenders(
  app: FastifyInstance,
  { store, tracer }: { store: Store; tracer: Tracer },
): void {
  traceRequests(app, tracer);
  app.addHook('onRequest', authenticateDomain(store.pool));
  app.addHook('onRequest', requireSendingAllowed);
}
