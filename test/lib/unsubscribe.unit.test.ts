import assert from 'node:assert/strict';
import {
  createUnsubscribeToken,
  readUnsubscribeToken,
  unsubscribeBase,
  unsubscribeKey,
} from '../../lib/unsubscribe.ts';
import { createTestSettings } from '../support/settings.ts';

const settings = createTestSettings();
const key = unsubscribeKey(settings.secrets.key);
const unsubscription = {
  messageId: 12,
  organizationId: 3,
  domain: 'shop.example',
  stream: 'bulk',
  recipient: 'ünn@example.com',
};

describe('lib/unsubscribe', () => {
  it('reads what it has written', () => {
    assert.deepEqual(readUnsubscribeToken(createUnsubscribeToken(unsubscription, key), key), unsubscription);
  });

  it('reads nothing that was altered, cut or made with another key (UN-2)', () => {
    const token = createUnsubscribeToken(unsubscription, key);
    for (const at of token.split('').keys()) {
      const other = token[at] === 'A' ? 'B' : 'A';
      const altered = token.slice(0, at) + other + token.slice(at + 1);
      assert.equal(readUnsubscribeToken(altered, key), undefined, `at ${at}`);
    }
    for (const bad of ['', '.', 'x', `${token}=`, `${token}.`, token.slice(0, -1), 'x'.repeat(5_000)]) {
      assert.equal(readUnsubscribeToken(bad, key), undefined, bad.slice(0, 20));
    }
    const foreign = createUnsubscribeToken(unsubscription, unsubscribeKey(createTestSettings().secrets.key));
    assert.equal(readUnsubscribeToken(foreign, key), undefined);
  });

  it('reads links of the key before while the master key is replaced, and writes none', () => {
    const newKey = createTestSettings().secrets.key;
    const both = unsubscribeKey(`${newKey},${settings.secrets.key}`);
    const before = createUnsubscribeToken(unsubscription, key);
    assert.deepEqual(readUnsubscribeToken(before, both), unsubscription);
    const meanwhile = createUnsubscribeToken(unsubscription, both);
    assert.deepEqual(readUnsubscribeToken(meanwhile, unsubscribeKey(newKey)), unsubscription);
  });

  it('has a base only where recipients can reach the api', () => {
    const { api } = settings;
    assert.equal(unsubscribeBase(settings), api.url);
    const url = 'http://127.0.0.1:3000/';
    assert.equal(unsubscribeBase({ ...settings, api: { ...api, url } }), 'http://127.0.0.1:3000');
    assert.equal(unsubscribeBase({ environment: 'production', api }), undefined);
    const publicUrl = 'https://mail.example.com/';
    assert.equal(
      unsubscribeBase({ environment: 'production', api: { ...api, publicUrl } }),
      'https://mail.example.com',
    );
  });
});
