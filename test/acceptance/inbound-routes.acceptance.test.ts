/** Mail from outside to an inbound route: through Haraka, the api and the worker to a customer's endpoint. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { createTransport } from 'nodemailer';
import { Webhook } from 'standardwebhooks';
import { requestRaw } from '../support/raw-request.ts';
import { readStack, type Stack } from '../support/stack.ts';
import { startWebhookEndpoint, type WebhookEndpoint } from '../support/webhook-endpoint.ts';

describe('inbound routes', () => {
  let stack: Stack;
  let endpoint: WebhookEndpoint;
  const name = `in-${randomBytes(4).toString('hex')}`;
  before(async () => {
    stack = readStack();
    endpoint = await startWebhookEndpoint();
  });
  after(() => endpoint.close());

  async function call(method: 'GET' | 'POST', path: string, body?: object) {
    const headers = {
      Accept: 'application/json',
      'Content-Type': 'application/json',
      'MailPace-Server-Token': stack.token,
    };
    return requestRaw({ method, url: `${stack.api}/api/v1${path}`, headers, ...(body && { body }) });
  }

  async function mail(to: string, raw: string) {
    const { host, port } = stack.inbound;
    const transport = createTransport({ host, port, ignoreTLS: true });
    try {
      return await transport.sendMail({ envelope: { from: 'bob@outside.test', to }, raw });
    } finally {
      transport.close();
    }
  }

  it('post what comes to them, signed, with raw byte for byte; an unknown recipient is refused at RCPT', async () => {
    const address = `${name}@${stack.domain}`;
    const route = await call('POST', '/inbound_routes', {
      address,
      target: 'http',
      url: `${endpoint.url}/mail`,
    });
    assert.equal(route.status, 201, JSON.stringify(route.body));
    const raw = [
      `From: Bob <bob@outside.test>\r\nTo: ${address}\r\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\n`,
      `Message-ID: <${name}@outside.test>\r\nX-Odd:  two  spaces\r\n\r\n`,
      '.\r\n..dots\r\nümläut\r\n',
    ].join('');

    await mail(address, raw);

    const [got] = await endpoint.waitFor(1);
    assert.ok(got);
    const payload = JSON.parse(got.raw.toString());
    assert.deepEqual(
      [payload.raw, payload.subject, payload.messageId, payload.text.trim()],
      [raw, 'Grüße', `<${name}@outside.test>`, '.\n..dots\nümläut'],
    );
    for (const check of ['spf', 'dkim', 'dmarc']) assert.ok(check in payload, check);
    new Webhook(String(route.body.secret)).verify(got.raw, got.headers as Record<string, string>);
    const { body } = await call('GET', `/inbound_messages?recipient=${encodeURIComponent(address)}`);
    assert.equal(body.inbound_messages.length, 1);

    await assert.rejects(mail(`nobody-${name}@${stack.domain}`, raw), {
      responseCode: 550,
      command: 'RCPT TO',
    });
  });
});
