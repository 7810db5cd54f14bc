import assert from 'node:assert/strict';
import { cleanResponse, createEvent } from '../../../mta/queue/events.ts';

const source = {
  messageId: 7,
  recipient: 'r@one.test',
  queueId: 'q',
  sequence: '001',
  instanceId: 'test',
  attempt: 2,
};

describe('delivery events', () => {
  it('read code and enhanced code from the reply', () => {
    const event = createEvent(source, { type: 'bounced', response: '550 5.1.1 No such user' });

    assert.deepEqual([event.code, event.enhanced], [550, '5.1.1']);
  });

  it('have no code where the reason is our own', () => {
    const event = createEvent(source, { type: 'deferred', response: 'Network error: refused' });

    assert.deepEqual([event.code, event.enhanced], [null, null]);
  });

  it('take one clean line of any reply (OB-8)', () => {
    assert.equal(cleanResponse('550 a\r\nb\u0000\u001b[31mc\u2028d'), '550 a b [31mc d');
    assert.equal(cleanResponse(`550 ${'x'.repeat(5000)}`).length, 1000);
    assert.equal(cleanResponse('550 \ud800'), '550 \ufffd');
  });
});
