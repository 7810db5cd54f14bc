import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { sendRequest, startTestApi, type Tenant, type TestApi } from './support.ts';

/** Stands between the api and Postgres; can cut the line, or let nothing through on a line that stays open. */
class Cable {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #state: 'up' | 'cut' | 'silent' = 'up';

  constructor(target: URL) {
    this.#server = createServer((socket) => {
      if (this.#state === 'cut') return socket.destroy();
      const upstream = connect(Number(target.port), target.hostname);
      for (const [from, to] of [
        [socket, upstream],
        [upstream, socket],
      ] as const) {
        this.#sockets.add(from);
        from.on('data', (chunk) => this.#state === 'up' && to.write(chunk));
        from.on('error', () => to.destroy());
        from.on('close', () => {
          this.#sockets.delete(from);
          to.destroy();
        });
      }
      return undefined;
    });
  }

  async listen(): Promise<number> {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
    const address = this.#server.address();
    return address !== null && typeof address !== 'string' ? address.port : 0;
  }

  set(state: 'up' | 'cut' | 'silent'): void {
    this.#state = state;
    if (state === 'cut' || state === 'up') for (const socket of this.#sockets) socket.destroy();
  }

  close(): void {
    this.set('cut');
    this.#server.close();
  }
}

describe('the api without its database (AP-11)', () => {
  let api: TestApi;
  let tenant: Tenant;
  let cable: Cable;

  before(async () => {
    const target = new URL(process.env.POSTERN_TEST_POSTGRES_URL ?? '');
    cable = new Cable(target);
    const port = await cable.listen();
    api = await startTestApi(
      'overload',
      {},
      (url) => Object.assign(new URL(url), { port: String(port) }).href,
    );
    tenant = await api.createTenant();
  });
  after(async () => {
    cable.set('up');
    await api.close();
    cable.close();
  });

  const requests = () => [
    sendRequest(tenant),
    { url: '/api/v1/messages/1', headers: { 'mailpace-server-token': tenant.token } },
    { url: '/api/v1/domains', headers: { 'mailpace-organization-token': tenant.organizationToken } },
    {
      url: `/rpc/v1/domains/${tenant.domain}/dkim_keys`,
      headers: { authorization: `Bearer ${api.settings.secrets.serviceToken}` },
    },
  ];

  it('answers 503 with Retry-After when the line is cut, and goes on when it is back', async () => {
    cable.set('cut');
    for (const request of requests()) {
      const { statusCode, headers } = await api.app.inject(request);
      assert.deepEqual([request.url, statusCode, headers['retry-after']], [request.url, 503, '2']);
    }
    const health = await api.app.inject('/health');
    assert.deepEqual([health.statusCode, health.json().status], [503, 'failing']);

    cable.set('up');
    await sleep(100);
    assert.equal((await api.app.inject(sendRequest(tenant))).statusCode, 200);
    const recovered = await api.app.inject('/health');
    assert.deepEqual(recovered.json(), { status: 'ok', service: 'api', checks: { database: 'ok' } });
  });

  it('answers 503 within seconds when all connections are taken', async () => {
    const { maxConnections } = api.settings.database;
    const clients = await Promise.all(Array.from({ length: maxConnections }, () => api.store.pool.connect()));
    const started = Date.now();
    const { statusCode } = await api.app.inject(sendRequest(tenant));
    for (const client of clients) client.release();

    assert.equal(statusCode, 503);
    assert.ok(Date.now() - started < 4_000);
    assert.equal((await api.app.inject(sendRequest(tenant))).statusCode, 200);
  });

  it('answers 503 when the line is silent', async () => {
    await api.store.pool.query('select 1');
    cable.set('silent');
    const { statusCode } = await api.app.inject(sendRequest(tenant));
    cable.set('up');
    await sleep(100); // the pool hears that its connections are gone

    assert.equal(statusCode, 503);
    assert.equal((await api.app.inject(sendRequest(tenant))).statusCode, 200);
  });

  it('refuses bodies beyond what it has memory for, before reading them', async () => {
    const [first, second] = await Promise.all(
      [1, 2].map(() =>
        api.app.inject(sendRequest(tenant, {}, { 'content-length': String(200 * 1024 * 1024) })),
      ),
    );
    assert.deepEqual([first?.statusCode, second?.statusCode].sort(), [413, 503]);
    assert.equal((await api.app.inject(sendRequest(tenant))).statusCode, 200);
  });

  it('says no more than it must of an error of its own', async () => {
    const { statusCode, body } = await api.app.inject({ url: '/api/v1/nowhere' });
    assert.deepEqual([statusCode, body], [404, '{"error":"Not found"}']);
  });

  it('counts requests and messages', async () => {
    const { body } = await api.app.inject('/metrics');
    const lines = body
      .split('\n')
      .filter((line) => /accepted_total\{|seconds_count\{.*send.*"503"/.test(line));
    assert.match(
      lines.sort().join('\n'),
      /seconds_count.*\} [1-9]\d*\n.*source="http",organization="\d+"\} [1-9]/,
    );
  });
});
