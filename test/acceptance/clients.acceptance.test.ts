/** Point 2 of "mail flows": clients that nobody here wrote, over HTTP and SMTP, end to end. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { DomainClient } from '@mailpace/mailpace.js';
import {
  bodyOf,
  eventsOf,
  newRecipient,
  openSmtp,
  readQueuedId,
  readRaw,
  type SmtpPort,
  waitForReceived,
  waitForStatus,
} from '../support/mail.ts';
import { readStack, type Stack } from '../support/stack.ts';

const run = promisify(execFile);

describe('clients', () => {
  let stack: Stack;
  before(() => {
    stack = readStack();
  });

  /** What must be true of every delivered message, however it was sent. */
  async function assertDelivered(id: number, recipient: string) {
    const message = await waitForStatus(stack, id, 'delivered');
    const received = await waitForReceived(stack, recipient);
    assert.equal(received.authentication.dkim, 'pass');
    assert.equal(received.authentication.spf, 'pass');
    assert.deepEqual(received.envelope.to, [recipient]);
    assert.match(received.envelope.from, /^bounces\+[a-z2-7]{31}@/);
    assert.ok(received.tls, 'delivered over TLS');

    const events = eventsOf(message).map(({ event }) => event);
    assert.deepEqual([events[0], events.at(-1)], ['accepted', 'delivered']);
    const delivered = message.timeline.at(-1)?.data ?? {};
    assert.match(String(delivered.response), /^250 /);
    assert.equal(delivered.attempt, 1);
    return readRaw(stack, received);
  }

  it("the contract's own client, mailpace.js", async () => {
    const recipient = newRecipient();
    const client = new DomainClient(stack.token);
    client.httpClient.defaults.baseURL = `${stack.api}/api/v1/`;

    const answer = await client.sendEmail({
      from: `Sender <sender@${stack.domain}>`,
      to: recipient,
      subject: 'From the client',
      textbody: 'Text',
      htmlbody: '<p>HTML</p>',
      tags: ['a'],
    });

    assert.equal(answer.status, 'pending');
    const raw = await assertDelivered(Number(answer.id), recipient);
    assert.match(raw, /^Subject: From the client\r$/m);
    assert.match(raw, /<p>HTML<\/p>/);
  });

  it('curl', async () => {
    const recipient = newRecipient();
    const body = JSON.stringify({
      from: `s@${stack.domain}`,
      to: recipient,
      subject: 'curl',
      textbody: 'Hi',
    });

    const { stdout } = await run('curl', [
      ...['-sS', '-X', 'POST', `${stack.api}/api/v1/send`],
      ...['-H', 'Accept: application/json', '-H', 'Content-Type: application/json'],
      ...['-H', `MailPace-Server-Token: ${stack.token}`, '-d', body],
    ]);

    await assertDelivered((JSON.parse(stdout) as { id: number }).id, recipient);
  });

  it('swaks over STARTTLS', async function () {
    if (!(await isInstalled('swaks'))) {
      console.log('      skipped: swaks is not installed (apt-get install swaks)');
      this.skip();
    }
    const recipient = newRecipient();

    const { stdout } = await run('swaks', [
      ...['--server', stack.smtp.host, '--port', String(stack.smtp.starttls), '-tls'],
      ...['--auth', 'PLAIN', '--auth-user', stack.token, '--auth-password', stack.token],
      ...['--from', `s@${stack.domain}`, '--to', recipient, '--body', 'From swaks'],
    ]);

    const raw = await assertDelivered(readQueuedId(stdout), recipient);
    assert.match(bodyOf(raw), /From swaks/);
  });

  for (const port of ['starttls', 'tls', 'alternative'] satisfies SmtpPort[]) {
    it(`nodemailer over ${port}, with an unchanged message`, async () => {
      const recipient = newRecipient();
      const body = [
        'Line with trailing space ',
        '.',
        '..two dots',
        '.From: not a header',
        'tab\tand \u00fc in UTF-8',
        '',
        '',
      ].join('\r\n');
      const raw = [
        `From: "Sender" <sender@${stack.domain}>`,
        `To: ${recipient}`,
        'Subject:  odd   spacing ',
        'Message-ID: <kept@example.test>',
        'Date: Tue, 01 Sep 2026 10:00:00 +0000',
        'X-Custom: kept',
        'MIME-Version: 1.0',
        'Content-Type: text/plain; charset=utf-8',
        'Content-Transfer-Encoding: 8bit',
        '',
        body,
      ].join('\r\n');
      const smtp = openSmtp(stack, port);

      const info = await smtp.sendMail({
        envelope: { from: `sender@${stack.domain}`, to: [recipient] },
        raw,
      });
      smtp.close();

      const delivered = await assertDelivered(readQueuedId(info.response), recipient);
      assert.equal(bodyOf(delivered), Buffer.from(body).toString('latin1'));
      const headers = raw.slice(0, raw.indexOf('\r\n\r\n'));
      assert.ok(delivered.includes(`${headers}\r\n\r\n`), 'header fields unchanged, together and in order');
    });
  }

  it('keeps blind copies blind', async () => {
    const [to, bcc] = [newRecipient(), newRecipient()];
    const smtp = openSmtp(stack);

    const info = await smtp.sendMail({ from: `s@${stack.domain}`, to, bcc, subject: 'Blind', text: 'x' });
    smtp.close();

    await waitForStatus(stack, readQueuedId(info.response), 'delivered');
    for (const recipient of [to, bcc]) {
      const raw = await readRaw(stack, await waitForReceived(stack, recipient));
      assert.doesNotMatch(raw, /^bcc:/im);
      assert.ok(!raw.includes(recipient === to ? bcc : '\r\nBcc'), 'names nobody else');
    }
  });

  it('delivers to everybody in to, cc and bcc of a request, with an attachment', async () => {
    const [to, cc, bcc] = [newRecipient(), newRecipient(), newRecipient()];
    const client = new DomainClient(stack.token);
    client.httpClient.defaults.baseURL = `${stack.api}/api/v1/`;

    const answer = await client.sendEmail({
      from: `sender@${stack.domain}`,
      to,
      cc,
      bcc,
      subject: 'Three',
      textbody: 'x',
      attachments: [
        { name: 'a.txt', content: Buffer.from('attached').toString('base64'), content_type: 'text/plain' },
      ],
    });

    const message = await waitForStatus(stack, Number(answer.id), 'delivered');
    assert.equal(message.recipients.length, 3);
    const raw = await readRaw(stack, await waitForReceived(stack, bcc));
    assert.match(raw, new RegExp(Buffer.from('attached').toString('base64')));
    assert.doesNotMatch(raw, /^bcc:/im);
    assert.ok(
      !(await readRaw(stack, await waitForReceived(stack, to))).includes(bcc),
      'the blind copy is not named',
    );
  });
});

async function isInstalled(program: string): Promise<boolean> {
  return run('sh', ['-c', `command -v ${program}`]).then(
    () => true,
    () => false,
  );
}
