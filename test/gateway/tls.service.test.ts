import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { PassThrough } from 'node:stream';
import { connect as connectTls } from 'node:tls';
import { pino } from 'pino';
import { expectAlive } from '../dialogs/runner.ts';
import { startTestGateway, type TestGateway } from './test-gateway.ts';

const ALERT = 0x15;
/** ECDHE with RSA */
const CIPHER_SUITES = { RC4: 0xc011, '3DES': 0xc012, AES: 0xc02f };

/** A length in so many bytes, and the bytes */
function counted(lengthBytes: number, bytes: Buffer): Buffer {
  const length = Buffer.alloc(lengthBytes);
  length.writeUIntBE(bytes.length, 0, lengthBytes);
  return Buffer.concat([length, bytes]);
}

/** RFC 5246 7.4.1.2, in one record; `name` as RFC 6066 3 has it */
function clientHello({ version, suite, name }: { version: number; suite: number; name?: Buffer }): Buffer {
  const two = (value: number) => Buffer.from([value >> 8, value & 0xff]);
  const serverName = name && counted(2, counted(2, Buffer.concat([Buffer.from([0]), counted(2, name)])));
  const extensions = Buffer.concat([
    ...(serverName ? [two(0), serverName] : []),
    ...[two(10), counted(2, counted(2, two(0x17)))], // secp256r1
    ...[two(13), counted(2, counted(2, Buffer.from([8, 4, 4, 1])))], // RSA-PSS and RSA with SHA-256
  ]);
  const hello = Buffer.concat([
    two(version),
    Buffer.alloc(32, 7), // random
    counted(1, Buffer.alloc(0)), // session
    counted(2, two(suite)),
    counted(1, Buffer.from([0])), // compression
    counted(2, extensions),
  ]);
  const handshake = Buffer.concat([Buffer.from([1]), counted(3, hello)]);
  return Buffer.concat([Buffer.from([0x16, 3, 1]), counted(2, handshake)]);
}

describe('TLS', () => {
  let started: TestGateway;
  let logged = '';
  const sockets: Socket[] = [];

  const open = async () => {
    const { host, tls } = started.target.smtp;
    const socket = connect(tls, host);
    sockets.push(socket);
    socket.on('error', () => undefined);
    await once(socket, 'connect');
    return socket;
  };
  /** What the server says until it closes, or its first record */
  const answer = async (bytes: Buffer | string) => {
    const socket = await open();
    socket.write(bytes);
    const first = await Promise.race([once(socket, 'data'), once(socket, 'close')]);
    return first[0] instanceof Buffer ? first[0] : Buffer.alloc(0);
  };

  before(async () => {
    const lines = new PassThrough();
    lines.on('data', (line) => {
      logged += line;
    });
    started = await startTestGateway({ log: pino({ level: 'info' }, lines) });
  });
  afterEach(() => {
    for (const socket of sockets.splice(0)) socket.destroy();
    logged = '';
  });
  after(() => started.close());

  it('TL-7: answers a client of TLS 1.2 with AES, so that the refusals below mean something', async () => {
    const suite = CIPHER_SUITES.AES;
    assert.equal((await answer(clientHello({ version: 0x0303, suite })))[0], 0x16);
  });

  for (const [what, version, suite] of [
    ['TLS 1.0', 0x0301, CIPHER_SUITES.AES],
    ['TLS 1.1', 0x0302, CIPHER_SUITES.AES],
    ['RC4', 0x0303, CIPHER_SUITES.RC4],
    ['3DES', 0x0303, CIPHER_SUITES['3DES']],
  ] as const) {
    it(`TL-7: refuses ${what} with an alert`, async () => {
      assert.equal((await answer(clientHello({ version, suite })))[0], ALERT);
      await expectAlive(started.target);
    });
  }

  for (const [what, name] of [
    ['of 4 KB', Buffer.alloc(4_096, 'a')],
    ['with a NUL', Buffer.from('mail\0.example')],
    ['that ends with a backslash', Buffer.from('mail.example\\')],
    ['that is empty', Buffer.alloc(0)],
    ['named __proto__', Buffer.from('__proto__')],
  ] as const) {
    it(`TL-7: outlives a server name ${what}`, async () => {
      const hello = clientHello({ version: 0x0303, suite: CIPHER_SUITES.AES, name });
      const record = (await answer(hello))[0];
      assert.ok(record === undefined || record === ALERT || record === 0x16);
      await expectAlive(started.target);
    });
  }

  it('TL-7: does not renegotiate', async () => {
    const { host, tls } = started.target.smtp;
    const socket = connectTls({ host, port: tls, rejectUnauthorized: false, maxVersion: 'TLSv1.2' });
    sockets.push(socket);
    socket.on('error', () => undefined);
    await once(socket, 'data');
    const isRenegotiated = await new Promise<boolean>((resolve) => {
      socket.renegotiate({}, (error) => resolve(!error));
      setTimeout(resolve, 300, false); // the server says nothing to it
    });
    assert.ok(!isRenegotiated);
    await expectAlive(started.target);
  });

  it('TL-9: ends SMTP where TLS is spoken, without a reply and with one log line', async () => {
    const said = await answer('EHLO client.example\r\n');
    assert.doesNotMatch(said.toString('latin1'), /^\d{3}/);
    await expectAlive(started.target);
    assert.equal(logged.split('handshake.failed').length, 2);
  });

  it('TL-9: writes one log line for TLS where SMTP is spoken', async () => {
    const { host, starttls } = started.target.smtp;
    const socket = connect(starttls, host);
    sockets.push(socket);
    socket.write(Buffer.from([0x16, 3, 1, 0, 5]));
    await once(socket.resume(), 'close');
    assert.match(logged, /"protocol":"TLS","msg":"session\.refused"/);
    assert.equal(logged.split('session.refused').length, 2);
  });
});
