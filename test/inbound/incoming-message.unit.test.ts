import assert from 'node:assert/strict';
import { IncomingMessage } from '../../inbound/incoming-message.ts';
import { MemoryBudget } from '../../lib/memory-budget.ts';

const budget = new MemoryBudget(100);
const create = (maxBytes = 90) => new IncomingMessage(maxBytes, budget);
const push = (message: IncomingMessage, ...lines: string[]) =>
  lines.map((line) => message.push(Buffer.from(line, 'latin1')));

describe('IncomingMessage', () => {
  it('ends at a dot between two CRLF, and takes the dots of the wire away', () => {
    const message = create();
    assert.deepEqual(push(message, 'A: b\r\n', '\r\n', '..x\r\n', '.\r\n'), [false, false, false, true]);
    assert.equal(message.content().toString(), 'A: b\r\n\r\n.x\r\n');
    message.release();
    assert.equal(budget.usedBytes, 0);
  });

  it('SM-2: does not end behind a bare LF, but at the next right dot', () => {
    const message = create();
    assert.deepEqual(push(message, 'x\n', '.\r\n', 'y\r\n', '.\r\n'), [false, false, false, true]);
    assert.equal(message.fault, 'bareLineEnd');
    assert.equal(message.content().length, 0);
  });

  for (const [fault, line] of [
    ['bareLineEnd', 'a\rb\r\n'],
    ['bareLineEnd', 'a\r\r\n'],
    ['nulByte', 'a\0\r\n'],
    ['messageTooLarge', `${'x'.repeat(91)}\r\n`],
  ] as const) {
    it(`says ${fault} of ${JSON.stringify(line.slice(0, 10))}`, () => {
      const message = create();
      push(message, line);
      assert.equal(message.fault, fault);
    });
  }

  it('gives the memory of what it has back when there is no more', () => {
    const message = create(1_000);
    push(message, `${'x'.repeat(60)}\r\n`, `${'x'.repeat(60)}\r\n`);
    assert.equal(message.fault, 'memoryFull');
    assert.equal(budget.usedBytes, 0);
  });
});
