import assert from 'node:assert/strict';
import { createTransport } from 'nodemailer';
import { replies } from '../../gateway/replies.ts';
import { RpcRefusal } from '../../lib/rpc/server.ts';
import type { DialogClient } from '../dialogs/client.ts';
import { ask, authenticate, logIn, openSession, sendMessage, startMessage } from './session.ts';
import { startTestGateway, type TestGateway, testCredential } from './test-gateway.ts';

describe('a submission', () => {
  let started: TestGateway;
  let clients: DialogClient[];

  const session = async () => {
    const client = await logIn(started.target);
    clients.push(client);
    return client;
  };
  const lastMessage = () =>
    Buffer.from(started.api.submissions.at(-1)?.message ?? '', 'base64').toString('latin1');

  beforeEach(async () => {
    clients = [];
    started = await startTestGateway({ gateway: { maxBufferedBytes: 1_000_000 } });
  });
  afterEach(async () => {
    for (const client of clients) client.close();
    await started.close();
  });

  it('reaches the api with its envelope, its client and an id of its own', async () => {
    const client = await session();
    await startMessage(client, started.target, ['bob@receiver.example', 'Carl@xn--mnchen-3ya.example']);
    await client.send('From: ann@shop.example\r\nTo: bob@receiver.example\r\n\r\nHello\r\n.\r\n');
    assert.equal(await client.readReply(), '250 2.0.0 Ok: queued as 42');
    await sendMessage(client, started.target);

    const [first, second] = started.api.submissions;
    assert.deepEqual(first?.envelope, {
      from: 'ann@shop.example',
      to: ['bob@receiver.example', 'Carl@xn--mnchen-3ya.example'],
    });
    assert.equal(first.tokenId, testCredential.tokenId);
    assert.equal(first.client.address, '127.0.0.1');
    assert.equal(first.client.helo, 'client.example');
    assert.equal(first.client.tls?.version, 'TLSv1.3');
    assert.match(first.submissionId, /^[a-z0-9]{16,}\.1$/);
    assert.equal(second?.submissionId, first.submissionId.replace(/1$/, '2'));
  });

  it('goes on byte for byte, but for Bcc', async () => {
    const header =
      'X-Odd:   kept \r\nFROM:\tann@shop.example\r\nbcc: a@x.example,\r\n b@x.example\r\nTo: c@x.example\r\n';
    const body = 'Bcc: stays\r\n \t\r\n=\xe4\xff\r\nno end: \r\n\r\n';
    assert.match(await sendMessage(await session(), started.target, `${header}\r\n${body}`), /^250 /);
    assert.equal(lastMessage(), `${header.replace(/bcc:.*?(?=To:)/s, '')}\r\n${body}`);
  });

  it('SM-18: takes the stuffed dots out and leaves all others', async () => {
    const client = await session();
    const lines = [
      'From: ann@shop.example',
      'To: bob@receiver.example',
      '',
      '.',
      '..',
      '.From: x',
      'a.',
      ' .',
      '',
      '',
    ];
    const stuffed = lines.map((line) => line.replace(/^\./, '..')).join('\r\n');
    assert.match(await sendMessage(client, started.target, stuffed), /^250 /);
    assert.equal(lastMessage(), lines.join('\r\n'));
  });

  it('SM-17: is the same wherever the packets are cut', async () => {
    const client = await session();
    const content = 'From: ann@shop.example\r\nTo: bob@receiver.example\r\n\r\n..\r\n.a\r\n\r\n..b\r\n.\r\n';
    await startMessage(client, started.target);
    await client.sendSlowly(Buffer.from(content), 1);
    assert.match(await client.readReply(), /^250 /);
    const expected = lastMessage();
    for (let cut = 1; cut < content.length; cut += 3) {
      await startMessage(client, started.target);
      await client.sendSlowly(Buffer.from(content.slice(0, cut)), cut);
      await client.send(content.slice(cut));
      assert.match(await client.readReply(), /^250 /);
      assert.equal(lastMessage(), expected);
    }
  });

  it('SM-1 to SM-12: is one or none, wherever the packets are cut', async () => {
    for (const sequence of ['\n.\n', '\r\n.\n', '\r.\r\n', '\r\n.\r', '\r\n\0.\r\n', '\r\n. \r\n']) {
      const client = await session();
      const evil = `MAIL FROM:<evil@shop.example>\r\nRCPT TO:<b@y.example>\r\nDATA\r\nFrom: evil@shop.example\r\n\r\n`;
      const content = `From: ann@shop.example\r\nTo: bob@receiver.example\r\n\r\nA${sequence}${evil}evil\r\n.\r\n`;
      for (let cut = 25; cut < 40; cut += 1) {
        const before = started.api.submissions.length;
        await startMessage(client, started.target);
        await client.sendSlowly(Buffer.from(content.slice(0, cut), 'latin1'), cut);
        await client.send(Buffer.from(content.slice(cut), 'latin1'));
        const reply = await client.readReply();
        assert.equal(await ask(client, 'NOOP'), '250 2.0.0 OK');
        assert.equal(started.api.submissions.length - before, reply.startsWith('250 ') ? 1 : 0);
      }
    }
  });

  it('comes from nodemailer over STARTTLS and over TLS', async () => {
    const { smtp, token, domain } = started.target;
    for (const [port, secure] of [
      [smtp.starttls, false],
      [smtp.tls, true],
    ] as const) {
      const transport = createTransport({
        host: smtp.host,
        port,
        secure,
        requireTLS: true,
        auth: { user: token, pass: token },
        tls: { rejectUnauthorized: false },
      });
      const info = await transport.sendMail({
        from: `"Lee, Ann" <ann@${domain}>`,
        to: 'bob@receiver.example',
        bcc: 'carl@receiver.example',
        subject: 'Größe',
        text: 'Hello\n.\n',
      });
      transport.close();
      assert.match(info.response, /^250 2\.0\.0 Ok: queued as \d+$/);
      assert.deepEqual(started.api.submissions.at(-1)?.envelope.to, [
        'bob@receiver.example',
        'carl@receiver.example',
      ]);
    }
  });

  for (const [code, reply] of [
    ['credential_revoked', replies.credentialRevoked],
    ['sender_not_allowed', replies.senderNotAllowed],
    ['sending_refused', { ...replies.sendingRefused, text: 'the reason' }],
    ['message_invalid', { ...replies.messageInvalid, text: 'the reason' }],
    ['message_too_large', replies.messageTooLarge],
    ['something_new', replies.notTakenOver],
  ] as const) {
    it(`that the api refuses as ${code} is answered ${reply.code} ${reply.enhanced}`, async () => {
      started.api.onSubmission = async () => {
        throw new RpcRefusal(code, 'the reason');
      };
      const answer = await sendMessage(await session(), started.target);
      assert.equal(answer, `${reply.code} ${reply.enhanced} ${reply.text}`);
    });
  }

  it('RS-5: is told to come later when it comes too fast, then at MAIL for a moment, and is never dropped', async () => {
    let sent = 0;
    started.api.onSubmission = async () => {
      sent += 1;
      if (sent > 10) throw new RpcRefusal('rate_limited', 'You are sending emails too quickly');
      return { messageId: sent };
    };
    const client = await session();
    for (let turn = 0; turn < 10; turn += 1) assert.match(await sendMessage(client, started.target), /^250 /);
    assert.match(await sendMessage(client, started.target), /^451 4\.7\.1 You are sending/);
    for (let turn = 0; turn < 50; turn += 1) {
      assert.match(await ask(client, 'MAIL FROM:<ann@shop.example>'), /^451 4\.7\.1 You are sending/);
    }
    assert.equal(started.api.submissions.length, 11);
    await new Promise((resolve) => setTimeout(resolve, 1_050));
    started.api.onSubmission = async () => ({ messageId: 99 });
    assert.match(await sendMessage(client, started.target), /^250 /);
  });

  it('RS-8: is deferred while the api is down, and so is AUTH; a known client may still say MAIL', async () => {
    const client = await session();
    const stranger = await openSession(started.target);
    clients.push(stranger);
    await started.api.stop();
    assert.match(await sendMessage(client, started.target), /^451 4\.3\.0 /);
    const wrong = await authenticate(stranger, { ...started.target, token: 'unknown to any cache' });
    assert.match(wrong, /^454 4\.7\.0 /);
    assert.equal(await ask(client, 'NOOP'), '250 2.0.0 OK');
  });

  it('AU-8: is refused at the next MAIL once the token is revoked', async () => {
    const client = await session();
    assert.match(await sendMessage(client, started.target), /^250 /);
    await started.api.setCredential(null);
    assert.match(await ask(client, 'MAIL FROM:<ann@shop.example>'), /^550 5\.7\.1 This API token/);
  });

  it('is refused at MAIL with the reason the api gives', async () => {
    const client = await session();
    await started.api.setCredential({ ...testCredential, refusal: 'The domain is not verified' });
    assert.equal(await ask(client, 'MAIL FROM:<ann@shop.example>'), '550 5.7.1 The domain is not verified');
  });

  it('AD-12: has at most the recipients the settings allow; the rest is told to come later', async () => {
    const client = await session();
    await ask(client, 'MAIL FROM:<ann@shop.example>');
    const lines = Array.from({ length: 1_002 }, (_, index) => `RCPT TO:<r${index}@receiver.example>\r\n`);
    await client.send(lines.join(''));
    const answers: string[] = [];
    for (const _ of lines) answers.push(await client.readReply());
    assert.ok(answers.slice(0, 1_000).every((answer) => answer.startsWith('250 2.1.5 ')));
    assert.deepEqual(answers.slice(1_000), Array(2).fill('452 4.5.3 Too many recipients'));
  });

  it('is told to come later while too much mail is in memory (promise 6)', async () => {
    let finish: () => void = () => {};
    started.api.onSubmission = () =>
      new Promise((resolve) => {
        finish = () => resolve({ messageId: 1 });
      });
    const slow = await session();
    await startMessage(slow, started.target);
    const line = `${'x'.repeat(900)}\r\n`;
    await slow.send(`From: ann@shop.example\r\nTo: bob@receiver.example\r\n\r\n${line.repeat(1_000)}.\r\n`);
    while (started.api.submissions.length === 0) await new Promise((resolve) => setTimeout(resolve, 10));

    const other = await session();
    assert.match(await ask(other, 'MAIL FROM:<ann@shop.example> SIZE=200000'), /^452 4\.3\.1 /);
    assert.match(
      await sendMessage(other, started.target, `From: a@shop.example\r\n\r\n${line.repeat(200)}`),
      /^452 4\.3\.1 /,
    );
    finish();
    assert.match(await slow.readReply(), /^250 /);
    assert.match(await started.registry.metrics(), /postern_gateway_buffered_bytes 0/);
    started.api.onSubmission = async () => ({ messageId: 2 });
    assert.match(await sendMessage(other, started.target), /^250 /);
  });
});
