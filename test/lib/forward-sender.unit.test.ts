import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { createForwardSender, readForwardSender } from '../../lib/forward-sender.ts';

const DAY_MS = 86_400_000;

describe('lib/forward-sender', () => {
  const key = randomBytes(32);
  const now = Date.parse('2026-05-01T12:00:00Z');
  const create = (sender: string, own = key) =>
    createForwardSender({ messageId: 4711, sender, domain: 'b.test' }, own, now) ?? '';

  it('rewrites an address as SRS0, and one that was rewritten before as SRS1 of the first forwarder', () => {
    const once = create('Ann.B@example.org');
    assert.match(once, /^SRS0=[a-z2-7]{8}=[a-z2-7]{2}3mv=example\.org=Ann\.B@b\.test$/);
    const twice = create('SRS0=HHHH=TT=example.org=ann@fwd.test');
    assert.match(twice, /^SRS1=[a-z2-7]{8}=[a-z2-7]{2}3mv=fwd\.test==HHHH=TT=example\.org=ann@b\.test$/);
    const later = create('SRS1=XXXX=fwd.test==HHHH=TT=example.org=ann@second.test');
    assert.match(later, /^SRS1=[a-z2-7]{8}=[a-z2-7]{2}3mv=fwd\.test==HHHH=TT=example\.org=ann@b\.test$/);
    const again = create('SRS1=abcdefgh=aa1=fwd.test==HHHH=TT=example.org=ann@third.test');
    assert.match(again, /=fwd\.test==HHHH=TT=example\.org=ann@b\.test$/);
    for (const address of [once, twice, later]) assert.equal(readForwardSender(address, key, now), 4711);
  });

  it('reads what it has written, in any case, for 21 days, and by the key before', () => {
    const address = create('ann@example.org');
    assert.equal(readForwardSender(address.toUpperCase(), key, now), 4711);
    assert.equal(readForwardSender(address, key, now + 21 * DAY_MS), 4711);
    assert.equal(readForwardSender(address, key, now + 22 * DAY_MS), undefined);
    assert.equal(readForwardSender(address, Buffer.concat([randomBytes(32), key]), now), 4711);
    assert.equal(readForwardSender(address, randomBytes(32), now), undefined);
  });

  it('believes nothing that was changed', () => {
    const address = create('ann@example.org');
    const end = address.lastIndexOf('@');
    fc.assert(
      fc.property(fc.nat(end - 1), fc.constantFrom(...'abc=7+0'), (at, character) => {
        const changed = address.slice(0, at) + character + address.slice(at + 1);
        fc.pre(changed.toLowerCase() !== address.toLowerCase());
        // The first four characters are the scheme's name
        return readForwardSender(changed, key, now) === undefined;
      }),
    );
  });

  it('leaves to others what does not fit: long, quoted or beyond ASCII', () => {
    for (const sender of [`${'a'.repeat(40)}@example.org`, '"a b"@example.org', 'änn@example.org', '']) {
      assert.equal(create(sender), '', sender);
    }
  });
});
