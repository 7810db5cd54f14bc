import assert from 'node:assert/strict';
import { composeMessage } from '../../../bench/world/arrivals.ts';
import { createSigningKey, verifySignature } from '../../../bench/world/signature.ts';

describe('bench: signatures', () => {
  it('finds that a message has none', async () => {
    assert.equal(await verifySignature(composeMessage(1, 'a@b.example', 10), createSigningKey()), 'none');
  });
});
