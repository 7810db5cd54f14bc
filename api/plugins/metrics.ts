/** What Prometheus sees of the api, and `/health`. Keep both from the internet: a reverse proxy passes /api and / only. */
import type { FastifyInstance } from 'fastify';
import { Counter, collectDefaultMetrics, Histogram, Registry } from 'prom-client';
import { capLabel } from '../../lib/capped-label.ts';
import { type Check, checkHealth } from '../../lib/monitor.ts';

const MAX_ORGANIZATIONS = 50;
const MAX_POOLS = 50;

export interface ApiMetrics {
  accepted(source: 'http' | 'smtp', organizationId: number, count: number): void;
  /** @param pool that the mail left from; undefined: none that we know */
  delivered(type: string, pool: string | undefined): void;
  mailReports: Counter<'kind' | 'outcome'>;
}

export function addMonitoring(app: FastifyInstance, checks: Record<string, Check>): ApiMetrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const seconds = new Histogram({
    name: 'postern_http_request_seconds',
    help: 'Duration of requests by route and status',
    labelNames: ['route', 'status'],
    buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10],
    registers: [registry],
  });
  app.addHook('onResponse', async (request, reply) => {
    const route = request.routeOptions.url ?? 'none';
    seconds.observe({ route, status: reply.statusCode }, reply.elapsedTime / 1000);
  });
  app.get('/health', async (_request, reply) => {
    const health = await checkHealth('api', checks);
    return reply.code(health.status === 'ok' ? 200 : 503).send(health);
  });
  app.get('/metrics', async (_request, reply) =>
    reply.type(registry.contentType).send(await registry.metrics()),
  );
  return createCounters(registry);
}

function createCounters(registry: Registry): ApiMetrics {
  const organizationLabel = capLabel(MAX_ORGANIZATIONS);
  const poolLabel = capLabel(MAX_POOLS);
  const accepted = new Counter({
    name: 'postern_messages_accepted_total',
    help: 'Messages taken over, by the way they came and organization',
    labelNames: ['source', 'organization'],
    registers: [registry],
  });
  const events = new Counter({
    name: 'postern_delivery_events_total',
    help: 'Events that the mta reported, each once, by type and the pool of the local address',
    labelNames: ['type', 'pool'],
    registers: [registry],
  });
  return {
    accepted: (source, organizationId, count) =>
      accepted.inc({ source, organization: organizationLabel(organizationId) }, count),
    delivered: (type, pool) => events.inc({ type, pool: poolLabel(pool ?? 'none') }),
    mailReports: new Counter({
      name: 'postern_mail_reports_total',
      help: 'Bounces and complaints that came by mail, by what became of them',
      labelNames: ['kind', 'outcome'],
      registers: [registry],
    }),
  };
}
