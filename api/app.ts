/**
 * The api as a Fastify app, without a process around it: tests inject into it, server.ts listens with it.
 * Public routes under /api/v1, the other services' under /rpc/v1, both from docs/api.md.
 */
import Fastify, {
  type FastifyBaseLogger,
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
  LogController,
} from 'fastify';
import type { Settings } from '../config/schema.ts';
import type { Logger } from '../lib/log.ts';
import { REQUEST_ID_HEADER } from '../lib/rpc/request-id.ts';
import { requireServiceToken, rpcServerOptions } from '../lib/rpc/server.ts';
import { noTracer, type Tracer } from '../lib/tracing/tracer.ts';
import type { Store } from './database.ts';
import { limitBytesInFlight, RETRY_AFTER_SECONDS } from './plugins/admission.ts';
import { answerError, answerNotFound } from './plugins/errors.ts';
import { takeEmptyJson } from './plugins/json-body.ts';
import { type ApiMetrics, addMonitoring } from './plugins/metrics.ts';
import { requireJson } from './plugins/negotiation.ts';
import { addOpenApi } from './plugins/openapi.ts';
import { limitFailures } from './plugins/rate-limits.ts';
import { addSecurityHeaders } from './plugins/security-headers.ts';
import type { RateLimiter } from './rate-limiter.ts';
import { addressBlockRoutes } from './routes/address-blocks.ts';
import { addressCheckRoutes } from './routes/address-checks.ts';
import { apiTokenRoutes } from './routes/api-tokens.ts';
import { auditEntryRoutes, ownAuditEntryRoutes } from './routes/audit-entries.ts';
import { batchRoutes } from './routes/batches.ts';
import { cancellationRoutes } from './routes/cancellations.ts';
import { dkimKeyRoutes } from './routes/dkim-keys.ts';
import { domainReportRoutes } from './routes/domain-reports.ts';
import { domainRoutes } from './routes/domains.ts';
import { inboundConfirmationRoutes } from './routes/inbound-confirmations.ts';
import { inboundMessageRoutes } from './routes/inbound-messages.ts';
import { inboundRouteRoutes } from './routes/inbound-routes.ts';
import { messageSourceRoutes } from './routes/message-sources.ts';
import { messageRoutes } from './routes/messages.ts';
import { operatorMessageRoutes } from './routes/operator-messages.ts';
import { organizationRoutes } from './routes/organizations.ts';
import { ownOrganizationRoutes } from './routes/own-organization.ts';
import { sendRoutes } from './routes/send.ts';
import { sendingPoolRoutes } from './routes/sending-pools.ts';
import { spamReviewRoutes } from './routes/spam-reviews.ts';
import { suppressionImportRoutes } from './routes/suppression-imports.ts';
import { suppressionRoutes } from './routes/suppressions.ts';
import { templateRoutes } from './routes/templates.ts';
import { unsubscriptionRoutes } from './routes/unsubscriptions.ts';
import { verificationRoutes } from './routes/verifications.ts';
import { webhookDeliveryRoutes } from './routes/webhook-deliveries.ts';
import { webhookStateRoutes } from './routes/webhook-states.ts';
import { webhookRoutes } from './routes/webhooks.ts';
import { credentialCalls } from './rpc/credentials.ts';
import { deliveryEventCalls } from './rpc/delivery-events.ts';
import { dkimKeyCalls } from './rpc/dkim-keys.ts';
import { domainReportCalls } from './rpc/domain-reports.ts';
import { inboundMessageCalls } from './rpc/inbound-messages.ts';
import { mailReportCalls } from './rpc/mail-reports.ts';
import { recipientCalls } from './rpc/recipients.ts';
import { sendingPoolCalls } from './rpc/sending-pools.ts';
import { submissionCalls } from './rpc/submissions.ts';
import { suppressionCalls } from './rpc/suppressions.ts';
import { createTemplateRenderer, type TemplateRenderer } from './templates/renderer.ts';

/** Base64 grows by a third, its line ends and JSON's escapes by some more. */
const BODY_BYTES_PER_MESSAGE_BYTE = 1.5;
/** Longer than the idle connections of the services' clients and of a reverse proxy in front. */
const KEEP_ALIVE_TIMEOUT_MS = 72_000;
/** How late a request that takes too long is noticed. */
const TIMEOUT_CHECKS_PER_TIMEOUT = 5;

export interface AppOptions extends Store {
  settings: Settings;
  log: Logger;
  limiter: RateLimiter;
  tracer?: Tracer;
}

/** What routes and RPC handlers are made from. */
export interface Context {
  store: Store;
  settings: Settings;
  metrics: ApiMetrics;
  limiter: RateLimiter;
  templates: TemplateRenderer;
  tracer: Tracer;
}

export async function createApp({
  settings,
  log,
  pool,
  boss,
  invalidator,
  limiter,
  tracer = noTracer,
}: AppOptions): Promise<FastifyInstance> {
  const loggerInstance: FastifyBaseLogger = log;
  const app: FastifyInstance = Fastify({
    ...rpcServerOptions,
    loggerInstance,
    logController: new LogController({ disableRequestLogging: true }),
    bodyLimit: Math.ceil(settings.limits.maxMessageBytes * BODY_BYTES_PER_MESSAGE_BYTE),
    trustProxy: settings.api.trustedProxies,
    requestTimeout: settings.api.requestTimeoutMs,
    keepAliveTimeout: KEEP_ALIVE_TIMEOUT_MS,
    http: {
      headersTimeout: settings.api.headersTimeoutMs,
      connectionsCheckingInterval: settings.api.headersTimeoutMs / TIMEOUT_CHECKS_PER_TIMEOUT,
    },
  });
  app.decorateRequest('domainCredential', undefined);
  app.decorateRequest('organizationCredential', undefined);
  app.decorateRequest('operatorCredential', undefined);
  takeEmptyJson(app);
  app.setErrorHandler(answerError);
  app.setNotFoundHandler(answerNotFound);
  limitBytesInFlight(app);
  limitFailures(app, limiter, settings);
  app.addHook('onSend', addHeaders);
  app.addHook('onResponse', async (request, reply) => logResponse(request.log, reply.statusCode, request));

  const metrics = addMonitoring(app, { database: () => pool.query('select 1') });
  const templates = createTemplateRenderer();
  app.addHook('onClose', () => templates.close());
  const context = { store: { pool, boss, invalidator }, settings, metrics, limiter, templates, tracer };
  await addSecurityHeaders(app);
  await addOpenApi(app);
  await app.register(publicRoutes(context), { prefix: '/api/v1' });
  await app.register(unsubscriptionRoutes(context));
  await app.register(rpcRoutes(context));
  return app;
}

function publicRoutes(context: Context) {
  return async (app: FastifyInstance): Promise<void> => {
    app.addHook('onRequest', requireJson);
    for (const routes of [
      sendRoutes,
      suppressionRoutes,
      suppressionImportRoutes,
      batchRoutes,
      messageRoutes,
      cancellationRoutes,
      messageSourceRoutes,
      templateRoutes,
      inboundRouteRoutes,
      inboundConfirmationRoutes,
      operatorMessageRoutes,
      inboundMessageRoutes,
      domainRoutes,
      verificationRoutes,
      domainReportRoutes,
      dkimKeyRoutes,
      apiTokenRoutes,
      webhookRoutes,
      webhookStateRoutes,
      webhookDeliveryRoutes,
      ownOrganizationRoutes,
      organizationRoutes,
      spamReviewRoutes,
      sendingPoolRoutes,
      addressBlockRoutes,
      addressCheckRoutes,
      auditEntryRoutes,
      ownAuditEntryRoutes,
    ]) {
      await app.register(routes(context));
    }
  };
}

function rpcRoutes(context: Context) {
  return async (app: FastifyInstance): Promise<void> => {
    app.addHook('onRequest', requireServiceToken(context.settings.secrets.serviceToken));
    for (const addCalls of [
      credentialCalls,
      dkimKeyCalls,
      submissionCalls,
      deliveryEventCalls,
      suppressionCalls,
      mailReportCalls,
      domainReportCalls,
      sendingPoolCalls,
      recipientCalls,
      inboundMessageCalls,
    ]) {
      addCalls(app, context);
    }
  };
}

async function addHeaders(request: FastifyRequest, reply: FastifyReply): Promise<void> {
  reply.header(REQUEST_ID_HEADER, request.id);
  if (reply.statusCode === 503) reply.header('retry-after', String(RETRY_AFTER_SECONDS));
}

function logResponse(
  log: Pick<Logger, 'debug'>,
  status: number,
  { method, routeOptions }: { method: string; routeOptions: { url?: string | undefined } },
): void {
  log.debug({ method, route: routeOptions.url, status }, 'request.answered');
}
