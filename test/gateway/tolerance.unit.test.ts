import assert from 'node:assert/strict';
import { replies } from '../../gateway/replies.ts';
import { Tolerance } from '../../gateway/tolerance.ts';

describe('Tolerance (CM-9)', () => {
  it('ends at the errors that are too many, until a message pays for them', () => {
    const tolerance = new Tolerance({ maxErrors: 2, maxIdleCommands: 9 });
    assert.equal(tolerance.countReply(500), undefined);
    assert.equal(tolerance.countReply(250), undefined);
    tolerance.startAnew();
    assert.equal(tolerance.countReply(451), undefined);
    assert.equal(tolerance.countReply(550), replies.tooManyErrors);
  });

  it('ends at the idle commands that are too many, and counts no others', () => {
    const tolerance = new Tolerance({ maxErrors: 9, maxIdleCommands: 1 });
    assert.equal(tolerance.countCommand('NOOP'), undefined);
    assert.equal(tolerance.countCommand('MAIL'), undefined);
    assert.equal(tolerance.countCommand('RSET'), replies.tooManyCommands);
  });
});
