/** A span for each request of the routes that take messages: a message's trace begins with it. */
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { readTraceparent, type Span, TRACEPARENT_HEADER, type Tracer } from '../../lib/tracing/tracer.ts';

const spans = new WeakMap<FastifyRequest, Span>();

/** Adds it to the routes that `app` gets. */
export function traceRequests(app: FastifyInstance, tracer: Tracer): void {
  app.addHook('onRequest', async (request) => {
    const route = request.routeOptions.url ?? '';
    const parent = readTraceparent(request.headers[TRACEPARENT_HEADER]);
    const attributes = {
      'http.request.method': request.method,
      'http.route': route,
      'postern.request_id': request.id,
    };
    spans.set(request, tracer.begin(`${request.method} ${route}`, parent, { kind: 'server', attributes }));
  });
  app.addHook('onResponse', async (request, { statusCode }) => {
    const failure = statusCode >= 500 ? String(statusCode) : undefined;
    spans.get(request)?.end({ 'http.response.status_code': statusCode }, failure);
  });
}

/** Of the request, for what is done on its behalf later. */
export function traceparentOf(request: FastifyRequest): string | undefined {
  return spans.get(request)?.traceparent;
}
