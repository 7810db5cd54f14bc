import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { DialogClient } from '../dialogs/client.ts';
import { expectAlive } from '../dialogs/runner.ts';
import { logIn, openSession, startMessage } from './session.ts';
import { startTestGateway, type TestGateway } from './test-gateway.ts';

const MIB = 1_048_576;

describe('limits of a client', () => {
  let started: TestGateway;
  const clients: { close(): void }[] = [];

  const start = async (gateway: Parameters<typeof startTestGateway>[0]) => {
    started = await startTestGateway(gateway);
    return started.target;
  };
  const keep = <C extends { close(): void }>(client: C) => {
    clients.push(client);
    return client;
  };
  const greet = async (localAddress: string) => {
    const { host, starttls } = started.target.smtp;
    const client = keep(await DialogClient.open(host, starttls, { tls: false, localAddress }));
    return client.readReply();
  };

  afterEach(async () => {
    for (const client of clients.splice(0)) client.close();
    await started.close();
  });

  it('RS-2: a message that comes in more slowly than the least rate is ended', async () => {
    const target = await start({ gateway: { minDataBytesPerSecond: 500, dataRateWindowMs: 300 } });
    const client = keep(await logIn(target));
    await startMessage(client, target);
    const drip = setInterval(() => void client.send('x'), 20); // 50 bytes/s
    try {
      assert.equal(await client.readReply(), '421 4.4.2 The message comes in too slowly');
      await client.expectClosed();
    } finally {
      clearInterval(drip);
    }
    assert.equal(started.api.submissions.length, 0);
  });

  it('RS-2: one that keeps the least rate is not, however long it takes', async () => {
    const target = await start({ gateway: { minDataBytesPerSecond: 500, dataRateWindowMs: 200 } });
    const client = keep(await logIn(target));
    await startMessage(client, target);
    await client.send(`From: ann@${target.domain}\r\nTo: bob@receiver.example\r\n\r\n`);
    for (let turn = 0; turn < 25; turn += 1) {
      await client.send(`${'x'.repeat(60)}\r\n`); // 2,000 bytes/s
      await new Promise((resolve) => setTimeout(resolve, 30));
    }
    await client.send('.\r\n');
    assert.match(await client.readReply(), /^250 2\.0\.0 Ok: queued as /);
  });

  it('RS-3: a client that sends 10,000 commands and reads no reply is sent away', async () => {
    const target = await start({});
    const socket = connect(target.smtp.starttls, target.smtp.host);
    keep({ close: () => socket.destroy() });
    socket.on('error', () => undefined); // the server's reset
    await once(socket, 'data');
    socket.pause();
    socket.write('NOOP\r\n'.repeat(10_000));
    await expectAlive(target);
    const startedAt = performance.now();
    while (/postern_gateway_sessions [1-9]/.test(await started.registry.metrics())) {
      assert.ok(performance.now() - startedAt < 8_000, 'the session goes on');
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  });

  it('RS-4: a client over its limit is refused, others are not', async () => {
    await start({ gateway: { maxConnectionsPerClient: 5, maxConnections: 60 } });
    for (let host = 1; host <= 10; host += 1) {
      for (let turn = 0; turn < 5; turn += 1) assert.match(await greet(`127.0.0.${host}`), /^220 /);
      assert.equal(await greet(`127.0.0.${host}`), '421 4.7.0 Too many connections from your address');
    }
  });

  it('RS-4: nobody is let in over the limit of all', async () => {
    await start({ gateway: { maxConnections: 2 } });
    assert.match(await greet('127.0.0.1'), /^220 /);
    assert.match(await greet('127.0.0.2'), /^220 /);
    assert.equal(await greet('127.0.0.3'), '421 4.3.2 Too many connections, try again later');
  });

  it('RS-4: a client that opens session after session is told to slow down', async () => {
    await start({ gateway: { maxConnectionsPerClientPerMinute: 2 } });
    assert.match(await greet('127.0.0.1'), /^220 /);
    assert.match(await greet('127.0.0.1'), /^220 /);
    assert.equal(await greet('127.0.0.1'), '421 4.7.0 Too many new connections from your address, slow down');
    assert.match(await greet('127.0.0.2'), /^220 /);
  });

  it('CM-2: a line without an end is read to the limit and no further', async () => {
    const target = await start({});
    const client = keep(await DialogClient.open(target.smtp.host, target.smtp.starttls, { tls: false }));
    await client.readReply();
    const before = process.memoryUsage().rss;
    const chunk = Buffer.alloc(MIB, 'x');
    for (let sent = 0; sent < 100; sent += 1) await client.send(chunk);
    assert.equal(await client.readReply(), '500 5.5.2 Command line too long');
    await client.expectClosed();
    assert.ok(process.memoryUsage().rss - before < 30 * MIB);
    await expectAlive(target);
  });

  it('CM-17: a client that resets its connection amid a command harms nobody', async () => {
    const target = await start({});
    for (const line of ['PROXY TCP4 192.0', 'EHLO x\r\nSTARTTLS\r\n', 'EHLO x\r\n']) {
      const socket = connect(target.smtp.starttls, target.smtp.host);
      await once(socket, 'data');
      await new Promise<void>((resolve) => socket.write(line, () => resolve()));
      socket.resetAndDestroy();
    }
    await expectAlive(target);
    await openSession(target).then(keep);
  });
});
