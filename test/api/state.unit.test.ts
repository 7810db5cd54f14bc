import assert from 'node:assert/strict';
import { advanceRecipients, type NewEvent } from '../../api/models/event.ts';
import { deriveMessageState, isAbove, type State, states } from '../../api/models/state.ts';

describe('api/models/state', () => {
  const table: [recipients: State[], message: State][] = [
    [['queued'], 'queued'],
    [['delivered', 'delivered'], 'delivered'],
    [['delivered', 'queued'], 'queued'],
    [['delivered', 'queued', 'deferred'], 'deferred'],
    [['bounced', 'deferred'], 'deferred'],
    [['bounced', 'delivered'], 'bounced'],
    [['spam', 'delivered'], 'spam'],
    [['expired', 'suppressed', 'delivered'], 'expired'],
    [['suppressed', 'delivered'], 'suppressed'],
    [['cancelled', 'delivered'], 'cancelled'],
    [['held', 'deferred', 'queued', 'bounced'], 'held'],
  ];
  for (const [recipients, message] of table) {
    it(`a message of ${recipients.join(', ')} is ${message}`, () => {
      assert.equal(deriveMessageState(recipients), message);
      assert.equal(deriveMessageState(recipients.toReversed()), message);
    });
  }

  it('knows every state', () => {
    for (const state of states) assert.equal(deriveMessageState([state]), state);
  });

  it('orders the states', () => {
    assert.equal(isAbove('delivered', 'deferred'), true);
    assert.equal(isAbove('deferred', 'delivered'), false);
    assert.equal(isAbove('bounced', 'delivered'), true);
    assert.equal(isAbove('queued', 'queued'), false);
  });
});

describe('api/models/event advanceRecipients', () => {
  const at = (second: number) => new Date(Date.UTC(2026, 0, 1, 0, 0, second));
  const event = (
    type: NewEvent['type'],
    second: number,
    data = {},
    recipient = 'b@example.com',
  ): NewEvent => ({
    id: String(second),
    messageId: 1,
    recipient,
    type,
    occurredAt: at(second).toISOString(),
    data,
  });
  const recipient = (state: State = 'queued') => ({
    id: 1,
    messageId: 1,
    address: 'b@example.com',
    state,
    stateAt: at(0),
    attempts: 0,
    last: undefined,
  });

  it('follows a delivery from deferral to delivery', () => {
    const row = recipient();
    advanceRecipients(
      [row],
      [
        event('deferred', 1, { attempt: 1, response: '451' }),
        event('delivered', 2, { attempt: 2, response: '250' }),
      ],
    );

    assert.deepEqual(
      [row.state, row.stateAt, row.attempts, row.last],
      ['delivered', at(2), 2, { attempt: 2, response: '250' }],
    );
  });

  it('keeps what a late deferral cannot change, in any order of arrival', () => {
    const events = [
      event('deferred', 1, { attempt: 1 }),
      event('deferred', 2, { attempt: 2 }),
      event('delivered', 3, { attempt: 3 }),
    ];
    for (const order of [
      [0, 1, 2],
      [2, 1, 0],
      [1, 2, 0],
      [2, 0, 1],
    ]) {
      const row = recipient();
      for (const index of order) advanceRecipients([row], events.slice(index, index + 1));
      assert.deepEqual([row.state, row.stateAt, row.attempts], ['delivered', at(3), 3]);
    }
  });

  it('keeps the newest of two deferrals', () => {
    const row = recipient();
    advanceRecipients(
      [row],
      [event('deferred', 5, { response: 'new' }), event('deferred', 4, { response: 'old' })],
    );

    assert.deepEqual([row.stateAt, row.last], [at(5), { response: 'new' }]);
  });

  it('knows the recipient in another case, and leaves strangers alone', () => {
    const row = recipient();
    assert.deepEqual(advanceRecipients([row], [event('bounced', 1, {}, 'x@example.com')]), []);
    assert.deepEqual(advanceRecipients([row], [event('bounced', 1, {}, 'B@Example.com')]), [row]);
    assert.equal(row.state, 'bounced');
  });
});
