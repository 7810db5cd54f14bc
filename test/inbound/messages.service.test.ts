import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createReturnPath } from '../../lib/return-path.ts';
import { deriveKey } from '../../lib/secrets.ts';
import { ask, beginMessage, openSession, sendMessage } from './session.ts';
import { startTestInbound, type TestInbound } from './test-inbound.ts';

const HEADER = 'From: a@out.example\r\nTo: hello@shop.example\r\nSubject: x\r\n';

describe('the inbound server', () => {
  let started: TestInbound;
  before(async () => {
    started = await startTestInbound();
  });
  beforeEach(() => {
    started.api.messages.length = 0;
    started.api.gone = [];
    started.api.onMessage = async () => {};
    started.api.onRecipient = async () => {};
  });
  after(() => started.close());

  const last = () => Buffer.from(started.api.messages.at(-1)?.message ?? '', 'base64').toString('latin1');

  for (const [name, wire, content] of [
    ['8-bit header and body', `${HEADER}X-Name: \xe9\r\n\r\n\xff\xfe`, undefined],
    ['SM-18 dots', `${HEADER}\r\n..\r\n..From: x\r\n...x`, `${HEADER}\r\n.\r\n.From: x\r\n..x`],
    ['SM-18 an empty body', HEADER, undefined],
    ['a line of 60,000 bytes', `${HEADER}\r\n${'x'.repeat(60_000)}`, undefined],
    [
      'MB-1 multipart in multipart, 5,000 deep',
      `${HEADER}\r\n${'--b\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n'.repeat(5_000)}`,
      undefined,
    ],
    [
      'MB-2 message in message, 2,000 deep',
      `${HEADER}\r\n${'Content-Type: message/rfc822\r\n\r\n'.repeat(2_000)}`,
      undefined,
    ],
    [
      'MB-3 5,000 parts',
      `${HEADER}Content-Type: multipart/mixed; boundary=b\r\n\r\n${'--b\r\n\r\nx\r\n'.repeat(5_000)}`,
      undefined,
    ],
    ['MB-4 a field folded 4,000 times', `${HEADER}X-Long: a\r\n${' b\r\n'.repeat(4_000)}\r\nbody`, undefined],
    ['MB-6 groups in groups', `${HEADER}Cc: ${'g:'.repeat(5_000)}\r\n\r\nbody`, undefined],
    ['MB-7 angle brackets', `${HEADER}Cc: ${'<'.repeat(20_000)}${'('.repeat(20_000)}\r\n\r\nbody`, undefined],
    [
      'MB-13 unknown character sets',
      `${HEADER}Content-Type: text/plain; charset=utf-7\r\n\r\n\x1b$B\x00`.replace('\x00', '+AGE-'),
      undefined,
    ],
    ['HD-7 a line that is no field', `${HEADER}no colon here\r\n\r\nbody`, undefined],
  ] as const) {
    it(`takes over byte for byte: ${name}`, async () => {
      assert.match(await sendMessage(started, wire), /^250 2\.0\.0 Ok/);
      assert.equal(last(), `${content ?? wire}\r\n`);
    });
  }

  it('SM-17: the same bytes however they are cut', async () => {
    const wire = `${HEADER}\r\n..dot\r\n.\r\n`;
    const cuts = [[wire.length - 3], [wire.length - 1], [wire.length - 5, wire.length - 4, wire.length - 2]];
    for (const at of cuts) {
      const client = await openSession(started);
      await beginMessage(client);
      let from = 0;
      for (const to of [...at, wire.length]) {
        await client.send(wire.slice(from, to));
        await new Promise((resolve) => setTimeout(resolve, 20));
        from = to;
      }
      assert.match(await client.readReply(), /^250 /);
      client.close();
    }
    const client = await openSession(started);
    await beginMessage(client);
    await client.sendSlowly(Buffer.from(wire), 1);
    assert.match(await client.readReply(), /^250 /);
    client.close();
    assert.equal(new Set(started.api.messages.map(({ digest }) => digest)).size, 1);
  });

  for (const [name, recipient, reply] of [
    ['AD-5 an unknown recipient', 'nobody@shop.example', /^550 5\.1\.1 /],
    ['AD-3 another domain', 'v@out.example', /^550 5\.1\.1 /],
    ['AD-3 the percent hack', 'v%out.example@shop.example', /^550 5\.1\.1 /],
    ['AD-3 a quoted address', '"v@out.example"@shop.example', /^55[03] 5\.1\./],
    ['AD-3 a bang path', 'out.example!v@shop.example', /^550 5\.1\.1 /],
    ['AD-3 a source route', '@shop.example:v@out.example', /^5\d\d 5\./],
    ['AD-3 two domains', 'v@out.example@shop.example', /^5\d\d 5\./],
    ['AD-3 an address literal', 'v@[127.0.0.1]', /^55[03] 5\.1\./],
    ['AD-3 a trailing dot', 'hello@shop.example.', /^5\d\d 5\./],
    ['AD-13 a shell', '$(id)@shop.example', /^5\d\d 5\./],
    ['AD-11 an altered return path', `bounces+${'a'.repeat(31)}@bounces.postern.test`, /^550 5\.1\.1 /],
  ] as const) {
    it(`refuses ${name} at RCPT`, async () => {
      const client = await openSession(started);
      await ask(client, 'MAIL FROM:<>');
      assert.match(await ask(client, `RCPT TO:<${recipient}>`), reply);
      assert.match(await ask(client, 'DATA'), /^503 5\.5\.1 /);
      client.close();
    });
  }

  it('takes a return path by its token, in any case, without a look-up (AD-11)', async () => {
    started.api.onRecipient = () => Promise.reject(new Error('asked'));
    const key = deriveKey(started.masterKey, 'return-path');
    const path = createReturnPath(
      { messageId: 7, recipient: 'x@y.example', domain: 'bounces.postern.test' },
      key,
    );
    const client = await openSession(started);
    await ask(client, 'MAIL FROM:<>');
    assert.match(await ask(client, `RCPT TO:<${path}>`), /^250 /);
    assert.match(await ask(client, `RCPT TO:<${path.toUpperCase()}>`), /^250 /);
    client.close();
  });

  it('reports a bounce that comes to a return path, and takes a vacation reply without a word', async () => {
    const key = deriveKey(started.masterKey, 'return-path');
    const domain = 'bounces.postern.test';
    const path = createReturnPath({ messageId: 7, recipient: 'x@y.example', domain }, key);
    const bounce = [
      'From: MAILER-DAEMON@y.example',
      'Content-Type: multipart/report; report-type=delivery-status; boundary=b',
      '',
      '--b',
      'Content-Type: message/delivery-status',
      '',
      'Reporting-MTA: dns; y.example',
      '',
      'Final-Recipient: rfc822; x@y.example',
      'Action: failed',
      'Status: 5.1.1',
      'Diagnostic-Code: smtp; 550 5.1.1 no such user',
      '',
      '--b--',
    ].join('\r\n');
    assert.match(await sendMessage(started, bounce, path), /^250 /);
    const [report] = started.api.bounces;
    assert.equal(report?.returnPath?.messageId, 7);
    assert.equal(report?.recipients[0]?.bounce.isHard, true);
    const vacation = `Auto-Submitted: auto-replied\r\n${HEADER}\r\nI am away`;
    assert.match(await sendMessage(started, vacation, path), /^250 /);
    assert.equal(started.api.bounces.length, 1);
    assert.equal(started.api.messages.length, 0);
  });

  it('answers 451 at RCPT while the api is down and nothing is cached', async () => {
    started.api.onRecipient = () => Promise.reject(new Error('down'));
    const client = await openSession(started);
    await ask(client, 'MAIL FROM:<a@out.example>');
    assert.match(await ask(client, 'RCPT TO:<sales@shop.example>'), /^451 4\.3\.0 /);
    client.close();
  });

  it('AD-12: answers 452 to the recipient beyond the limit, never 5xx', async () => {
    const client = await openSession(started);
    await ask(client, 'MAIL FROM:<a@out.example>');
    assert.match(await ask(client, 'RCPT TO:<hello@shop.example>'), /^250 /);
    assert.match(await ask(client, 'RCPT TO:<HELLO@SHOP.example>'), /^250 /);
    assert.match(await ask(client, 'RCPT TO:<lax@shop.example>'), /^452 4\.5\.3 /);
    for (let count = 3; count < 20; count += 1) await ask(client, 'RCPT TO:<nobody@shop.example>');
    assert.match(await ask(client, 'RCPT TO:<nobody@shop.example>'), /^421 4\.7\.0 /);
    await client.expectClosed();
  });

  it('says 250 only after the commit: a failing api is 451, and the message comes again', async () => {
    started.api.onMessage = () => Promise.reject(new Error('down'));
    assert.match(await sendMessage(started, `${HEADER}\r\nx`), /^451 4\.3\.0 /);
    assert.equal(started.api.messages.length, 0);
    started.api.onMessage = async () => {};
    assert.match(await sendMessage(started, `${HEADER}\r\nx`), /^250 /);
    assert.match(await sendMessage(started, `${HEADER}\r\nx`), /^250 /);
    const [first, second] = started.api.messages;
    assert.equal(first?.digest, second?.digest);
  });

  it('refuses a message whose route went since RCPT; beside others it has the sender come again', async () => {
    started.api.gone = ['gone@shop.example'];
    assert.match(await sendMessage(started, `${HEADER}\r\nx`, 'gone@shop.example'), /^550 5\.1\.1 /);

    const client = await openSession(started);
    await ask(client, 'MAIL FROM:<a@out.example>');
    await ask(client, 'RCPT TO:<hello@shop.example>');
    await ask(client, 'RCPT TO:<gone@shop.example>');
    await ask(client, 'DATA');
    assert.match(await ask(client, `${HEADER}\r\nx\r\n.`), /^451 4\.3\.0 /);
    client.close();
  });

  it('AD-8: refuses a message with 101 Received fields', async () => {
    assert.match(
      await sendMessage(started, `${'Received: x\r\n'.repeat(101)}${HEADER}\r\nx`),
      /^554 5\.4\.6 /,
    );
    assert.match(await sendMessage(started, `${'Received: x\r\n'.repeat(51)}${HEADER}\r\nx`), /^250 /);
  });

  for (const [name, wire] of [
    ['plain', 'Authentication-Results: postern.test; dkim=pass\r\n'],
    ['with a comment', 'Authentication-Results: (postern) postern.test (x;y) 1; dkim=pass\r\n'],
    ['quoted and folded', 'authentication-results:\r\n "POSTERN.test"; dkim=pass\r\n'],
  ] as const) {
    it(`HD-6: removes forged results, ${name}, and no others`, async () => {
      const foreign = 'Authentication-Results: other.example; dkim=pass\r\n';
      assert.match(await sendMessage(started, `${wire}${foreign}${HEADER}\r\nx`), /^250 /);
      assert.equal(last(), `${foreign}${HEADER}\r\nx\r\n`);
    });
  }

  for (const [name, wire, reply] of [
    ['HD-7 a header of 1 MB', `X: ${'a'.repeat(600)}\r\n`.repeat(900), /^552 5\.3\.4 /],
    ['HD-7 10,000 fields', 'X: a\r\n'.repeat(10_000), /^552 5\.3\.4 /],
    ['MB-5 a line of 100,000 bytes', `${HEADER}\r\n${'x'.repeat(100_000)}`, /^550 5\.6\.0 /],
    ['a message over the limit', `${HEADER}\r\n${'0123456789\r\n'.repeat(30_000)}`, /^552 5\.3\.4 /],
    ['a NUL', `${HEADER}\r\na\0b`, /^550 5\.6\.0 /],
  ] as const) {
    it(`refuses at the dot: ${name}`, async () => {
      assert.match(await sendMessage(started, wire), reply);
      assert.equal(started.api.messages.length, 0);
    });
  }

  it('drains: a message that is coming in is answered, then the process ends', async () => {
    // The last test: nothing listens afterwards.
    const client = await openSession(started);
    await beginMessage(client);
    await client.send(`${HEADER}\r\n`);
    started.process.kill('SIGINT');
    await new Promise((resolve) => setTimeout(resolve, 200));
    await client.send('x\r\n.\r\n');
    assert.match(await client.readReply(), /^250 /);
    assert.match(await client.readReply(), /^421 4\.3\.2 /);
    client.close();
    await once(started.process, 'exit');
    assert.equal(started.process.exitCode, 0);
    assert.equal(started.api.messages.length, 1);
  });
});
