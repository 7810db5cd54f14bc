/** Mail from outside that goes on: to another address, with its bounce on the way back, and to a customer's own server. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { createTransport } from 'nodemailer';
import { listReceived, newRecipient, readRaw, waitFor, waitForReceived } from '../support/mail.ts';
import { requestRaw } from '../support/raw-request.ts';
import { startScriptedSink } from '../support/scripted-sink.ts';
import { readStack, type Stack } from '../support/stack.ts';

const DEADLINE_MS = 60_000;

describe('mail that comes in and goes on', () => {
  let stack: Stack;
  const name = randomBytes(4).toString('hex');
  const author = `bob-${name}@outside.test`;
  before(() => {
    stack = readStack();
  });

  async function call(method: 'GET' | 'POST', path: string, body?: object) {
    const headers = {
      Accept: 'application/json',
      'Content-Type': 'application/json',
      'MailPace-Server-Token': stack.token,
    };
    return requestRaw({ method, url: `${stack.api}/api/v1${path}`, headers, ...(body && { body }) });
  }

  async function mail(from: string, to: string, raw: string) {
    const { host, port } = stack.inbound;
    const transport = createTransport({ host, port, ignoreTLS: true });
    await transport.sendMail({ envelope: { from, to }, raw: raw.replaceAll('\n', '\r\n') });
    transport.close();
  }

  async function reaches(address: string, status: string) {
    const ask = async () => {
      const { body } = await call('GET', `/inbound_messages?recipient=${encodeURIComponent(address)}`);
      return body.inbound_messages[0]?.status === status || undefined;
    };
    await waitFor(`the mail to ${address} is ${status}`, ask, DEADLINE_MS);
  }

  it('is forwarded as it came to an address that has agreed; a bounce finds its author', async () => {
    const address = `forward-${name}@${stack.domain}`;
    const to = newRecipient();
    const route = await call('POST', '/inbound_routes', { address, target: 'forward', forward_to: to });
    assert.deepEqual([route.status, route.body.confirmed], [201, false], JSON.stringify(route.body));
    const question = await readRaw(stack, await waitForReceived(stack, to));
    const code = /^ {4}(\d{8})\r$/m.exec(question)?.[1];
    assert.equal((await call('POST', `/inbound_routes/${route.body.id}/confirmation`, { code })).status, 200);

    const message = `From: Bob <${author}>\nTo: ${address}\nX-Odd:  two  spaces\nSubject: forward-${name}\n\n.\n..dots\n`;
    await mail(author, address, message);
    await reaches(address, 'delivered');
    const forwarded = await waitForForwarded(to);
    const { from } = forwarded.envelope;
    assert.match(from, new RegExp(`^SRS0=[a-z2-7]{8}=\\w+=outside\\.test=bob-${name}@`));
    assert.equal(forwarded.authentication.spf, 'pass');
    const raw = await readRaw(stack, forwarded);
    assert.ok(raw.endsWith(message.replaceAll('\n', '\r\n')), raw);
    assert.doesNotMatch(raw, /^DKIM-Signature/m);
    assert.match(raw, new RegExp(`^Delivered-To: ${address}\\r$`, 'm'));

    const fields = `Reporting-MTA: dns; mx.test\n\nFinal-Recipient: rfc822; ${to}\nAction: failed\nStatus: 5.1.1\nDiagnostic-Code: smtp; 550 5.1.1 User unknown\n`;
    const head = 'From: MAILER-DAEMON@example.test\nContent-Type: multipart/report; boundary=b\n\n';
    await mail('', from, `${head}--b\nContent-Type: message/delivery-status\n\n${fields}\n--b--\n`);
    await reaches(address, 'failed');
    const report = await readRaw(stack, await waitForReceived(stack, author));
    assert.match(report, new RegExp(`Final-Recipient: rfc822; ${address}`));
    assert.ok(!report.includes(to), 'where it was forwarded to is nobody’s business');
  });

  /** The first mail to the address was the question. */
  async function waitForForwarded(to: string) {
    const ask = async () =>
      (await listReceived(stack, to)).find(({ subject }) => subject === `forward-${name}`);
    return waitFor(`what is forwarded to ${to}`, ask, DEADLINE_MS);
  }

  it('is passed on to a server by SMTP', async () => {
    const sink = await startScriptedSink();
    const address = `server-${name}@${stack.domain}`;
    const url = `smtp://127.0.0.1:${sink.port}`;
    const route = await call('POST', '/inbound_routes', {
      address,
      target: 'smtp',
      url,
      requires_tls: false,
    });
    assert.equal(route.status, 201, JSON.stringify(route.body));
    const message = `From: ${author}\nSubject: x\n\n..dot\n`;
    await mail(author, address, message);
    await reaches(address, 'delivered');
    assert.deepEqual(
      sink.arrivals.map(({ recipient, data }) => [recipient, data.toString().trimEnd()]),
      [[address, message.replaceAll('\n', '\r\n').trimEnd()]],
    );
    await sink.close();
  });
});
