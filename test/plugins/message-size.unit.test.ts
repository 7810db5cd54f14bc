import assert from 'node:assert/strict';
import { noteSize } from '../../plugins/message-size.ts';

describe('plugins/message-size', () => {
  it('tells the connection the length of header and body', () => {
    const connection: { messageBytes?: number } = {};
    noteSize(
      { headers: { build: () => Buffer.from('Subject: é\r\n\r\n') }, bodySize: 100 } as never,
      connection,
    );
    assert.equal(connection.messageBytes, 115);
  });
});
