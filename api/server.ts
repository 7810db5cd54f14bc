/**
 * The api: the public send API, the RPC of the other services, `/health` and `/metrics`. Any number of them may run.
 *
 * A message is answered 200 after it, its recipients and the job that hands it over are committed together. With
 * Postgres down or slow the answer is 503 within seconds; with Redis down nothing changes but that revoked tokens and
 * changed keys are forgotten a little later. On SIGTERM it answers what it has begun and goes, within ten seconds.
 *
 * Trusts: Postgres; the holders of the service token. Never trusts: a request; a header that a proxy did not set.
 * Never: sends mail itself, shows a token twice, tells one tenant of another.
 * Settings: database, redis, secrets, api, limits. TLS and the outside address are the reverse proxy's.
 */
import { loadSettings } from '../config/load.ts';
import { createLogger } from '../lib/log.ts';
import { createInvalidator } from '../lib/rpc/invalidation.ts';
import { handleShutdown } from '../lib/shutdown.ts';
import { openTracer } from '../lib/tracing/tracer.ts';
import { createApp } from './app.ts';
import { createPool } from './database.ts';
import { createProducer } from './jobs/producer.ts';
import { createRateLimiter } from './rate-limiter.ts';

const settings = loadSettings();
const log = createLogger('api', settings.log);
const shutdown = handleShutdown(log);

const pool = createPool(settings);
shutdown.add('database', () => pool.end());
const invalidator = createInvalidator({ redisUrl: settings.redis.url, log });
shutdown.add('invalidator', () => invalidator.close());
const boss = await createProducer(pool, log);
shutdown.add('jobs', () => boss.stop({ graceful: false }));

const limiter = createRateLimiter({ redisUrl: settings.redis.url, log });
shutdown.add('limiter', () => limiter.close());

const tracer = await openTracer('api', settings, log);
shutdown.add('tracer', () => tracer.close());
const app = await createApp({ settings, log, pool, boss, invalidator, limiter, tracer });
shutdown.add('http', () => app.close());
await app.listen({ host: settings.api.host, port: settings.api.port });
log.info({ host: settings.api.host, port: settings.api.port }, 'api.started');
