import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer as createHttpServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import { type AddressInfo, createServer as createTcpServer, type Server, type Socket } from 'node:net';
import { getCACertificates, setDefaultCACertificates } from 'node:tls';
import { gzipSync } from 'node:zlib';
import { generate } from 'selfsigned';
import { type AddressPolicy, createAddressPolicy } from '../../../api/webhooks/address-policy.ts';
import { createPoster, type Poster, type PostResult } from '../../../api/webhooks/post.ts';
import { createResolver } from '../../../api/webhooks/resolve.ts';
import { type DnsServer, startDnsServer } from '../../../sandbox/dns-server.ts';
import type { ZoneRecord } from '../../../sandbox/zone.ts';
import { log } from '../support.ts';

const TIMEOUT_MS = 400;
const BODY = Buffer.from('{"event":"email.queued"}');
/** Stands for the public internet in these tests: all of loopback but 127.0.0.2. */
const publicLoopback: AddressPolicy = {
  allows: (address) => address.startsWith('127.') && address !== '127.0.0.2',
};

describe('api/webhooks/post', () => {
  const closing: (() => unknown)[] = [];
  let dns: DnsServer;
  /** Records by name; a function is asked each time. */
  const names = new Map<string, () => ZoneRecord[]>();
  let poster: Poster;

  before(async () => {
    const zone = {
      hostname: 'ns.test',
      answer: async (name: string, type: string) => {
        const records = names.get(name.toLowerCase())?.();
        if (!records) return { status: 'not_found' } as const;
        return { status: 'found', records: records.filter((record) => record.type === type) } as const;
      },
    };
    dns = await startDnsServer({ host: '127.0.0.1', port: 0, zone, log });
    poster = makePoster(publicLoopback);
  });
  after(async () => {
    for (const close of closing.toReversed()) await close();
    await dns.close();
  });

  function makePoster(addresses: AddressPolicy): Poster {
    const resolve = createResolver([`127.0.0.1:${dns.port}`], addresses);
    const made = createPoster({ addresses, resolve, timeoutMs: TIMEOUT_MS });
    closing.push(() => made.close());
    return made;
  }

  const a = (address: string): ZoneRecord => ({ type: 'A', address });

  async function listen(server: Server, host = '127.0.0.1'): Promise<number> {
    server.listen(0, host);
    await once(server, 'listening');
    const sockets = new Set<Socket>();
    server.on('connection', (socket: Socket) => sockets.add(socket));
    closing.push(() => {
      for (const socket of sockets) socket.destroy();
      server.close();
    });
    return (server.address() as AddressInfo).port;
  }

  function serveHttp(answer: (request: IncomingMessage, response: ServerResponse) => void): Promise<number> {
    return listen(createHttpServer(answer));
  }

  /** A server that writes what it likes to whoever connects. */
  function serveBytes(write: (socket: Socket) => void): Promise<number> {
    return listen(
      createTcpServer((socket) => {
        socket.on('error', () => {});
        socket.once('data', () => write(socket));
      }),
    );
  }

  function post(url: string, by = poster): Promise<PostResult> {
    return by.post(new URL(url), { 'content-type': 'application/json' }, BODY);
  }

  const reasonOf = (result: PostResult) => (result.ok ? `status ${result.status}` : result.reason);

  it('posts the bytes, with the host of the URL', async () => {
    names.set('hooks.test', () => [a('127.0.0.1')]);
    const chunks: Buffer[] = [];
    let host = '';
    const port = await serveHttp((request, response) => {
      host = request.headers.host ?? '';
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => response.writeHead(202).end('thanks'));
    });

    const result = await post(`http://hooks.test:${port}/a?b=c`);

    assert.deepEqual(result, { ok: true, status: 202, retryAfter: undefined, snippet: 'thanks' });
    assert.deepEqual([Buffer.concat(chunks), host], [BODY, `hooks.test:${port}`]);
  });

  it('keeps name and SNI while it connects to the pinned address, and checks the certificate', async () => {
    names.set('secure.test', () => [a('127.0.0.1')]);
    names.set('other.test', () => [a('127.0.0.1')]);
    const { private: key, cert } = await generate([{ name: 'commonName', value: 'secure.test' }], {
      keyType: 'ec',
      algorithm: 'sha256',
      extensions: [{ name: 'subjectAltName', altNames: [{ type: 2, value: 'secure.test' }] }],
    });
    const port = await listen(createHttpsServer({ key, cert }, (_request, response) => response.end('ok')));

    assert.deepEqual([reasonOf(await post(`https://secure.test:${port}/`))], ['tls_failed']); // not trusted yet
    const trusted = getCACertificates('default');
    setDefaultCACertificates([...trusted, cert]);
    try {
      const fresh = makePoster(publicLoopback);
      assert.equal(reasonOf(await post(`https://secure.test:${port}/`, fresh)), 'status 200');
      assert.equal(reasonOf(await post(`https://other.test:${port}/`, fresh)), 'tls_failed');
    } finally {
      setDefaultCACertificates(trusted);
    }
  });

  it('HK-1: refuses a name that resolves to loopback, and an address of it', async () => {
    names.set('127.0.0.1.nip.io', () => [a('127.0.0.1')]);
    const strict = makePoster(createAddressPolicy({ allowLoopback: false, deniedNetworks: [] }));
    let visits = 0;
    const port = await serveHttp((_request, response) => {
      visits++;
      response.end();
    });

    for (const host of [
      '127.0.0.1.nip.io',
      'localhost',
      'foo.localhost',
      '127.0.0.1',
      '[::ffff:127.0.0.1]',
      '0',
    ]) {
      assert.equal(reasonOf(await post(`http://${host}:${port}/`, strict)), 'private_address', host);
    }
    assert.equal(visits, 0);
  });

  describe('HK-5: the DNS', () => {
    it('passes over the private one of two addresses', async () => {
      names.set('mixed.test', () => [a('127.0.0.2'), a('127.0.0.1')]);
      const port = await serveHttp((_request, response) => response.end('public'));
      assert.equal(reasonOf(await post(`http://mixed.test:${port}/`)), 'status 200');
    });

    it('refuses a name that has become private', async () => {
      const answers = ['127.0.0.1', '127.0.0.2'];
      names.set('rebind.test', () => [a(answers.shift() ?? '127.0.0.2')]);
      let visits = 0;
      const port = await listen(
        createHttpServer((_request, response) => {
          visits++;
          response.writeHead(200, { connection: 'close' }).end();
        }),
        '0.0.0.0',
      );
      assert.equal(reasonOf(await post(`http://rebind.test:${port}/`)), 'status 200');
      answers.length = 0;
      assert.equal(reasonOf(await post(`http://rebind.test:${port}/`)), 'private_address');
      assert.equal(visits, 1);
    });

    it('tells a name that does not exist from one that is private', async () => {
      assert.equal(reasonOf(await post('http://nowhere.test/')), 'dns_failed');
    });
  });

  for (const status of [301, 302, 307, 308]) {
    it(`HK-6: does not follow a ${status}`, async () => {
      let visits = 0;
      const target = await serveHttp((_request, response) => {
        visits++;
        response.end();
      });
      const port = await serveHttp((_request, response) =>
        response.writeHead(status, { location: `http://127.0.0.1:${target}/` }).end(),
      );
      assert.equal(reasonOf(await post(`http://127.0.0.1:${port}/`)), `status ${status}`);
      assert.equal(visits, 0);
    });
  }

  describe('HK-7: an endpoint that', () => {
    const badly: [what: string, write: (socket: Socket) => void, reason: string][] = [
      ['never answers', () => {}, 'timeout'],
      ['closes', (socket) => socket.destroy(), 'connection_failed'],
      ['speaks no HTTP', (socket) => socket.end('220 smtp.example ESMTP\r\n'), 'bad_response'],
      [
        'sends 100,000 headers',
        (socket) => socket.end(`HTTP/1.1 200 OK\r\n${'x: y\r\n'.repeat(100_000)}\r\n`),
        'bad_response',
      ],
      ['says 100 and nothing more', (socket) => socket.write('HTTP/1.1 100 Continue\r\n\r\n'), 'timeout'],
      [
        'changes the protocol',
        (socket) => socket.end('HTTP/1.1 101 x\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n'),
        'connection_failed',
      ],
    ];
    for (const [what, write, reason] of badly) {
      it(what, async () => {
        const port = await serveBytes(write);
        const startedAt = performance.now();
        assert.equal(reasonOf(await post(`http://127.0.0.1:${port}/`)), reason);
        assert.ok(performance.now() - startedAt < TIMEOUT_MS + 300);
      });
    }

    it('drips its header byte by byte', async () => {
      const port = await serveBytes((socket) => {
        const timer = setInterval(() => socket.write('x'), 20);
        socket.write('HTTP/1.1 200 OK\r\nx-');
        socket.on('close', () => clearInterval(timer));
      });
      assert.equal(reasonOf(await post(`http://127.0.0.1:${port}/`)), 'timeout');
    });

    it('drips its body: the status counts, in time', async () => {
      const port = await serveBytes((socket) => {
        const timer = setInterval(() => socket.write('x'), 20);
        socket.write('HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n');
        socket.on('close', () => clearInterval(timer));
      });
      const startedAt = performance.now();
      assert.equal(reasonOf(await post(`http://127.0.0.1:${port}/`)), 'status 200');
      assert.ok(performance.now() - startedAt < TIMEOUT_MS + 300);
    });

    it('sends 10 GB: it is cut off after 100 KB', async () => {
      let written = 0;
      const port = await serveBytes((socket) => {
        socket.write('HTTP/1.1 500 x\r\nContent-Length: 10737418240\r\n\r\n');
        const pour = () => {
          while (!socket.destroyed && socket.write(Buffer.alloc(65_536, 'é'))) written += 65_536;
        };
        socket.on('drain', pour);
        pour();
      });
      const result = await post(`http://127.0.0.1:${port}/`);
      assert.ok(result.ok && result.status === 500);
      assert.ok(Buffer.byteLength(result.snippet) <= 512);
      assert.ok(written < 20_000_000);
    });

    it('sends a gzip bomb: it stays packed', async () => {
      const bomb = gzipSync(Buffer.alloc(5_000_000));
      const port = await serveHttp((_request, response) =>
        response.writeHead(200, { 'content-encoding': 'gzip' }).end(bomb),
      );
      const result = await post(`http://127.0.0.1:${port}/`);
      assert.ok(result.ok && result.snippet.length <= 512);
    });

    it('has no TLS where it should', async () => {
      const port = await serveHttp((_request, response) => response.end());
      assert.equal(reasonOf(await post(`https://127.0.0.1:${port}/`)), 'tls_failed');
    });

    it('is not there', async () => {
      const port = await serveHttp(() => {});
      await closing.pop()?.();
      assert.equal(reasonOf(await post(`http://127.0.0.1:${port}/`)), 'connection_failed');
    });
  });

  it('uses a connection again, and tries once more when it was closed meanwhile', async () => {
    const ports = new Set<number | undefined>();
    let isClosing = false;
    const port = await listen(
      createHttpServer((request, response) => {
        ports.add(request.socket.remotePort);
        if (isClosing) {
          isClosing = false;
          request.socket.resetAndDestroy();
        } else response.end('ok');
      }),
    );
    for (let count = 0; count < 3; count++) await post(`http://127.0.0.1:${port}/`);
    assert.equal(ports.size, 1);
    isClosing = true;
    assert.equal(reasonOf(await post(`http://127.0.0.1:${port}/`)), 'status 200');
    assert.equal(ports.size, 2);
  });

  it('cuts a snippet off at 512 bytes and shows NUL', async () => {
    const port = await serveHttp((_request, response) =>
      response.writeHead(400).end(`\0${'é'.repeat(1000)}`),
    );
    const result = await post(`http://127.0.0.1:${port}/`);
    assert.ok(result.ok);
    assert.ok(result.snippet.startsWith('\ufffdé') && Buffer.byteLength(result.snippet) <= 516);
  });
});
