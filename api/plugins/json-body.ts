/** JSON, or nothing: clients of the contract say `Content-Type: application/json` of a request without a body too (1.5). */
import type { FastifyInstance } from 'fastify';

const JSON_TYPE = 'application/json';

/** An empty body is null; what would change a prototype is refused, as Fastify does it. */
export function takeEmptyJson(app: FastifyInstance): void {
  const parse = app.getDefaultJsonParser('error', 'error');
  app.removeContentTypeParser(JSON_TYPE);
  app.addContentTypeParser<string>(JSON_TYPE, { parseAs: 'string' }, (request, body, done) => {
    if (body === '') done(null, null);
    else parse(request, body, done);
  });
}
