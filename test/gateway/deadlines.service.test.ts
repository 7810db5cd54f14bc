import assert from 'node:assert/strict';
import { performance } from 'node:perf_hooks';
import { DialogClient } from '../dialogs/client.ts';
import { expectAlive } from '../dialogs/runner.ts';
import { logIn, openSession, startMessage } from './session.ts';
import { startTestGateway, type TestGateway } from './test-gateway.ts';

const DRIP_MS = 20;

/** Sends a byte every 20 ms until the server has closed or a second is over. */
async function drip(client: DialogClient): Promise<void> {
  for (let sent = 0; sent < 50; sent += 1) {
    await client.send('x');
    await new Promise((resolve) => setTimeout(resolve, DRIP_MS));
  }
}

describe('deadlines (RS-1)', () => {
  let started: TestGateway;
  let client: DialogClient | undefined;

  const start = async (gateway: Parameters<typeof startTestGateway>[0]) => {
    started = await startTestGateway(gateway);
    return started.target;
  };
  const expectTimeout = async (opened: DialogClient, limitMs: number) => {
    const from = performance.now();
    void drip(opened);
    assert.match(await opened.readReply(), /^421 4\.4\.2 Timeout/);
    assert.ok(performance.now() - from < limitMs + 300);
    await opened.expectClosed();
  };

  afterEach(async () => {
    client?.close();
    await started.close();
  });

  it('end a session whose command drips in, though it is never idle', async () => {
    client = await openSession(await start({ gateway: { commandTimeoutMs: 200 } }));
    await expectTimeout(client, 200);
    await expectAlive(started.target);
  });

  it('end a session that has not said EHLO, nor a whole line', async () => {
    const { smtp } = await start({ gateway: { commandTimeoutMs: 200 } });
    client = await DialogClient.open(smtp.host, smtp.starttls, { tls: false });
    assert.match(await client.readReply(), /^220 /);
    await expectTimeout(client, 200);
  });

  it('end a session whose AUTH answer drips in', async () => {
    client = await openSession(await start({ gateway: { commandTimeoutMs: 200 } }));
    await client.send('AUTH LOGIN\r\n');
    assert.match(await client.readReply(), /^334 /);
    await expectTimeout(client, 200);
  });

  it('end a message that drips in, and nothing of it is taken', async () => {
    const target = await start({ gateway: { dataTimeoutMs: 200 } });
    client = await logIn(target);
    await startMessage(client, target);
    await expectTimeout(client, 200);
    assert.equal(started.api.submissions.length, 0);
  });

  it('end a session that lasts too long, though each command is quick', async () => {
    client = await openSession(await start({ gateway: { sessionTimeoutMs: 300 } }));
    let reply = '';
    while (!reply.startsWith('421 ')) {
      await client.send('NOOP\r\n');
      reply = await client.readReply();
      await new Promise((resolve) => setTimeout(resolve, DRIP_MS));
    }
    assert.match(reply, /^421 4\.4\.2 /);
  });

  it('do not end a session that waits for us: its message may be taken over already', async () => {
    const target = await start({
      gateway: { commandTimeoutMs: 300, dataTimeoutMs: 300, sessionTimeoutMs: 300 },
    });
    started.api.onSubmission = () =>
      new Promise((resolve) => setTimeout(() => resolve({ messageId: 9 }), 700));
    client = await logIn(target);
    await startMessage(client, target);
    await client.send(`From: ann@${target.domain}\r\nTo: bob@receiver.example\r\n\r\nHello\r\n.\r\n`);
    assert.equal(await client.readReply(), '250 2.0.0 Ok: queued as 9');
  });

  for (const listener of ['tls', 'starttls'] as const) {
    it(`TL-8: end a handshake that drips in at ${listener}, and hold up nobody else`, async () => {
      const target = await start({ handshakeTimeoutMs: 300 });
      client = await DialogClient.open(target.smtp.host, target.smtp[listener], { tls: false });
      if (listener === 'starttls') {
        assert.match(await client.readReply(), /^220 /);
        await client.send('EHLO client.example\r\n');
        assert.match(await client.readReply(), /^250-/);
        await client.send('STARTTLS\r\n');
        assert.match(await client.readReply(), /^220 /);
      }
      const startedAt = performance.now();
      await client.send(Buffer.from([0x16, 0x03, 0x01, 0x20, 0x00])); // a record of 8 KiB
      void drip(client);
      await expectAlive(target);
      await client.expectClosed();
      assert.ok(performance.now() - startedAt < 900);
    });
  }
});
