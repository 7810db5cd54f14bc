import assert from 'node:assert/strict';
import { isActive, raiseBlock, readBlock } from '../../../lib/pools/block.ts';

const terms = { blockSeconds: 10, maxBlockSeconds: 40 };
const raise = (previous: Parameters<typeof raiseBlock>[0], now: number) =>
  raiseBlock(previous, { address: '192.0.2.1', site: 'a.test', reply: '550 5.7.1\r\nblocked', now }, terms);

describe('raiseBlock', () => {
  it('doubles with each time, up to the longest', () => {
    let block = raise(undefined, 0);
    const lengths = [block.endsAt];
    for (let n = 0; n < 4; n++) {
      const start = block.endsAt;
      block = raise(block, start);
      lengths.push(block.endsAt - start);
    }
    assert.deepEqual(lengths, [10_000, 20_000, 40_000, 40_000, 40_000]);
    assert.equal(block.reply, '550 5.7.1 blocked');
  });

  it('leaves a block that stands as it is: mail under way says nothing new', () => {
    const block = raise(undefined, 0);
    assert.equal(raise(block, 9_999), block);
    assert.equal(isActive(block, 9_999), true);
    assert.equal(isActive(block, 10_000), false);
  });

  it('begins anew after a calm time', () => {
    const second = raise(raise(undefined, 0), 10_000);
    assert.equal(raise(second, second.endsAt + 40_000).strikes, 3);
    assert.equal(raise(second, second.endsAt + 40_001).strikes, 1);
  });
});

describe('readBlock', () => {
  for (const text of ['', '{}', 'null', '[1]', '{"address":"x","endsAt":"soon"}']) {
    it(`takes ${text || 'nothing'} for nobody's block`, () => assert.equal(readBlock(text), undefined));
  }

  it('reads what was written', () => {
    const block = raise(undefined, 0);
    assert.deepEqual(readBlock(JSON.stringify(block)), block);
  });
});
