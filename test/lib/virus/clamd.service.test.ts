import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { Readable } from 'node:stream';
import { createClamd } from '../../../lib/virus/clamd.ts';
import {
  EICAR,
  MAX_BYTES,
  requireClamd,
  SIGNATURE,
  startClamd,
  type TestClamd,
} from '../../support/clamd.ts';

const PLAIN = Buffer.from('From: a@sender.test\r\nSubject: Hi\r\n\r\nHello\r\n');

/** Of a mail client: the file as an attachment. */
function mailWith(file: string): Buffer {
  const lines = [
    ...['From: a@sender.test', 'MIME-Version: 1.0', 'Content-Type: multipart/mixed; boundary="b"', ''],
    ...['--b', 'Content-Type: text/plain', '', 'Look at this', ''],
    ...['--b', 'Content-Type: application/octet-stream', 'Content-Transfer-Encoding: base64'],
    ...['Content-Disposition: attachment; filename="a.zip"', '', Buffer.from(file).toString('base64')],
    ...['--b--', ''],
  ];
  return Buffer.from(lines.join('\r\n'));
}

describe('clamd', () => {
  let server: TestClamd;
  before(async function () {
    requireClamd(this);
    server = await startClamd();
  });
  after(() => server?.close());

  const clamd = () => createClamd({ socket: server.socket, host: '', port: 0, maxBytes: MAX_BYTES });
  const found = { kind: 'infected', virus: SIGNATURE };

  it('finds nothing in an ordinary message', async () => {
    assert.deepEqual(await clamd().check(PLAIN), { kind: 'clean' });
  });

  it('finds a virus in the text, in an attachment, and behind megabytes of a stream', async () => {
    assert.deepEqual(await clamd().check(Buffer.concat([PLAIN, Buffer.from(EICAR)])), found);
    assert.deepEqual(await clamd().check(mailWith(EICAR)), found);
    const pieces = [PLAIN, ...Array.from({ length: 40 }, () => Buffer.alloc(65_536, 'x\r\n')), EICAR];
    assert.deepEqual(await clamd().check(Readable.from(pieces.map((piece) => Buffer.from(piece)))), found);
  });

  it('shows it no more than is set', async () => {
    const long = Readable.from(Array.from({ length: 100 }, () => Buffer.alloc(65_536)));
    assert.deepEqual(await clamd().check(long), { kind: 'too_large' });
    assert.equal(long.destroyed, true);
  });

  it('answers many at a time', async () => {
    const all = await Promise.all(
      Array.from({ length: 30 }, (_, index) => clamd().check(index % 2 ? PLAIN : mailWith(EICAR))),
    );
    assert.deepEqual(
      all,
      all.map((_, index) => (index % 2 ? { kind: 'clean' } : found)),
    );
  });
});

describe('clamd that fails', () => {
  let server: Server;
  let onConnection: (socket: Socket) => void;
  before(async () => {
    server = createServer((socket) => {
      socket.on('error', () => {});
      onConnection(socket);
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
  });
  after((done) => void server.close(done));

  const check = (port = (server.address() as AddressInfo).port) =>
    createClamd({ socket: '', host: '127.0.0.1', port, maxBytes: 1000 }).check(PLAIN);

  const cases: [string, string, RegExp][] = [
    ['closes the connection', '', /closed the connection/],
    ['answers an error', 'INSTREAM size limit exceeded. ERROR\0', /size limit exceeded/],
    ['answers something else', 'x'.repeat(100_000), /clamd answers x{1000}$/],
  ];
  for (const [what, answer, message] of cases) {
    it(`is no verdict when it ${what}`, async () => {
      onConnection = (socket) => socket.resume().end(answer);
      await assert.rejects(check(), message);
    });
  }

  it('is no verdict when nobody listens', async () => {
    await assert.rejects(check(1), /ECONNREFUSED/);
  });

  it('puts no name into a reply that cannot stand there', async () => {
    onConnection = (socket) => socket.resume().end('stream: a\r\n250 OK FOUND\0');
    assert.deepEqual(await check(), { kind: 'infected', virus: 'unnamed' });
  });
});
