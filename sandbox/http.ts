/** What arrived, over HTTP: JSON for tests, pages for people. No authentication: it listens on loopback. */
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import fastify from 'fastify';
import Type from 'typebox';
import type { Logger } from '../lib/log.ts';
import { type Check, checkHealth } from '../lib/monitor.ts';
import type { RecipientAttempts } from './behaviours.ts';
import type { Mailbox } from './mailbox.ts';
import { CONTENT_SECURITY_POLICY, mailboxPage, messagePage, STYLE } from './pages.ts';
import type { PolicyHost } from './policy-host.ts';

const PAGE_MESSAGES = 200;

const summarySchema = Type.Object({
  id: Type.String(),
  receivedAt: Type.String(),
  envelope: Type.Object({ from: Type.String(), to: Type.Array(Type.String()) }),
  subject: Type.Union([Type.String(), Type.Null()]),
  authentication: Type.Object({ spf: Type.String(), dkim: Type.String(), dmarc: Type.String() }),
  tls: Type.Union([Type.Object({ version: Type.String(), cipher: Type.String() }), Type.Null()]),
  size: Type.Integer(),
});

const messageSchema = Type.Object({
  ...summarySchema.properties,
  signatures: Type.Array(
    Type.Object({ domain: Type.String(), selector: Type.String(), result: Type.String() }),
  ),
  client: Type.Object({ address: Type.String(), helo: Type.String() }),
});

const errorSchema = Type.Object({ error: Type.String() });
const idSchema = Type.Object({ id: Type.String({ maxLength: 100 }) });
const filterSchema = Type.Object({
  recipient: Type.Optional(Type.String({ maxLength: 1000 })),
  subject: Type.Optional(Type.String({ maxLength: 1000 })),
});

const addressSchema = Type.Object({ address: Type.String({ minLength: 3, maxLength: 320 }) });
const refusalsSchema = Type.Array(
  Type.Object({
    code: Type.Integer({ minimum: 400, maximum: 599 }),
    enhanced: Type.String({ pattern: '^[45]\\.[0-9]{1,3}\\.[0-9]{1,3}$' }),
    text: Type.String({ pattern: '^[ -~]{1,500}$' }),
  }),
  { maxItems: 100 },
);

const notFound = { error: 'No such message' };

export interface HttpOptions {
  mailbox: Mailbox;
  attempts: RecipientAttempts;
  listTlsReports: PolicyHost['listReports'];
  checks: Record<string, Check>;
  log: Logger;
}

export function createHttp({ mailbox, attempts, listTlsReports, checks, log }: HttpOptions) {
  const http = fastify({
    logger: false,
    forceCloseConnections: true,
  }).withTypeProvider<TypeBoxTypeProvider>();

  http.addHook('onSend', async (_request, reply) => {
    reply.headers({
      'x-content-type-options': 'nosniff',
      'content-security-policy': CONTENT_SECURITY_POLICY,
    });
  });
  http.setErrorHandler((error: Error & { statusCode?: number }, request, reply) => {
    const status = error.statusCode ?? 500;
    if (status >= 500) log.error({ err: error, url: request.url }, 'http.request_failed');
    reply.status(status).send({ error: status >= 500 ? 'Internal error' : error.message });
  });

  http.get('/health', async (_request, reply) => {
    const health = await checkHealth('sandbox', checks);
    return reply.status(health.status === 'ok' ? 200 : 503).send(health);
  });

  http.get(
    '/messages',
    { schema: { querystring: filterSchema, response: { 200: Type.Array(summarySchema) } } },
    async (request) => mailbox.list(request.query),
  );
  http.delete('/messages', { schema: { response: { 204: Type.Null() } } }, async (_request, reply) => {
    mailbox.clear();
    return reply.status(204).send(null);
  });
  http.get(
    '/messages/:id',
    { schema: { params: idSchema, response: { 200: messageSchema, 404: errorSchema } } },
    async (request, reply) => mailbox.find(request.params.id) ?? reply.status(404).send(notFound),
  );
  http.get('/messages/:id/raw', { schema: { params: idSchema } }, async (request, reply) => {
    const message = mailbox.find(request.params.id);
    if (!message) return reply.status(404).send(notFound);
    return reply.type('message/rfc822').send(message.raw);
  });

  http.get(
    '/tls-reports',
    { schema: { querystring: Type.Object({ domain: Type.String({ maxLength: 300 }) }) } },
    async (request) => listTlsReports(request.query.domain),
  );

  http.put(
    '/recipients/:address/refusals',
    { schema: { params: addressSchema, body: refusalsSchema, response: { 204: Type.Null() } } },
    async (request, reply) => {
      attempts.script(request.params.address, request.body);
      return reply.status(204).send(null);
    },
  );

  http.get('/', { schema: { querystring: filterSchema } }, async (request, reply) => {
    const { recipient } = request.query;
    const found = mailbox.list(recipient ? { recipient } : {});
    const messages = found.slice(-PAGE_MESSAGES).reverse();
    return reply
      .type('text/html; charset=utf-8')
      .send(mailboxPage({ messages, total: mailbox.size, recipient: recipient ?? '' }));
  });
  http.get('/messages/:id/page', { schema: { params: idSchema } }, async (request, reply) => {
    const message = mailbox.find(request.params.id);
    if (!message) return reply.status(404).send(notFound);
    return reply.type('text/html; charset=utf-8').send(messagePage(message));
  });
  http.get('/style.css', async (_request, reply) => reply.type('text/css').send(STYLE));

  return http;
}
