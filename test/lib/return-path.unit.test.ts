import assert from 'node:assert/strict';
import fc from 'fast-check';
import { createReturnPath, digestRecipient, readReturnPath } from '../../lib/return-path.ts';

const key = Buffer.alloc(32, 1);
const domain = 'bounces.test';

describe('return path', () => {
  it('says whose bounce it is', () => {
    fc.assert(
      fc.property(fc.nat({ max: 2 ** 48 - 1 }), fc.emailAddress(), (messageId, recipient) => {
        const address = createReturnPath({ messageId, recipient, domain }, key);
        assert.deepEqual(readReturnPath(address, key), {
          messageId,
          recipientDigest: digestRecipient(recipient),
        });
      }),
    );
  });

  it('fits a local part of 64 characters and survives upper-casing (AD-11)', () => {
    const address = createReturnPath({ messageId: 42, recipient: 'r@one.test', domain }, key);

    assert.ok(address.indexOf('@') <= 64);
    assert.equal(readReturnPath(address.toUpperCase(), key)?.messageId, 42);
  });

  it('says nothing when it was altered or made with another key (AD-11)', () => {
    const address = createReturnPath({ messageId: 42, recipient: 'r@one.test', domain }, key);
    const altered = address.replace(/\+a/, '+b');

    assert.notEqual(altered, address);
    assert.equal(readReturnPath(altered, key), undefined);
    assert.equal(readReturnPath(address, Buffer.alloc(32, 2)), undefined);
    assert.equal(readReturnPath('bounces+@x', key), undefined);
    assert.equal(readReturnPath('someone@x', key), undefined);
  });
});
