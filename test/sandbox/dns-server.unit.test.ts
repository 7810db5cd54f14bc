import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { Resolver } from 'node:dns/promises';
import { once } from 'node:events';
import { Packet, TCPClient, UDPClient } from 'dns2';
import { createLogger } from '../../lib/log.ts';
import { type DnsServer, splitText, startDnsServer } from '../../sandbox/dns-server.ts';
import { createZone } from '../../sandbox/zone.ts';
import { findDkimRecord, HOST } from './support.ts';

describe('the DNS server of the sandbox', () => {
  let server: DnsServer;
  const resolver = new Resolver({ timeout: 500, tries: 1 });

  before(async () => {
    const zone = createZone({ hostname: 'postern.test', address: '127.0.0.1', findDkimRecord });
    const log = createLogger('test', { level: 'silent' });
    server = await startDnsServer({ host: HOST, port: 0, zone, log });
    resolver.setServers([`${HOST}:${server.port}`]);
  });

  after(() => server.close());

  it('leaves nothing open where somebody else has the port by UDP', async () => {
    const taken = createSocket('udp4').bind(0, HOST);
    await once(taken, 'listening');
    const { port } = taken.address();
    const zone = createZone({ hostname: 'postern.test', address: '127.0.0.1', findDkimRecord });
    const options = { host: HOST, port, zone, log: createLogger('test', { level: 'silent' }) };

    await assert.rejects(startDnsServer(options), { code: 'EADDRINUSE' });

    taken.close();
    await once(taken, 'close');
    await (await startDnsServer(options)).close();
  });

  it('answers MX, A, TXT and PTR', async () => {
    assert.partialDeepStrictEqual(await resolver.resolveMx('example.test'), [
      { exchange: 'mx.example.test', priority: 10 },
    ]);
    assert.deepEqual(await resolver.resolve4('mx.example.test'), ['127.0.0.1']);
    assert.deepEqual(await resolver.resolveTxt('_dmarc.example.test'), [['v=DMARC1; p=none']]);
    assert.deepEqual(await resolver.resolvePtr('1.0.0.127.in-addr.arpa'), ['postern.test']);
  });

  it('tells no data, no such name, failure and silence apart', async () => {
    await assert.rejects(resolver.resolve6('example.test'), { code: 'ENODATA' });
    await assert.rejects(resolver.resolve4('nxdomain.test'), { code: 'ENOTFOUND' });
    await assert.rejects(resolver.resolve4('servfail.test'), { code: 'ESERVFAIL' });
    await assert.rejects(resolver.resolve4('timeout.test'), { code: 'ETIMEOUT' });
    await assert.rejects(resolver.resolveTxt('down._domainkey.sender.test'), { code: 'ESERVFAIL' });
    assert.partialDeepStrictEqual(await resolver.resolveMx('nullmx.test'), [{ exchange: '', priority: 0 }]);
  });

  it('splits a key into strings of 255 bytes', async () => {
    const [strings] = await resolver.resolveTxt('s1._domainkey.sender.test');
    assert.ok(strings);
    assert.deepEqual(
      strings.map((string) => string.length),
      [255, strings.join('').length - 255],
    );
    assert.deepEqual(splitText('x'.repeat(510)), ['x'.repeat(255), 'x'.repeat(255)]);
  });

  it('truncates over UDP what is too long, and gives all of it over TCP', async () => {
    const name = 'long._domainkey.sender.test';
    const ask = { dns: HOST, port: server.port };
    const truncated = await UDPClient({ ...ask, retryOverTCP: false })(name, 'TXT');
    assert.equal(truncated.header.tc, 1);
    assert.equal(truncated.answers.length, 0);
    const whole = await TCPClient(ask)(name, 'TXT');
    assert.equal([whole.answers[0]?.data].flat(2).join('').length, 3011);
    const [strings] = await resolver.resolveTxt(name);
    assert.equal(strings?.join('').length, 3011);
  });

  it('refuses what is no query of one question, and goes on after garbage', async () => {
    const socket = createSocket('udp4');
    const ask = async (message: Buffer) => {
      socket.send(message, server.port, HOST);
      const [answer] = await once(socket, 'message', { signal: AbortSignal.timeout(2000) });
      return Packet.parse(answer).header.rcode;
    };
    const question: { name: string; type: number; class: number } = {
      name: 'a.test',
      type: Packet.TYPE.A,
      class: Packet.CLASS.IN,
    };
    const query = (header: object, questions = [question]) => {
      const packet = new Packet(new Packet.Header({ id: 7, ...header }));
      packet.questions = questions.map((each) => new Packet.Question(each));
      return packet.toBuffer();
    };
    socket.send(Buffer.from('garbage'), server.port, HOST);
    socket.send(query({ qr: 1 }), server.port, HOST); // an answer gets none
    assert.equal(await ask(query({ opcode: 5 })), Packet.RCODE.NOTIMP);
    assert.equal(await ask(query({}, [])), Packet.RCODE.FORMERR);
    assert.equal(await ask(query({}, [question, question])), Packet.RCODE.FORMERR);
    assert.equal(await ask(query({}, [{ ...question, class: Packet.CLASS.CH }])), Packet.RCODE.REFUSED);
    assert.equal(await ask(query({})), Packet.RCODE.NOERROR);
    socket.close();
  });
});
