/**
 * The public routes, described by their own schemas: `GET /api/v1/openapi.json` (OpenAPI 3.1), and a page to read at
 * `/api/v1/reference`, which loads nothing from elsewhere. Register it before the routes.
 */
import { STATUS_CODES } from 'node:http';
import swagger from '@fastify/swagger';
import swaggerUi from '@fastify/swagger-ui';
import type { FastifyInstance, FastifySchema, RouteOptions } from 'fastify';
import { commonReplies } from '../schemas/replies.ts';
import { describeOperation, tokenHeaders } from './operation.ts';

const PREFIX = '/api/v1/';
const REFERENCE_PATH = '/api/v1/reference';

/** All that the page needs comes from here. */
const PAGE_POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " +
  "base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

export async function addOpenApi(app: FastifyInstance): Promise<void> {
  app.addHook('onRoute', completeSchema);
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: { title: 'Postern', version: '1', description: 'Sends mail, and says what became of it.' },
      servers: [{ url: '/' }],
      components: { securitySchemes: tokenHeaders },
    },
    transform: ({ schema, url }) => ({ url, schema: { ...schema, hide: !isDescribed(url) } }),
  });
  const schema = { operationId: 'describeApi', response: { 200: {} } };
  app.get('/api/v1/openapi.json', { schema }, () => app.swagger());
  await app.register(swaggerUi, {
    routePrefix: REFERENCE_PATH,
    // The validator is a page of somebody else's, which would be shown the document.
    uiConfig: { docExpansion: 'list', validatorUrl: null },
    staticCSP: PAGE_POLICY,
  });
}

/** Every answer that any route can give stands in the schema of each: what is not there is not promised. */
function completeSchema(route: RouteOptions): void {
  if (!isDescribed(route.url) || route.method === 'HEAD') return;
  const method = String(route.method);
  const schema: FastifySchema = route.schema ?? {};
  const replies = { ...commonReplies, ...(schema.response as Record<string, object>) };
  route.schema = { ...describeOperation(method, route.url), ...schema, response: describeReplies(replies) };
}

function describeReplies(replies: Record<string, object>): Record<string, object> {
  return Object.fromEntries(
    Object.entries(replies).map(([code, schema]) => [code, { description: STATUS_CODES[code], ...schema }]),
  );
}

function isDescribed(url: string): boolean {
  return url.startsWith(PREFIX) && !url.startsWith(REFERENCE_PATH);
}
