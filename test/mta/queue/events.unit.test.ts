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

  it('say what the reply of a remote server means, by the rules of its provider', () => {
    const facts = {
      startedAt: '2026-11-24T08:00:00.000Z',
      mx: { hostname: 'gmail-smtp-in.l.google.com', address: '192.0.2.1' },
      localAddress: null,
      tls: null,
    };
    const response = '550-5.1.1 The email account that you tried to reach does not exist.';

    const event = createEvent(source, { type: 'bounced', response, facts });

    assert.equal(event.bounce?.class, 'recipient-unknown');
    assert.equal(event.bounce?.isHard, true);
    assert.match(event.bounce?.rule ?? '', /^google:/);
  });

  it('take no verdict from the words of an operator', () => {
    assert.equal(createEvent(source, { type: 'bounced', response: 'User unknown to us' }).bounce, undefined);
  });

  it('take one clean line of any reply (OB-8)', () => {
    assert.equal(cleanResponse('550 a\r\nb\u0000\u001b[31mc\u2028d'), '550 a b [31mc d');
    assert.equal(cleanResponse(`550 ${'x'.repeat(5000)}`).length, 1000);
    assert.equal(cleanResponse('550 \ud800'), '550 \ufffd');
  });
});
