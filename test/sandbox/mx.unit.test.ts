import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { behaviours } from '../../sandbox/behaviours.ts';
import { mxAddresses } from '../../sandbox/domains.ts';
import { compose, deliver, SENDER_DOMAIN, startTestSandbox, type TestSandbox } from './support.ts';

interface Refusal {
  responseCode?: number;
  response?: string;
  code?: string;
  command?: string;
}

describe('the MX of the sandbox', () => {
  let sandbox: TestSandbox;

  before(async () => {
    sandbox = await startTestSandbox();
  });
  after(() => sandbox.close());

  const list = async (recipient: string) =>
    (await (await fetch(sandbox.url(`/messages?recipient=${encodeURIComponent(recipient)}`))).json()) as {
      id: string;
      envelope: { from: string; to: string[] };
      tls: { version: string; cipher: string } | null;
    }[];

  const refusalOf = async (to: string): Promise<Refusal> => {
    try {
      const response = await deliver(sandbox, { raw: compose(), to });
      return { response };
    } catch (error) {
      return error as Refusal;
    }
  };

  it('accepts any recipient, and says under which id', async () => {
    const response = await deliver(sandbox, { raw: compose(), to: 'anybody@example.test' });
    const [message] = await list('anybody@example.test');
    assert.equal(response, `250 2.0.0 OK queued as ${message?.id}`);
    assert.deepEqual(message?.envelope, { from: `bounces@${SENDER_DOMAIN}`, to: ['anybody@example.test'] });
    assert.match(message?.tls?.version ?? '', /^TLSv1\.[23]$/);
  });

  const refusals = Object.entries(behaviours).filter(
    ([name, behaviour]) => name !== 'blocks' && (behaviour.recipientReply ?? behaviour.dataReply),
  );
  for (const [name, { recipientReply, dataReply }] of refusals) {
    it(`answers ${name}+suffix and ${name}-suffix as the table says`, async () => {
      for (const to of [`${name}+1@example.test`, `${name.toUpperCase()}-x@example.test`]) {
        const refusal = await refusalOf(to);
        const expected = recipientReply ?? dataReply;
        if (expected === 'close' || expected === undefined) {
          assert.equal(refusal.code, 'ECONNECTION');
        } else {
          const text = expected.text.replaceAll('{client}', '127.0.0.1');
          assert.equal(refusal.response, `${expected.code} ${expected.enhanced} ${text}`);
          // nodemailer reports a 421, which ends the session, as one of the connection
          assert.equal(refusal.command, expected.code === 421 ? 'CONN' : recipientReply ? 'RCPT TO' : 'DATA');
        }
        assert.deepEqual(await list(to), []);
      }
    });
  }

  it('refuses blocks-<address> to the client of that address only', async () => {
    const refusal = await refusalOf('blocks-127.0.0.1+x@example.test');
    assert.match(refusal.response ?? '', /^550 5\.7\.1 .*\[127\.0\.0\.1\] blocked/);
    assert.match((await refusalOf('blocks-127.0.0.2@example.test')).response ?? '', /^250 /);
  });

  it('takes a local part that only begins like a behaviour for an ordinary one', async () => {
    assert.match((await refusalOf('bouncer@example.test')).response ?? '', /^250 /);
  });

  it('accepts defer-once at the second attempt, each recipient on its own', async () => {
    assert.equal((await refusalOf('defer-once+a@example.test')).responseCode, 451);
    assert.equal((await refusalOf('defer-once+b@example.test')).responseCode, 451);
    assert.match((await refusalOf('defer-once+a@example.test')).response ?? '', /^250 /);
    assert.equal((await refusalOf('defer+a@example.test')).responseCode, 451);
    assert.equal((await refusalOf('defer+a@example.test')).responseCode, 451);
  });

  it('delays each reply to slow', async () => {
    sandbox.waits.length = 0;
    assert.match((await refusalOf('slow@example.test')).response ?? '', /^250 /);
    assert.deepEqual(sandbox.waits, [3000, 3000]);
  });

  it('fails the handshake of tls-broken, and takes mail there in plain text', async () => {
    const to = 'a@tls-broken.test';
    const message = { raw: compose(), to };
    await assert.rejects(deliver(sandbox, message, { host: mxAddresses.brokenTls }), /handshake|TLS|SSL/i);
    assert.deepEqual(await list(to), []);
    await deliver(sandbox, message, { host: mxAddresses.brokenTls, ignoreTLS: true });
    assert.equal((await list(to))[0]?.tls, null);
  });

  it('offers no STARTTLS at no-tls', async () => {
    await deliver(sandbox, { raw: compose(), to: 'a@no-tls.test' }, { host: mxAddresses.noTls });
    assert.equal((await list('a@no-tls.test'))[0]?.tls, null);
  });

  it('keeps one record of a message with several recipients, and the null sender', async () => {
    const to = ['one@example.test', 'two@example.test'];
    await deliver(sandbox, { raw: compose(), to, from: '' });
    const [one] = await list('one@example.test');
    const [two] = await list('TWO@example.test');
    assert.equal(one?.id, two?.id);
    assert.deepEqual(one?.envelope, { from: '', to });
  });

  it('announces what it can, greets at once, and asks nobody to log in', async () => {
    const client = connect(sandbox.smtpPort, '127.0.0.1');
    const startedAt = performance.now();
    const [greeting] = await once(client, 'data');
    assert.ok(performance.now() - startedAt < 90, 'the greeting was held back');
    assert.match(String(greeting), /^220 postern\.test ESMTP/);
    client.write('EHLO client.test\r\n');
    const [features] = await once(client, 'data');
    client.destroy();
    assert.deepEqual(
      String(features)
        .trim()
        .split('\r\n')
        .map((line) => line.slice(4))
        .slice(1),
      ['PIPELINING', '8BITMIME', 'SMTPUTF8', 'STARTTLS', 'SIZE 67108864'],
    );
  });

  it('keeps nothing of a message whose client left before its end', async () => {
    const client = connect(sandbox.smtpPort, '127.0.0.1');
    client.write('EHLO a\r\nMAIL FROM:<>\r\nRCPT TO:<left@example.test>\r\nDATA\r\nSubject: half');
    for await (const reply of client) {
      if (String(reply).includes('354 ')) break; // which destroys the socket
    }
    await deliver(sandbox, { raw: compose(), to: 'after@example.test' });
    assert.deepEqual(await list('left@example.test'), []);
    assert.equal((await list('after@example.test')).length, 1);
  });

  it('takes addresses beyond ASCII (RFC 6531)', async () => {
    await deliver(sandbox, { raw: compose(), to: 'jürgen@bücher.test' });
    const [message] = await list('jürgen@xn--bcher-kva.test');
    assert.deepEqual(message?.envelope.to, ['jürgen@xn--bcher-kva.test']);
  });

  it('takes 200 connections at a time', async () => {
    const recipients = Array.from({ length: 200 }, (_, index) => `many+${index}@example.test`);
    await Promise.all(recipients.map((to) => deliver(sandbox, { raw: compose(), to }, { ignoreTLS: true })));
    const counts = await Promise.all(recipients.map(async (to) => (await list(to)).length));
    assert.deepEqual(new Set(counts), new Set([1]));
  });
});
