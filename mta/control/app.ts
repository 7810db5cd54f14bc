/**
 * The control port of the mta as a Fastify app, without a process around it. `GET /health` and `GET /metrics` are open
 * to everybody who reaches the port; everything under /queue needs the service token, and changes what is queued.
 *
 * Trusts: the service token. Never: shows a body or a secret, touches what is being attempted at this moment.
 * Every action is in the audit (GET /queue/actions) before it changes the first delivery. docs/operate-queue.md has
 * the meaning of each verb.
 */
import Fastify, { type FastifyBaseLogger, type FastifyInstance, LogController } from 'fastify';
import type { Registry } from 'prom-client';
import type { Logger } from '../../lib/log.ts';
import { type Check, checkHealth } from '../../lib/monitor.ts';
import { isSameSecret } from '../../lib/secrets.ts';
import type { RunningQueue } from '../queue/running-queue.ts';
import { answerError, QueueClosed, refuse } from './replies.ts';
import { actionRoutes } from './routes/actions.ts';
import { deliveryRoutes } from './routes/deliveries.ts';
import { limitRoutes } from './routes/limits.ts';
import { pacingRoutes } from './routes/pacing.ts';
import { pauseRoutes } from './routes/pauses.ts';

const MAX_BODY_BYTES = 65_536;
const MAX_PARAM_LENGTH = 300;

export interface ControlOptions {
  serviceToken: string;
  /** The queue of this process, once it is open */
  findQueue(): RunningQueue | undefined;
  /** The zones that deliveries can be moved to */
  listZones(): string[];
  registry: Registry;
  checks: Record<string, Check>;
  log: Logger;
}

/** What routes are made from. */
export interface ControlContext {
  /** Throws where it is not open; a hook has refused the request before. */
  queue(): RunningQueue;
  listZones(): string[];
}

export async function createControlApp(options: ControlOptions): Promise<FastifyInstance> {
  const loggerInstance: FastifyBaseLogger = options.log;
  const app: FastifyInstance = Fastify({
    loggerInstance,
    logController: new LogController({ disableRequestLogging: true }),
    bodyLimit: MAX_BODY_BYTES,
    routerOptions: { maxParamLength: MAX_PARAM_LENGTH },
    forceCloseConnections: true,
    // A misspelt criterion must be refused, not dropped: the selector would mean more than was said.
    ajv: { customOptions: { removeAdditional: false, coerceTypes: 'array' } },
  });
  app.setErrorHandler(answerError);
  app.setNotFoundHandler((_request, reply) => refuse(reply, 'not_found'));
  addMonitoring(app, options);
  await app.register(queueRoutes(options), { prefix: '/queue' });
  return app;
}

function addMonitoring(app: FastifyInstance, { checks, registry }: ControlOptions): void {
  app.get('/health', async (_request, reply) => {
    const health = await checkHealth('mta', checks);
    return reply.code(health.status === 'ok' ? 200 : 503).send(health);
  });
  app.get('/metrics', async (_request, reply) =>
    reply.type(registry.contentType).send(await registry.metrics()),
  );
}

function queueRoutes({ serviceToken, findQueue, listZones }: ControlOptions) {
  if (!serviceToken) throw new Error('the service token is empty');
  const context: ControlContext = {
    queue() {
      const queue = findQueue();
      if (!queue) throw new QueueClosed();
      return queue;
    },
    listZones,
  };
  return async (app: FastifyInstance): Promise<void> => {
    app.addHook('onRequest', async (request, reply) => {
      const given = /^Bearer (.+)$/i.exec(request.headers.authorization ?? '')?.[1] ?? '';
      if (!isSameSecret(given, serviceToken)) return refuse(reply, 'unauthorized');
      return findQueue() ? undefined : refuse(reply, 'queue_closed');
    });
    for (const routes of [deliveryRoutes, pauseRoutes, actionRoutes, limitRoutes, pacingRoutes]) {
      await app.register(routes(context));
    }
  };
}
