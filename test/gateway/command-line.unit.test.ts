import assert from 'node:assert/strict';
import {
  judgeAuthenticationLine,
  judgeCommandLine,
  readBdatOctets,
  verbOf,
} from '../../gateway/command-line.ts';
import { replies } from '../../gateway/replies.ts';

const judge = (line: string) => judgeCommandLine(Buffer.from(line));

describe('a command line', () => {
  for (const [line, reply] of [
    ['NOOP', undefined],
    [`NOOP ${'x'.repeat(2_043)}`, undefined],
    [`NOOP ${'x'.repeat(2_044)}`, replies.commandTooLong],
    [`AUTH PLAIN ${'A'.repeat(4_000)}`, undefined],
    ['NOOP\0', replies.controlCharacter],
    ['EHLO a\u0085b', replies.controlCharacter],
    ['EHLO ü', undefined],
    ['etrn x', replies.commandNotOffered],
    ['DATA ', undefined],
    ['data x', replies.argumentUnexpected],
    ['QUIT x', replies.argumentUnexpected],
    ['AUTH PLAIN', undefined],
    ['AUTH PLAIN =', undefined],
    ['AUTH PLAIN AAA', replies.base64Invalid],
    ['AUTH PLAIN AA==', undefined],
    ['', undefined],
  ] as const) {
    it(`${line.slice(0, 20)} (${line.length}) is ${reply ? `refused: ${reply.text}` : 'fine'}`, () => {
      assert.equal(judge(line), reply);
    });
  }

  it('of AUTH is base64, or the asterisk that gives it up', () => {
    assert.equal(judgeAuthenticationLine(Buffer.from('*')), undefined);
    assert.equal(judgeAuthenticationLine(Buffer.from('')), undefined);
    assert.equal(judgeAuthenticationLine(Buffer.from('QUJD')), undefined);
    for (const line of ['**', 'A', 'AB==C', 'A B=', 'A===', '\xff']) {
      assert.equal(judgeAuthenticationLine(Buffer.from(line, 'latin1')), replies.base64Invalid);
    }
  });

  it('has a verb up to the first space', () => {
    assert.equal(verbOf(Buffer.from('mail FROM:<>')), 'MAIL');
    assert.equal(verbOf(Buffer.from(' noop')), '');
    assert.equal(verbOf(Buffer.from('')), '');
  });

  it('says how many octets follow a BDAT', () => {
    assert.equal(readBdatOctets(Buffer.from('BDAT 5')), 5);
    assert.equal(readBdatOctets(Buffer.from('bdat 12 LAST')), 12);
    for (const line of ['BDAT', 'BDAT x', 'BDAT -1', 'BDAT 1 2', 'NOOP 5']) {
      assert.equal(readBdatOctets(Buffer.from(line)), undefined);
    }
  });
});
