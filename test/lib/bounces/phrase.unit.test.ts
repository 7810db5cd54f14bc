import assert from 'node:assert/strict';
import fc from 'fast-check';
import { hasPhrase, normalizeText, parsePhrase } from '../../../lib/bounces/phrase.ts';

const finds = (text: string, phrase: string) =>
  hasPhrase(normalizeText(text), parsePhrase(phrase) ?? assert.fail());

describe('phrase', () => {
  it('is found whatever its case, quotes and spaces', () => {
    assert.ok(finds('552 The "Mailbox"  is\r\n FULL.', 'mailbox is full'));
    assert.ok(!finds('552 The mailbox was full', 'mailbox is full'));
  });

  it('begins at the beginning of a word, and may end within one', () => {
    assert.ok(!finds('Recipient address rejected', 'ip ... rejected'));
    assert.ok(finds('your IP was rejected', 'ip ... rejected'));
    assert.ok(finds('Throttling in effect', 'throttl'));
  });

  it('reaches over an ellipsis, but not far', () => {
    assert.ok(finds('mailbox of user@example.com is full', 'mailbox ... full'));
    assert.ok(!finds(`mailbox ${'x'.repeat(200)} full`, 'mailbox ... full'));
    assert.ok(finds(`mailbox ${'x'.repeat(200)} mailbox is full`, 'mailbox ... full'));
  });

  it('is nothing without words', () => {
    assert.equal(parsePhrase(' ... '), undefined);
    assert.equal(parsePhrase('a'), undefined);
  });

  it('is found where it was put, and never throws', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.string({ unit: 'binary' }), (before, after) => {
        assert.ok(finds(`${before} mailbox full ${after}`, 'mailbox full'));
      }),
    );
  });
});
