/** Taking mail back, on the running stack: before the mta has it, and from the mta's queue. */
import assert from 'node:assert/strict';
import { newRecipient, readMessage, send, waitForReceived, waitForStatus } from '../support/mail.ts';
import { readStack, type Stack } from '../support/stack.ts';

describe('cancellation', () => {
  let stack: Stack;
  before(() => {
    stack = readStack();
  });

  async function cancel(id: number) {
    const response = await fetch(`${stack.api}/api/v1/messages/${id}/cancellation`, {
      method: 'POST',
      headers: { 'MailPace-Server-Token': stack.token, accept: 'application/json' },
    });
    return { status: response.status, body: (await response.json()) as { recipients: unknown } };
  }

  it('a scheduled message goes when it is due', async () => {
    const recipient = newRecipient();
    const id = await send(stack, { to: recipient, send_at: new Date(Date.now() + 1_500).toISOString() });

    assert.equal((await readMessage(stack, id)).status, 'queued');
    await waitForStatus(stack, id, 'delivered');
    await waitForReceived(stack, recipient);
  });

  it('a scheduled message is cancelled', async () => {
    const id = await send(stack, {
      to: newRecipient(),
      send_at: new Date(Date.now() + 3_600_000).toISOString(),
    });

    assert.equal((await cancel(id)).status, 200);
    assert.equal((await readMessage(stack, id)).status, 'cancelled');
  });

  it("a deferred message is cancelled in the mta's queue, and a delivered one is not", async () => {
    const [good, later] = [newRecipient(), newRecipient('defer')];
    const id = await send(stack, { to: `${good}, ${later}` });
    await waitForReceived(stack, good);
    await waitForStatus(stack, id, 'deferred');

    const { status, body } = await cancel(id);
    assert.equal(status, 200);
    assert.deepEqual(body.recipients, [
      { address: good, status: 'delivered', outcome: 'too_late' },
      { address: later, status: 'cancelled', outcome: 'cancelled' },
    ]);
    const { timeline } = await readMessage(stack, id);
    assert.equal(timeline.at(-1)?.event, 'cancelled');
  });
});
