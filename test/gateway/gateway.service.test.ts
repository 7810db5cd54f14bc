import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import { pino } from 'pino';
import { DialogClient } from '../dialogs/client.ts';
import { expectAlive } from '../dialogs/runner.ts';
import { ask, authenticate, logIn, openSession, sendMessage, startMessage } from './session.ts';
import { startTestGateway, type TestGateway, type TestGatewayOptions } from './test-gateway.ts';

/** Looks every 20 ms, for two seconds at most. */
async function until(holds: () => Promise<boolean>): Promise<void> {
  for (let looks = 0; looks < 100; looks += 1) {
    if (await holds()) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  assert.fail('it did not come to be');
}

describe('the gateway', () => {
  let started: TestGateway;
  const clients: DialogClient[] = [];
  const keep = (client: DialogClient) => {
    clients.push(client);
    return client;
  };
  const start = async (options: TestGatewayOptions = {}) => {
    started = await startTestGateway(options);
    return started.target;
  };
  const openPlain = async () => {
    const { smtp } = started.target;
    return keep(await DialogClient.open(smtp.host, smtp.starttls, { tls: false }));
  };

  afterEach(async () => {
    for (const client of clients.splice(0)) client.close();
    await started.close();
  });

  it('RS-4: greets a client that has too many sessions with 421, until one of them ends', async () => {
    const target = await start({ gateway: { maxConnectionsPerClient: 2 } });
    const first = keep(await openSession(target));
    const second = await openPlain();
    assert.match(await second.readReply(), /^220 /);
    const third = await openPlain();
    assert.equal(await third.readReply(), '421 4.7.0 Too many connections from your address');
    await third.expectClosed();
    await assert.rejects(openSession(target)); // before the handshake there is no reply

    assert.match(await ask(first, 'QUIT'), /^221 /);
    await first.expectClosed();
    await until(async () => (await (await openPlain()).readReply()).startsWith('220 '));
  });

  it('counts a session over STARTTLS once, and no longer when it is over', async () => {
    const target = await start();
    for (let round = 0; round < 3; round += 1) {
      const client = await openPlain();
      await client.readReply();
      await ask(client, 'EHLO client.example');
      await ask(client, 'STARTTLS');
      await client.handshake();
      assert.match(await ask(client, 'EHLO client.example'), /^250-/);
      assert.match(await started.registry.metrics(), /postern_gateway_sessions 1/);
      client.close();
      await until(async () => /postern_gateway_sessions 0/.test(await started.registry.metrics()));
    }
    await expectAlive(target);
  });

  it('AU-7: writes no password, no user name and no token to its log', async () => {
    const canary = 'S3cr3t-canary';
    const lines = new PassThrough();
    let logged = '';
    lines.on('data', (line) => {
      logged += line;
    });
    const target = await start({ log: pino({ level: 'trace' }, lines) });
    const client = keep(await openSession(target));
    await authenticate(client, { ...target, token: canary });
    await ask(client, `AUTH PLAIN ${canary}`);
    await ask(client, 'AUTH LOGIN');
    await ask(client, Buffer.from(canary).toString('base64'));
    await ask(client, Buffer.from(canary).toString('base64'));
    const good = keep(await logIn(target));
    assert.match(await sendMessage(good, target), /^250 /);
    await started.api.stop();
    await sendMessage(good, target);

    assert.match(logged, /authentication\.failed/);
    assert.match(logged, /message\.accepted/);
    assert.match(logged, /message\.not_taken_over/);
    for (const secret of [canary, target.token, Buffer.from(canary).toString('base64')]) {
      assert.ok(!logged.includes(secret), `the log has ${secret}`);
    }
  });

  it('ends with 421 for the idle, and after the reply for who is amid a message', async () => {
    const target = await start();
    const idle = keep(await openSession(target));
    const busy = keep(await logIn(target));
    await startMessage(busy, target);
    await busy.send(`From: ann@${target.domain}\r\nTo: bob@receiver.example\r\n`);

    const closed = started.gateway.close();
    assert.equal(await idle.readReply(), '421 4.3.2 Shutting down, try again');
    await idle.expectClosed();
    await busy.send('\r\nlate\r\n.\r\n');
    assert.match(await busy.readReply(), /^250 2\.0\.0 Ok: queued as \d+$/);
    assert.match(await busy.readReply(), /^421 4\.3\.2 /);
    await closed;
    await assert.rejects(openPlain(), /ECONNREFUSED/);
  });

  it('takes nothing of a message whose sender leaves before its end', async () => {
    const target = await start();
    const client = await logIn(target);
    await startMessage(client, target);
    await client.send(`From: ann@${target.domain}\r\n\r\nHello\r\n`);
    client.close();
    await until(async () =>
      (await started.registry.metrics()).includes('messages_total{outcome="aborted"} 1'),
    );
    assert.equal(started.api.submissions.length, 0);
    assert.match(await started.registry.metrics(), /postern_gateway_buffered_bytes 0/);
  });
});
