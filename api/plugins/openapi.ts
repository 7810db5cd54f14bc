/** `GET /api/v1/openapi.json`: the public routes, described by their own schemas. Register it before them. */
import swagger from '@fastify/swagger';
import type { FastifyInstance } from 'fastify';

export async function addOpenApi(app: FastifyInstance): Promise<void> {
  await app.register(swagger, {
    openapi: { info: { title: 'Postern', version: '1', description: 'docs/api.md says the rest' } },
    transform: ({ schema, url }) => ({ url, schema: { ...schema, hide: !url.startsWith('/api/v1/') } }),
  });
  app.get('/api/v1/openapi.json', { schema: { response: { 200: {} } } }, () => app.swagger());
}
