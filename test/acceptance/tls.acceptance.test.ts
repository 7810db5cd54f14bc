/** TLS to MX hosts through the running stack (TL-10, TL-11). */
import assert from 'node:assert/strict';
import { newRecipient, send, waitForReceived, waitForStatus } from '../support/mail.ts';
import { readStack, type Stack } from '../support/stack.ts';

describe('TLS to the recipient', () => {
  let stack: Stack;
  before(() => {
    stack = readStack();
  });

  for (const domain of ['a.no-tls.test', 'a.tls-broken.test']) {
    it(`TL-10: goes without it to ${domain}, where nothing else is asked`, async () => {
      const recipient = newRecipient('deliver', domain);
      await send(stack, { to: recipient });
      assert.equal((await waitForReceived(stack, recipient)).tls, null);
    });
  }

  for (const [domain, response] of [
    ['b.no-tls.test', /^451 4\.7\.4 /],
    ['b.tls-broken.test', /^451 4\.7\.4 /],
    ['self-signed.test', /^451 4\.7\.5 /],
  ] as const) {
    it(`TL-11: tls: required is put off at ${domain}, and nothing arrives`, async () => {
      const recipient = newRecipient('deliver', domain);
      const id = await send(stack, { to: recipient, tls: 'required' });
      const message = await waitForStatus(stack, id, 'deferred');
      assert.match(message.recipients[0]?.response ?? '', response);
    });
  }
});
