import assert from 'node:assert/strict';
import fc from 'fast-check';
import { classifyReply } from '../../../lib/bounces/classify.ts';
import { loadRules } from '../../../lib/bounces/rules.ts';
import { actions, bounceClasses } from '../../../lib/bounces/taxonomy.ts';

describe('classifyReply', () => {
  const files = loadRules();

  it('never gives an address up for a temporary reply', () => {
    const verdict = classifyReply(files, '450 4.1.1 <u@example.com>: User unknown');
    assert.deepEqual([verdict.class, verdict.isHard, verdict.action], ['recipient-unknown', false, 'retry']);
  });

  it('asks the rules of the provider first', () => {
    const reply =
      '554 delivery error: dd This user is over quota or disabled, account is over quota or disabled';
    assert.equal(classifyReply(files, reply, 'mta7.am0.yahoodns.net').rule.split(':')[0], 'yahoo');
    assert.notEqual(classifyReply(files, reply, 'mx.example.com').rule.split(':')[0], 'yahoo');
  });

  it('does not give up at a 452', () => {
    for (const reply of [
      '452 4.2.2 Mailbox full',
      '452 4.5.3 Too many recipients',
      '452 4.3.1 Insufficient system storage',
    ]) {
      const { isHard, action } = classifyReply(files, reply);
      assert.ok(!isHard && (action === 'retry' || action === 'slow-down'), reply);
    }
  });

  it('knows nothing of what it does not know', () => {
    const unknown = { class: 'other', isHard: false, rule: 'none', basis: 'none' };
    assert.deepEqual(classifyReply(files, '550 Nyaan'), { ...unknown, action: 'give-up' });
    assert.deepEqual(classifyReply(files, '450 Nyaan'), { ...unknown, action: 'retry' });
  });

  it('says whether words decided, or codes alone', () => {
    assert.equal(classifyReply(files, '550 5.1.1 User unknown').basis, 'words');
    assert.equal(classifyReply(files, '550 5.1.1 Nyaan').basis, 'codes');
  });

  it('has an answer for any text', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 300 }), (text) => {
        const verdict = classifyReply(files, text, 'mx.example.com');
        assert.ok(verdict.class in bounceClasses && verdict.action in actions);
      }),
    );
  });
});
