import assert from 'node:assert/strict';
import fc from 'fast-check';
import { GrowingBuffer } from '../../gateway/growing-buffer.ts';

describe('GrowingBuffer', () => {
  it('holds what came in, in any pieces', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 30_000 }), { maxLength: 8 }), (pieces) => {
        const buffer = new GrowingBuffer();
        for (const piece of pieces) buffer.append(Buffer.from(piece));
        assert.equal(Buffer.compare(buffer.bytes(), Buffer.concat(pieces)), 0);
        assert.equal(buffer.length, buffer.bytes().length);
      }),
    );
  });

  it('can be emptied and used again', () => {
    const buffer = new GrowingBuffer();
    buffer.append(Buffer.from('old'));
    buffer.clear();
    assert.equal(buffer.length, 0);
    buffer.append(Buffer.from('new'));
    assert.equal(buffer.bytes().toString(), 'new');
  });
});
