/** Mail by template on the running stack: what arrives is what the template says, and nothing is sent without its data. */
import assert from 'node:assert/strict';
import { simpleParser } from 'mailparser';
import { newRecipient, postSend, readRaw, waitForReceived } from '../support/mail.ts';
import { readStack, type Stack } from '../support/stack.ts';

describe('templates', () => {
  let stack: Stack;
  let template: number;

  before(async () => {
    stack = readStack();
    const response = await fetch(new URL('/api/v1/templates', stack.api), {
      method: 'POST',
      headers: { 'mailpace-server-token': stack.token, 'content-type': 'application/json' },
      body: JSON.stringify({
        name: newRecipient('welcome').split('@')[0]?.replace('+', '-'),
        subject: 'Welcome, {{ name }}',
        htmlbody: '<p>{{ name }}</p>',
      }),
    });
    assert.equal(response.status, 201);
    template = ((await response.json()) as { id: number }).id;
  });

  it('become mail with their data, escaped in HTML', async () => {
    const [from, to] = [`sender@${stack.domain}`, newRecipient()];
    const { status } = await postSend(stack, { from, to, template, template_data: { name: 'Ann & <Bob>' } });
    assert.equal(status, 200);

    const received = await waitForReceived(stack, to);
    const mail = await simpleParser(await readRaw(stack, received));
    assert.equal(received.authentication.dkim, 'pass');
    assert.equal(mail.subject, 'Welcome, Ann & <Bob>');
    assert.equal(String(mail.html).trim(), '<p>Ann &amp; &lt;Bob&gt;</p>');
  });

  it('are not sent without what they name', async () => {
    const from = `sender@${stack.domain}`;
    const { status, body } = await postSend(stack, { from, to: newRecipient(), template });
    assert.deepEqual([status, body], [400, { errors: { 'template_data.name': ['undefined field'] } }]);
  });
});
