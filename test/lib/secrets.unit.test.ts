import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { createReturnPath, readReturnPath } from '../../lib/return-path.ts';
import { deriveKey, seal, unseal } from '../../lib/secrets.ts';

const [oldKey, newKey] = [1, 2].map(() => randomBytes(32).toString('base64'));
const both = `${newKey}, ${oldKey}`;
const key = (masterKey = '') => deriveKey(masterKey, 'database');

describe('two master keys', () => {
  it('seal with the first and open with both', () => {
    const before = seal(key(oldKey), 'secret', 'here');
    const meanwhile = seal(key(both), 'secret', 'here');

    for (const sealed of [before, meanwhile]) {
      assert.equal(unseal(key(both), sealed, 'here')?.toString(), 'secret');
    }
    assert.equal(unseal(key(newKey), meanwhile, 'here')?.toString(), 'secret');
    assert.equal(unseal(key(oldKey), meanwhile, 'here'), undefined);
    assert.equal(unseal(key(both), before, 'elsewhere'), undefined);
  });

  it('sign return paths with the first and verify with both', () => {
    const message = { messageId: 42, recipient: 'r@one.test', domain: 'bounces.test' };
    const path = (masterKey = '') => deriveKey(masterKey, 'return-path');
    const address = createReturnPath(message, path(oldKey));
    assert.equal(readReturnPath(address, path(both))?.messageId, 42);
    assert.equal(createReturnPath(message, path(both)), createReturnPath(message, path(newKey)));
    assert.equal(readReturnPath(address, path(newKey)), undefined);
  });
});
