/**
 * The health and metrics port of a process: `GET /health` (200 or 503, each check by name) and `GET /metrics`
 * (Prometheus text). Bound to loopback or a private address: it has no authentication and shows no secret (AU-11).
 */

import { once } from 'node:events';
import { createServer, type Server, type ServerResponse } from 'node:http';
import { collectDefaultMetrics, type Registry } from 'prom-client';

const CHECK_TIMEOUT_MS = 2_000;

/** Resolves when the thing is well; throws (the message is shown) when it is not. */
export type Check = () => Promise<unknown> | unknown;

export interface Health {
  status: 'ok' | 'failing';
  service: string;
  checks: Record<string, string>;
}

export type MonitorOptions = {
  service: string;
  host?: string;
  port: number;
  checks?: Record<string, Check>;
} & (
  | { registry: Registry; collectsDefaults?: true }
  /** The registry, or whatever stands for several, has the process's own figures already. */
  | { registry: Figures; collectsDefaults: false }
);

/** What `/metrics` shows */
interface Figures {
  contentType: string;
  metrics(): Promise<string>;
}

export async function startMonitor(options: MonitorOptions): Promise<Server> {
  if (options.collectsDefaults !== false) collectDefaultMetrics({ register: options.registry });
  const server = createServer((request, response) => {
    if (request.url === '/health') void answerHealth(options, response);
    else if (request.url === '/metrics') void answerMetrics(options.registry, response);
    else response.writeHead(404).end();
  });
  server.listen(options.port, options.host ?? '127.0.0.1');
  await once(server, 'listening');
  return server;
}

/** Runs all checks side by side, each within two seconds. */
export async function checkHealth(service: string, checks: Record<string, Check>): Promise<Health> {
  const results = await Promise.all(
    Object.entries(checks).map(async ([name, check]) => [name, await runCheck(check)] as const),
  );
  const status = results.every(([, result]) => result === 'ok') ? 'ok' : 'failing';
  return { status, service, checks: Object.fromEntries(results) };
}

async function runCheck(check: Check): Promise<string> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${CHECK_TIMEOUT_MS} ms`)), CHECK_TIMEOUT_MS);
  });
  try {
    await Promise.race([check(), timeout]);
    return 'ok';
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  } finally {
    clearTimeout(timer);
  }
}

async function answerHealth({ service, checks }: MonitorOptions, response: ServerResponse): Promise<void> {
  const health = await checkHealth(service, checks ?? {});
  response.writeHead(health.status === 'ok' ? 200 : 503, { 'content-type': 'application/json' });
  response.end(JSON.stringify(health));
}

/** Figures that cannot be had (a process that ends while it is asked) are 503: the next scrape has them. */
async function answerMetrics(registry: Figures, response: ServerResponse): Promise<void> {
  try {
    const figures = await registry.metrics();
    response.writeHead(200, { 'content-type': registry.contentType });
    response.end(figures);
  } catch (error) {
    response.writeHead(503).end(error instanceof Error ? error.message : String(error));
  }
}
