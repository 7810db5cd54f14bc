import assert from 'node:assert/strict';
import { readCursor, writeCursor } from '../../api/routes/message-cursor.ts';

const [oldKey, newKey] = [Buffer.alloc(32, 1), Buffer.alloc(32, 2)];
const both = Buffer.concat([newKey, oldKey]);

describe('cursors of messages', () => {
  it('are good for their owner alone, unchanged (AP-3)', () => {
    const cursor = writeCursor(newKey, 7, 'me');
    assert.equal(readCursor(newKey, cursor, 'me'), 7);
    assert.equal(readCursor(newKey, cursor, 'you'), undefined);
    assert.equal(readCursor(newKey, cursor.replace(/^./, 'Z'), 'me'), undefined);
  });

  it('outlive a change of the master key', () => {
    const cursor = writeCursor(oldKey, 7, 'me');
    assert.equal(readCursor(both, cursor, 'me'), 7);
    assert.equal(writeCursor(both, 7, 'me'), writeCursor(newKey, 7, 'me'));
    assert.equal(readCursor(newKey, cursor, 'me'), undefined);
  });
});
