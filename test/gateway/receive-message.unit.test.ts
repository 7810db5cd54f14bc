import assert from 'node:assert/strict';
import { PassThrough, Readable } from 'node:stream';
import { receiveMessage } from '../../gateway/receive-message.ts';
import { replies } from '../../gateway/replies.ts';
import { MemoryBudget } from '../../lib/memory-budget.ts';

const message = 'From: a@example.com\r\n\r\nbody\r\n';
const streamOf = (...chunks: string[]) => Readable.from(chunks.map((chunk) => Buffer.from(chunk)));

describe('receiveMessage', () => {
  it('gives the bytes, and its memory back when they are handed on', async () => {
    const budget = new MemoryBudget(1_000);
    const received = await receiveMessage(streamOf(message.slice(0, 7), message.slice(7)), {
      maxMessageBytes: 100,
      budget,
    });
    assert.ok(received.ok);
    assert.equal(received.message.toString(), message);
    assert.equal(budget.usedBytes, message.length);
    received.release();
    assert.equal(budget.usedBytes, 0);
  });

  for (const [name, chunks, reply] of [
    ['too large', [message, 'x'.repeat(100), '\r\n'], replies.messageTooLarge],
    ['more than there is room for', [message, 'x'.repeat(50), '\r\n'], replies.memoryFull],
    ['too large and more than there is room for', [message, 'x'.repeat(150)], replies.messageTooLarge],
    ['with a bare LF', ['a\n', 'b\r\n'], replies.bareLineEnd],
    ['with a NUL', ['a\0', 'b\r\n'], replies.nulByte],
  ] as const) {
    it(`reads a message ${name} to its end, and keeps nothing`, async () => {
      const budget = new MemoryBudget(60);
      const stream = streamOf(...chunks);
      assert.deepEqual(await receiveMessage(stream, { maxMessageBytes: 100, budget }), { ok: false, reply });
      assert.ok(stream.readableEnded);
      assert.equal(budget.usedBytes, 0);
    });
  }

  it('keeps nothing of a client that leaves', async () => {
    const budget = new MemoryBudget(1_000);
    const stream = new PassThrough();
    stream.write(message);
    setImmediate(() => stream.destroy(new Error('left')));
    await assert.rejects(receiveMessage(stream, { maxMessageBytes: 100, budget }), /left/);
    assert.equal(budget.usedBytes, 0);
  });
});
