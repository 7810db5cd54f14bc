/** Point 3 of "mail flows": what becomes of deliveries that do not go well, and that the timeline says so. */
import assert from 'node:assert/strict';
import {
  eventsOf,
  newRecipient,
  readMessage,
  send,
  waitFor,
  waitForReceived,
  waitForStatus,
} from '../support/mail.ts';
import { readStack, type Stack } from '../support/stack.ts';

describe('fates of deliveries', () => {
  let stack: Stack;
  before(() => {
    stack = readStack();
  });

  it('a refusal for now is tried again and then delivered', async () => {
    const recipient = newRecipient('defer-once');
    const id = await send(stack, { to: recipient });

    const message = await waitForStatus(stack, id, 'delivered');

    const { recipients } = message;
    const timeline = eventsOf(message);
    assert.deepEqual(
      timeline.map(({ event }) => event),
      ['accepted', 'deferred', 'delivered'],
    );
    const [, deferred] = timeline;
    assert.match(String(deferred?.data.response), /^451 4\.7\.1 /);
    assert.ok(Date.parse(String(deferred?.data.next_attempt_at)) > Date.parse(deferred?.occurred_at ?? ''));
    assert.equal(recipients[0]?.attempts, 2);
  });

  for (const [localPart, reply] of [
    ['bounce', /^550 5\.1\.1 /],
    ['bounce-data', /^550 5\.3\.0 /],
    ['full', /^552 5\.2\.2 /],
    ['blocked-ip', /^550 5\.7\.1 .*blocked/],
  ] as const) {
    it(`a final refusal (${localPart}) bounces with its reply`, async () => {
      const id = await send(stack, { to: newRecipient(localPart) });

      const message = await waitForStatus(stack, id, 'bounced');

      const { recipients } = message;
      const timeline = eventsOf(message);
      assert.deepEqual(
        timeline.map(({ event }) => event),
        ['accepted', 'bounced'],
      );
      assert.match(String(timeline[1]?.data.response), reply);
      assert.match(recipients[0]?.response ?? '', reply);
    });
  }

  it('a connection that is cut after the message is tried again (DU-4)', async () => {
    const id = await send(stack, { to: newRecipient('drop') });

    await waitFor('a second attempt', async () => {
      const { status, recipients, timeline } = await readMessage(stack, id);
      const deferrals = timeline.filter((entry) => entry.event === 'deferred').length;
      return status === 'deferred' && Number(recipients[0]?.attempts) >= 2 && deferrals >= 2
        ? true
        : undefined;
    });
  });

  it('recipients of one message have fates of their own (DU-5)', async () => {
    const [good, bad, later] = [newRecipient(), newRecipient('bounce'), newRecipient('defer')];
    const id = await send(stack, { to: [good, bad, later].join(', ') });

    const { recipients } = await waitFor('three fates', async () => {
      const view = await readMessage(stack, id);
      return view.recipients.every(({ status }) => status !== 'queued') ? view : undefined;
    });

    const statusOf = (address: string) =>
      recipients.find((recipient) => recipient.address === address)?.status;
    assert.deepEqual([statusOf(good), statusOf(bad), statusOf(later)], ['delivered', 'bounced', 'deferred']);
    await waitForReceived(stack, good);
  });

  it('a broken STARTTLS of the remote is passed by (opportunistic TLS)', async () => {
    const recipient = newRecipient('deliver', 'tls-broken.test');
    await waitForStatus(stack, await send(stack, { to: recipient }), 'delivered');

    assert.equal((await waitForReceived(stack, recipient)).tls, null);
  });
});
