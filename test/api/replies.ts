/**
 * Holds every answer of a test's app against the schema of its route: a status that no schema names, a body that does not
 * fit, a field that no schema names, and an answer without its request id fail the test file (AP-8). Without a trace in
 * the app itself: Fastify tells of each instance that is made.
 */
import { channel } from 'node:diagnostics_channel';
import { Ajv, type ValidateFunction } from 'ajv';
import addFormats from 'ajv-formats';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';

export interface RegisteredRoute {
  method: string;
  url: string;
}

export interface Watch {
  /** What did not fit so far. */
  violations: string[];
  routes: RegisteredRoute[];
}

const ajv = new Ajv({ strict: false, allErrors: true });
addFormats.default(ajv);
const compiled = new WeakMap<object, ValidateFunction>();

/** Runs `create`, which makes one app, and watches what the app answers from then on. */
export async function watchReplies(
  create: () => Promise<FastifyInstance>,
): Promise<{ app: FastifyInstance; watch: Watch }> {
  const watch: Watch = { violations: [], routes: [] };
  const initialization = channel('fastify.initialization');
  const addHooks = (message: unknown) => {
    const { fastify } = message as { fastify: FastifyInstance };
    fastify.addHook('onRoute', ({ method, url }) => {
      for (const each of [method].flat()) watch.routes.push({ method: each, url });
    });
    fastify.addHook('onSend', async (request, reply, payload) => checkReply(watch, request, reply, payload));
    fastify.addHook('onResponse', async (request, reply) => {
      if (reply.getHeader('x-request-id') === request.id) return;
      watch.violations.push(`${request.method} ${request.url}: no X-Request-Id`);
    });
  };
  initialization.subscribe(addHooks);
  try {
    return { app: await create(), watch };
  } finally {
    initialization.unsubscribe(addHooks);
  }
}

function checkReply(watch: Watch, request: FastifyRequest, reply: FastifyReply, payload: unknown): unknown {
  const { url = '', schema } = request.routeOptions;
  if (request.is404 || !url.startsWith('/api/v1/') || url.startsWith('/api/v1/reference')) return payload;
  const schemas = (schema?.response ?? {}) as Record<string, object | undefined>;
  const expected = schemas[String(reply.statusCode)];
  const faults = expected ? findFaults(expected, reply, payload) : ['no schema names this status'];
  watch.violations.push(...faults.map((fault) => `${request.method} ${url} ${reply.statusCode}: ${fault}`));
  return payload;
}

function findFaults(schema: object, reply: FastifyReply, payload: unknown): string[] {
  if ('content' in schema) return findTypeFaults(schema.content as object, reply);
  if (payload !== undefined && payload !== null && typeof payload !== 'string') return ['is no JSON'];
  const value: unknown = payload ? JSON.parse(payload) : null;
  let validate = compiled.get(schema);
  if (!validate) {
    validate = ajv.compile(closeObjects(schema));
    compiled.set(schema, validate);
  }
  if (validate(value)) return [];
  return (validate.errors ?? []).map(({ instancePath, message, params }) =>
    params.additionalProperty
      ? `${instancePath}/${params.additionalProperty} is not in the schema`
      : `${instancePath} ${message}`,
  );
}

/** Of an answer that is no JSON. `application/octet-stream` stands for any type. */
function findTypeFaults(content: object, reply: FastifyReply): string[] {
  const type = String(reply.getHeader('content-type')).replace(/;.*/, '');
  return type in content || 'application/octet-stream' in content ? [] : [`no schema names ${type}`];
}

/** The schema with no room for fields it does not name, where it names any. */
function closeObjects(schema: unknown): object {
  return JSON.parse(JSON.stringify(schema), (_key, value) =>
    value?.type === 'object' && value.properties && value.additionalProperties === undefined
      ? { ...value, additionalProperties: false }
      : value,
  );
}
