/** Whatever went wrong, in the contract's words. No body repeats what the client sent, nor says where it broke. */
import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify';
import { isDatabaseUnavailable } from '../database.ts';
import { answerUnavailable } from './admission.ts';

export const NOT_FOUND = { error: 'Not found' };

const fastifyErrors: Record<string, [status: number, error: string]> = {
  FST_ERR_CTP_BODY_TOO_LARGE: [413, 'Email exceeds the maximum size of 30 MB'],
  FST_ERR_CTP_INVALID_MEDIA_TYPE: [406, 'Invalid request format or content type'],
  FST_ERR_CTP_INVALID_JSON_BODY: [400, 'Request body is not valid JSON'],
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: [400, 'Request body and Content-Length differ'],
};

export function answerError(error: FastifyError, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const known = fastifyErrors[error.code];
  if (known) return reply.code(known[0]).send({ error: known[1] });
  if (error.validation) return reply.code(422).send({ errors: describeValidation(error) });
  if (isDatabaseUnavailable(error)) {
    request.log.warn({ err: error }, 'database.unavailable');
    return answerUnavailable(reply);
  }
  const status = error.statusCode ?? 500;
  if (status >= 400 && status < 500) return reply.code(status).send({ error: 'Bad request' });
  request.log.error({ err: error }, 'request.failed');
  return reply.code(500).send();
}

/** For routes whose query is a search: a bad one is a 400 that names its fields (AP-3). */
export function answerBadQuery(
  error: FastifyError,
  request: FastifyRequest,
  reply: FastifyReply,
): FastifyReply {
  if (error.validationContext !== 'querystring') return answerError(error, request, reply);
  return reply.code(400).send({ errors: describeValidation(error) });
}

export async function answerNotFound(_request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
  return reply.code(404).send(NOT_FOUND);
}

function describeValidation({ validation = [] }: FastifyError): Record<string, string[]> {
  return Object.fromEntries(
    validation.map(({ instancePath, params, message }) => {
      const missing = typeof params.missingProperty === 'string' ? `/${params.missingProperty}` : '';
      const field = `${instancePath}${missing}`.slice(1).replaceAll('/', '.') || 'request';
      return [field, [missing ? 'undefined field' : (message ?? 'is invalid')]];
    }),
  );
}
