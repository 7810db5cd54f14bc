import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type Server } from 'node:https';
import { setTimeout as sleep } from 'node:timers/promises';
import { getCACertificates, setDefaultCACertificates } from 'node:tls';
import { gunzipSync } from 'node:zlib';
import { Redis } from 'ioredis';
import { simpleParser } from 'mailparser';
import { sendTlsReports } from '../../api/jobs/send-tls-reports.ts';
import { openTlsMemory } from '../../lib/tls/memory.ts';
import { encodeResult, resultsKey, type TlsResult } from '../../lib/tls/results.ts';
import { portOf } from '../../sandbox/port.ts';
import { issueCertificate } from '../support/certificates.ts';
import { startTestDns, type TestDns } from '../support/dns.ts';
import { testRedisUrl } from '../support/postgres.ts';
import { log, startTestApi, type Tenant, type TestApi } from './support.ts';

const DAY = '2020-01-31';
const NEXT_DAY = new Date('2020-02-01T05:00:00Z');

const result: TlsResult = {
  domain: 'asks.test',
  policyType: 'no-policy-found',
  policy: [],
  mxPatterns: [],
  resultType: 'success',
  mx: 'mx.asks.test',
  sendingIp: '192.0.2.1',
};

describe('reports of TLS (RFC 8460)', () => {
  const trusted = getCACertificates('default');
  const received: { type: string | undefined; body: Buffer }[] = [];
  let api: TestApi;
  let tenant: Tenant;
  let dns: TestDns;
  let server: Server;

  before(async () => {
    dns = await startTestDns();
    api = await startTestApi('tls_reports', {
      redis: { url: testRedisUrl() },
      sandbox: { dnsPort: dns.port },
      webhooks: { allowLoopback: true },
      tlsReports: { from: 'tls@reporter.test' },
    });
    tenant = await api.createTenant({ domain: 'reporter.test' });
    const { cert, key } = await issueCertificate('localhost');
    setDefaultCACertificates([...trusted, cert]);
    server = createServer({ cert, key }, async (request, response) => {
      const chunks: Buffer[] = [];
      for await (const chunk of request) chunks.push(chunk);
      received.push({ type: request.headers['content-type'], body: Buffer.concat(chunks) });
      response.writeHead(201).end();
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');

    const memory = openTlsMemory(api.settings.redis.url, () => {});
    const redis = new Redis(api.settings.redis.url);
    await redis.del(resultsKey(DAY));
    for (const domain of ['asks.test', 'asks.test', 'silent.test', 'quiet.test']) {
      await memory.count(resultsKey(DAY), encodeResult({ ...result, domain }), 60);
    }
    while ((await redis.hlen(resultsKey(DAY))) < 3) await sleep(10); // what was counted before Redis was there
    memory.close();
    redis.disconnect();
    const rua = `mailto:reports@asks.test,https://localhost:${portOf(server)}/tls`;
    dns.set('_smtp._tls.asks.test', { type: 'TXT', text: `v=TLSRPTv1; rua=${rua}` });
    dns.break('_smtp._tls.silent.test', 'failed');
  });
  after(async () => {
    setDefaultCACertificates(trusted);
    server.closeAllConnections();
    server.close();
    await dns.close();
    await api.close();
  });

  it('go once by mail and by HTTPS to who asks for them', async () => {
    const context = { store: api.store, settings: api.settings, log };
    await sendTlsReports(context, NEXT_DAY);
    await sendTlsReports(context, NEXT_DAY);

    const [post, ...more] = received;
    assert.equal(more.length, 0);
    assert.equal(post?.type, 'application/tlsrpt+gzip');
    const report = JSON.parse(gunzipSync(post?.body ?? '').toString());
    assert.equal(report.policies[0].summary['total-successful-session-count'], 2);

    const { rows } = await api.store.pool.query<{ content: Buffer }>(
      `select content from message_sources source join messages message on message.id = source.message_id
        where domain_id = $1`,
      [tenant.domainId],
    );
    assert.equal(rows.length, 1);
    const mail = await simpleParser(rows[0]?.content ?? '');
    assert.equal(mail.headers.get('tls-report-domain'), 'asks.test');
    assert.match(String(rows[0]?.content), /Content-Type: multipart\/report; report-type="tlsrpt"/);
    const [attachment] = mail.attachments;
    assert.match(attachment?.filename ?? '', /^reporter\.test!asks\.test!\d+!\d+\.json\.gz$/);
    assert.deepEqual(JSON.parse(gunzipSync(attachment?.content ?? '').toString()), report);
  });

  it('are tried again in an hour where the DNS had no answer', async () => {
    const { rows } = await api.store.pool.query<{ domain: string }>(
      'select domain from tls_reports order by domain',
    );
    assert.deepEqual(
      rows.map(({ domain }) => domain),
      ['asks.test', 'quiet.test'],
    );
  });
});
