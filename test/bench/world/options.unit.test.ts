import assert from 'node:assert/strict';
import { InvalidArgumentError } from 'commander';
import { readCount, readList, readOverride } from '../../../bench/world/options.ts';

describe('bench: options', () => {
  it('reads lists of counts', () => {
    assert.deepEqual(readList('1,20'), [1, 20]);
    for (const text of ['', '1,', 'x', '-1', '1.5', '0']) {
      assert.throws(() => readList(text), InvalidArgumentError);
    }
  });

  it('refuses what is no count', () => {
    assert.throws(() => readCount('many'), InvalidArgumentError);
  });

  it('collects settings, values in JSON or as a word', () => {
    const first = readOverride('mta.connections=40', []);
    const second = readOverride('log.level=warn', first);
    const third = readOverride('queue.retryDelaysSeconds=[1,2]', second);
    assert.deepEqual(third, [
      ['mta.connections', 40],
      ['log.level', 'warn'],
      ['queue.retryDelaysSeconds', [1, 2]],
    ]);
    assert.throws(() => readOverride('connections=40', []), InvalidArgumentError);
  });
});
