/** Below SMTP: TLS and its renewal, who a balancer says that it speaks for, and a client that does not read. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createConnection } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { DialogClient } from '../dialogs/client.ts';
import { issueCertificate } from '../support/certificates.ts';
import { waitFor } from '../support/mail.ts';
import { ask, beginMessage, openSession } from './session.ts';
import { startTestInbound, type TestInbound } from './test-inbound.ts';

const BALANCER = '127.0.0.2';
const MESSAGE = 'From: a@out.example\r\nTo: hello@shop.example\r\n\r\nx\r\n.\r\n';
/** Far more than what the kernel keeps for a client that does not read */
const MAX_UNREAD_COMMANDS = 1_000_000;

describe('connections of the inbound server', function () {
  this.timeout(120_000);
  let started: TestInbound;
  let directory: string;
  const publish = async (name: string) => {
    const { cert, key } = await issueCertificate(name);
    for (const [file, pem] of [
      ['key.pem', key],
      ['cert.pem', cert],
    ] as const) {
      writeFileSync(join(directory, `${file}.next`), pem, { mode: 0o600 });
      renameSync(join(directory, `${file}.next`), join(directory, file));
    }
  };
  before(async () => {
    directory = mkdtempSync(join(tmpdir(), 'postern-certificate-'));
    await publish('first.example');
    const files = {
      certificateFile: join(directory, 'cert.pem'),
      privateKeyFile: join(directory, 'key.pem'),
    };
    started = await startTestInbound(
      { ...files, trustedProxies: [BALANCER], greetingDelayMs: 0 },
      { gateway: { certificateCheckSeconds: 1 } },
    );
  });
  beforeEach(() => {
    started.api.messages.length = 0;
  });
  after(async () => {
    await started?.close();
    rmSync(directory, { recursive: true });
  });

  async function openTls(): Promise<DialogClient> {
    const client = await openSession(started);
    assert.match(client.replies.at(-1) ?? '', /STARTTLS/);
    assert.match(await ask(client, 'STARTTLS'), /^220 /);
    await client.handshake();
    assert.doesNotMatch(await ask(client, 'EHLO client.example'), /STARTTLS/);
    return client;
  }

  /** What a client is shown that asks now */
  async function readSubject(): Promise<string | undefined> {
    const socket = createConnection({ host: started.host, port: started.port });
    await once(socket, 'data');
    socket.write('EHLO client.example\r\n');
    await once(socket, 'data');
    socket.write('STARTTLS\r\n');
    await once(socket, 'data');
    const secure = connect({ socket, rejectUnauthorized: false });
    await once(secure, 'secureConnect');
    const subject = secure.getPeerX509Certificate()?.subject;
    secure.destroy();
    return subject;
  }

  it('takes mail behind STARTTLS, and forgets what was said before it (TL-3)', async () => {
    const client = await openSession(started);
    await ask(client, 'MAIL FROM:<a@out.example>');
    assert.match(await ask(client, 'STARTTLS'), /^220 /);
    await client.handshake();
    assert.match(await ask(client, 'RCPT TO:<hello@shop.example>'), /^503 /);
    await ask(client, 'EHLO client.example');
    await beginMessage(client);
    await client.send(MESSAGE);
    assert.match(await client.readReply(), /^250 2\.0\.0 /);
    client.close();
    assert.equal(started.api.messages.length, 1);
  });

  it('obeys nothing that came in the clear behind STARTTLS (TL-1)', async () => {
    const client = await openSession(started);
    await client.send('STARTTLS\r\nMAIL FROM:<evil@out.example>\r\n');
    const reply = await client.readReply();
    if (!reply.startsWith('220 ')) assert.match(reply, /^[45]\d\d /);
    else {
      await client.handshake();
      assert.match(await ask(client, 'EHLO client.example'), /^250-/);
      assert.match(await ask(client, 'RCPT TO:<hello@shop.example>'), /^503 /);
    }
    client.close();
  });

  it('uses a renewed certificate without a restart, and a session that is open goes on', async () => {
    assert.equal(await readSubject(), 'CN=first.example');
    const open = await openTls();
    await beginMessage(open);
    await publish('renewed.example');
    await waitFor(
      'the new certificate',
      async () => (await readSubject()) === 'CN=renewed.example' || undefined,
      30_000,
    );
    await open.send(MESSAGE);
    assert.match(await open.readReply(), /^250 2\.0\.0 /);
    open.close();
  });

  for (const [family, line, address] of [
    ['IPv4', 'PROXY TCP4 198.51.100.7 127.0.0.1 4711 25', '198.51.100.7'],
    ['IPv6', 'PROXY TCP6 2001:db8::7 ::1 4711 25', '2001:db8::7'],
  ] as const) {
    it(`believes a trusted balancer who it speaks for: ${family}`, async () => {
      const client = await DialogClient.open(started.host, started.port, {
        tls: false,
        localAddress: BALANCER,
      });
      await client.send(`${line}\r\n`);
      assert.match(await client.readReply(), /^220 /);
      await ask(client, 'EHLO client.example');
      await beginMessage(client);
      await client.send(MESSAGE);
      assert.match(await client.readReply(), /^250 2\.0\.0 /);
      client.close();
      assert.equal(started.api.messages.at(-1)?.client.ip, address);
    });
  }

  it('believes nobody else, and ends the session', async () => {
    const client = await DialogClient.open(started.host, started.port, { tls: false });
    await client.send('PROXY TCP4 198.51.100.7 127.0.0.1 4711 25\r\n');
    const replies: string[] = [];
    while (!replies.at(-1)?.startsWith('421 ')) replies.push(await client.readReply());
    await client.expectClosed();
  });

  it('RS-3: cuts a client off that sends commands and reads no replies', async () => {
    const socket = createConnection({ host: started.host, port: started.port });
    await once(socket, 'connect');
    socket.pause();
    let isCutOff = false;
    socket.on('error', () => {
      isCutOff = true;
    });
    const commands = 'EHLO client.example\r\n'.repeat(500);
    for (let sent = 0; !isCutOff && sent < MAX_UNREAD_COMMANDS; sent += 500) {
      if (!socket.write(commands)) {
        await Promise.race([once(socket, 'drain'), once(socket, 'error')]).catch(() => undefined);
      }
    }
    assert.ok(isCutOff);
    (await openSession(started)).close();
  });
});
