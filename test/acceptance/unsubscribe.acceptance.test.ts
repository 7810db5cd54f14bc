/** One-click unsubscription on the running stack: from the mail that arrived to the mail that is not sent any more. */
import assert from 'node:assert/strict';
import { newRecipient, postSend, readMessage, readRaw, send, waitForReceived } from '../support/mail.ts';
import { readStack, type Stack } from '../support/stack.ts';

describe('one-click unsubscribe (RFC 8058)', () => {
  let stack: Stack;
  before(() => {
    stack = readStack();
  });

  async function receiveLink(recipient: string): Promise<string> {
    const received = await waitForReceived(stack, recipient);
    const raw = await readRaw(stack, received);
    assert.equal(received.authentication.dkim, 'pass');
    assert.match(raw, /^List-Unsubscribe-Post: List-Unsubscribe=One-Click\r$/m);
    const signed = /\sh=([^;]+);/.exec(raw)?.[1]?.replaceAll(/\s/g, '').split(':') ?? [];
    for (const name of ['list-unsubscribe', 'list-unsubscribe-post']) {
      assert.equal(signed.filter((each) => each === name).length, 2, `${name} is oversigned`);
    }
    return /^List-Unsubscribe:\s+<([^>]+)>/m.exec(raw)?.[1] ?? '';
  }

  it('gives each recipient a link of its own, and ends the stream for the one who uses it (UN-1)', async () => {
    const [ann, bob] = [newRecipient(), newRecipient()];
    const id = await send(stack, { to: `${ann}, ${bob}`, stream: 'bulk' });
    const [link, other] = [await receiveLink(ann), await receiveLink(bob)];
    assert.notEqual(link, other);

    const shown = await fetch(link);
    assert.equal(shown.status, 200, `${link} ${await shown.text()}`);
    const body = new URLSearchParams({ 'List-Unsubscribe': 'One-Click' });
    assert.equal((await fetch(link, { method: 'POST', body, redirect: 'error' })).status, 200);

    const from = `sender@${stack.domain}`;
    const again = { from, subject: 'Test', textbody: 'Hello', stream: 'bulk' };
    assert.equal((await postSend(stack, { ...again, to: ann })).status, 400);
    assert.equal((await postSend(stack, { ...again, to: bob })).status, 200);
    assert.equal((await postSend(stack, { ...again, to: ann, stream: 'transactional' })).status, 200);
    const { timeline } = await readMessage(stack, id);
    const told = timeline.filter(({ event }) => event === 'unsubscribed');
    assert.deepEqual(
      told.map(({ recipient }) => recipient),
      [ann],
    );
  });

  it("leaves the sender's own List-Unsubscribe alone", async () => {
    const recipient = newRecipient();
    await send(stack, { to: recipient, stream: 'bulk', list_unsubscribe: '<mailto:u@example.com>' });
    const raw = await readRaw(stack, await waitForReceived(stack, recipient));

    assert.match(raw, /^List-Unsubscribe: <mailto:u@example\.com>\r$/m);
    assert.doesNotMatch(raw, /List-Unsubscribe-Post:/);
  });
});
