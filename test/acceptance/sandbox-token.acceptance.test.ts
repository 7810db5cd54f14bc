/** Mail of sandbox tokens on the running stack: over HTTP and SMTP, played by the worker, and received by nobody. */
import assert from 'node:assert/strict';
import { listReceived, newRecipient, openSmtp, send, waitForStatus } from '../support/mail.ts';
import { readStack, type Stack } from '../support/stack.ts';

describe('a sandbox token', () => {
  let stack: Stack;
  let token: string;

  before(async () => {
    stack = readStack();
    const headers = {
      'mailpace-organization-token': stack.organizationToken,
      'content-type': 'application/json',
    };
    const list = await fetch(new URL('/api/v1/domains', stack.api), { headers });
    const domains = (await list.json()) as { id: number; url: string }[];
    const domain = domains.find(({ url }) => url === stack.domain);
    const response = await fetch(new URL(`/api/v1/domains/${domain?.id}/api_tokens`, stack.api), {
      method: 'POST',
      headers,
      body: JSON.stringify({ api_token: { name: 'sandbox', sandbox: true } }),
    });
    token = ((await response.json()) as { token: string }).token;
  });

  it('sends over HTTP what has its scripted end, step by step, and never leaves', async () => {
    const recipient = newRecipient('defer-once');
    const id = await send(stack, { to: recipient }, token);

    await waitForStatus(stack, id, 'deferred', token);
    const { timeline } = await waitForStatus(stack, id, 'delivered', token);
    assert.deepEqual(
      timeline.map(({ event }) => event),
      ['accepted', 'deferred', 'delivered'],
    );
    assert.deepEqual(await listReceived(stack, recipient), []);
  });

  it('sends over SMTP, too', async () => {
    const recipient = newRecipient('bounce');
    const transport = openSmtp(stack, 'starttls', token);
    const from = `sender@${stack.domain}`;
    const { response } = await transport.sendMail({ from, to: recipient, subject: 'Test', text: 'Hello' });
    transport.close();
    const id = Number(/queued as (\d+)/.exec(response)?.[1]);

    await waitForStatus(stack, id, 'bounced', token);
    assert.deepEqual(await listReceived(stack, recipient), []);
  });
});
