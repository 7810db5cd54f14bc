import assert from 'node:assert/strict';
import { RowCounter } from '../../../deploy/backup/rows.ts';

describe('deploy/backup/rows', () => {
  it('counts the same however the rows are cut, and whatever their order', () => {
    const text = 'one\t1\n\nthree\\n\t3\n';
    const whole = countIn([text]);

    assert.equal(whole.rows, 3);
    assert.deepEqual(countIn([...text]), whole);
    assert.deepEqual(countIn(['three\\n\t3\none', '\t1\n\n']), whole);
    assert.notEqual(countIn(['one\t2\n\nthree\\n\t3\n']).digest, whole.digest);
  });

  it('takes half a row for none', () => {
    assert.throws(() => countIn(['one\n', 'tw']), /in the middle of one/);
  });

  function countIn(chunks: string[]) {
    const counter = new RowCounter();
    const taken = chunks.map((chunk) => counter.take(Buffer.from(chunk)).toString()).join('');
    const fingerprint = counter.finish();
    assert.equal(taken, chunks.join(''));
    return fingerprint;
  }
});
