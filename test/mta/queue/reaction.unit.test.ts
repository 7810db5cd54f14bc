import assert from 'node:assert/strict';
import { readReaction } from '../../../mta/queue/reaction.ts';

const connected = { isConnected: true };

describe('reaction of a destination', () => {
  it('is an answer when it took the message, or refused this one', () => {
    assert.equal(readReaction({ type: 'delivered', response: '250 OK' }, connected), 'answer');
    assert.equal(readReaction({ type: 'bounced', response: '550 5.1.1 No such user' }, connected), 'answer');
    assert.equal(readReaction({ type: 'deferred', response: '450 4.2.0 Greylisted' }, connected), 'answer');
  });

  it('is a pushback when it closes the channel, or is not there', () => {
    const refused = {
      type: 'deferred',
      response: 'Network error: ECONNREFUSED',
      category: 'network',
    } as const;
    assert.equal(
      readReaction({ type: 'deferred', response: '421 4.7.0 Too busy', category: 'other' }, connected),
      'pushback',
    );
    assert.equal(readReaction(refused, { isConnected: false }), 'pushback');
    assert.equal(readReaction({ ...refused, type: 'expired' }, connected), 'pushback');
  });

  it('is unknown when the destination was not spoken to', () => {
    const unconnected = { isConnected: false };
    assert.equal(readReaction({ type: 'suppressed' }, unconnected), undefined);
    assert.equal(
      readReaction({ type: 'held', response: 'The envelope cannot be read' }, connected),
      undefined,
    );
    assert.equal(readReaction({ type: 'deferred', response: '451 4.3.0 No keys' }, unconnected), undefined);
    assert.equal(
      readReaction({ type: 'deferred', response: 'DNS error: SERVFAIL', category: 'dns' }, unconnected),
      undefined,
    );
  });
});
