import assert from 'node:assert/strict';
import { behaviours, findBehaviour, RecipientAttempts } from '../../sandbox/behaviours.ts';

describe('the behaviours of recipients', () => {
  it('are found by the whole local part or by a suffix, the longest name first', () => {
    assert.equal(findBehaviour('full@a.test'), behaviours.full);
    assert.equal(findBehaviour('full+1@a.test'), behaviours.full);
    assert.equal(findBehaviour('full-temporary@a.test'), behaviours['full-temporary']);
    assert.equal(findBehaviour('full-temporary-2@a.test'), behaviours['full-temporary']);
    assert.equal(findBehaviour('FULL-x@a.test'), behaviours.full);
    for (const address of [
      'fuller@a.test',
      'a+full@a.test',
      'constructor@a.test',
      'full@b"@a.test',
      '@full',
    ]) {
      assert.equal(findBehaviour(address).recipientReply, undefined, address);
    }
  });

  it('give every reply a code and a status of the same class, on one line', () => {
    for (const [name, { recipientReply, dataReply }] of Object.entries(behaviours)) {
      for (const reply of [recipientReply, dataReply]) {
        if (!reply || reply === 'close') continue;
        assert.equal(String(reply.code)[0], reply.enhanced[0], name);
        assert.match(reply.enhanced, /^[45]\.\d\.\d$/);
        assert.match(reply.text, /^[ -~]+$/);
      }
    }
  });

  it('block the client that the local part names, and no other', () => {
    const refuse = (address: string, client?: string) =>
      new RecipientAttempts().refusal(address, findBehaviour(address), client)?.code;
    assert.equal(refuse('blocks-127.0.0.2@a.test', '127.0.0.2'), 550);
    assert.equal(refuse('blocks-127.0.0.2+x@a.test', '127.0.0.2'), 550);
    assert.equal(refuse('blocks-127.0.0.21@a.test', '127.0.0.2'), undefined);
    assert.equal(refuse('blocks-127.0.0.2@a.test'), undefined);
  });

  it('let greylisted mail in 5 s after its first attempt', () => {
    const attempts = new RecipientAttempts();
    const behaviour = findBehaviour('greylist@a.test');
    const codeAt = (now: number) => attempts.refusal('greylist@a.test', behaviour, '', now)?.code;
    assert.deepEqual([1_000, 2_000, 5_999, 6_000, 7_000].map(codeAt), [451, 451, 451, undefined, undefined]);
  });
});
