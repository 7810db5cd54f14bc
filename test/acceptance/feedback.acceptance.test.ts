/** Mail that a server took and that comes back: through the running system, by the inbound listener. */
import assert from 'node:assert/strict';
import { createTransport } from 'nodemailer';
import {
  eventsOf,
  newRecipient,
  readMessage,
  readRaw,
  send,
  waitForReceived,
  waitForStatus,
} from '../support/mail.ts';
import { readStack, type Stack } from '../support/stack.ts';

describe('what comes back by mail', () => {
  let stack: Stack;
  before(() => {
    stack = readStack();
  });

  /** As the server that took the message would: a mail from the null sender to the return path. */
  async function comeBack(to: string, content: string): Promise<void> {
    const { host, port } = stack.inbound;
    const transport = createTransport({ host, port, ignoreTLS: true });
    await transport.sendMail({ envelope: { from: '', to }, raw: content.replaceAll('\n', '\r\n') });
    transport.close();
  }

  const report = (type: string, fields: string) =>
    `From: MAILER-DAEMON@example.test\nSubject: report\nContent-Type: multipart/report; boundary=b\n\n` +
    `--b\nContent-Type: ${type}\n\n${fields}\n--b--\n`;

  it('a vacation reply changes nothing, a complaint is on the timeline, a late bounce ends as bounced', async () => {
    const recipient = newRecipient();
    const id = await send(stack, { to: recipient });
    await waitForStatus(stack, id, 'delivered');
    const { envelope } = await waitForReceived(stack, recipient);
    assert.match(envelope.from, /^bounces\+/);

    await comeBack(
      envelope.from,
      `From: ${recipient}\nSubject: Away\nAuto-Submitted: auto-replied\n\nBack soon\n`,
    );
    await comeBack(envelope.from, report('message/feedback-report', 'Feedback-Type: abuse\nVersion: 1\n'));
    const events = async () => eventsOf(await readMessage(stack, id)).map(({ event }) => event);
    assert.deepEqual(await events(), ['accepted', 'delivered', 'complained']);

    await comeBack(
      envelope.from,
      report(
        'message/delivery-status',
        `Reporting-MTA: dns; mx.example.test\n\nFinal-Recipient: rfc822; ${recipient}\nAction: failed\n` +
          'Status: 5.1.1\nDiagnostic-Code: smtp; 550 5.1.1 User unknown\n',
      ),
    );
    const message = await readMessage(stack, id);
    assert.equal(message.status, 'bounced');
    assert.deepEqual(await events(), ['accepted', 'delivered', 'complained', 'bounced']);
    assert.equal(eventsOf(message).at(-1)?.data.category, 'recipient-unknown');
  });

  it('a complaint that quotes no address is told by the Feedback-ID, which is signed', async () => {
    const recipient = newRecipient();
    const id = await send(stack, { to: recipient });
    const received = await waitForReceived(stack, recipient);
    const raw = await readRaw(stack, received);
    const feedbackId = /^Feedback-ID: (.*)\r$/m.exec(raw)?.[1] ?? '';
    assert.match(feedbackId, /^[a-z2-7]{31}:transactional:[a-z.-]+:o\d+:postern$/);
    assert.match(raw.replaceAll('\r\n ', ''), /^DKIM-Signature:.*h=[^;]*:feedback-id[:;]/m);

    const host = received.envelope.from.split('@')[1];
    const quoted = `--b\nContent-Type: text/rfc822-headers\n\nReturn-Path: <redacted>\nFeedback-ID: ${feedbackId}\n`;
    const fields = `Feedback-Type: abuse\nVersion: 1\n\n${quoted}`;
    await comeBack(`fbl@${host}`, report('message/feedback-report', fields));
    const events = async () => eventsOf(await readMessage(stack, id)).map(({ event }) => event);
    assert.deepEqual(await events(), ['accepted', 'delivered', 'complained']);
  });

  it('a Feedback-ID of the application is kept, and no other added', async () => {
    const recipient = newRecipient();
    await send(stack, { to: recipient, headers: { 'Feedback-ID': 'spring:shop' } });
    const raw = await readRaw(stack, await waitForReceived(stack, recipient));
    assert.deepEqual(raw.match(/^feedback-id:.*$/gim), ['Feedback-ID: spring:shop']);
  });
});
