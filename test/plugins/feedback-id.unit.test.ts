import assert from 'node:assert/strict';
import { readReturnPath, readReturnPathToken } from '../../lib/return-path.ts';
import { deriveKey } from '../../lib/secrets.ts';
import { addFeedbackId } from '../../plugins/feedback-id.ts';
import { setReturnPath } from '../../plugins/return-path.ts';

const key = deriveKey(Buffer.alloc(32, 7).toString('base64'), 'return-path');

function add(from: string, postern: object = {}, own: string[] = []): { lines: string[]; sender: string } {
  const lines: string[] = [];
  const delivery = {
    from,
    recipient: 'ann@example.net',
    envelope: { from, to: 'ann@example.net' },
    postern: { messageId: 12, organizationId: 3, domain: 'shop.example', ...postern },
    headers: {
      hasHeader: (name: string) => own.includes(name),
      addFormatted: (_key: string, line: string | Buffer) => void lines.push(String(line)),
    },
  };
  setReturnPath(delivery as never, 'bounces.example', { returnPath: key, forward: key });
  addFeedbackId(delivery as never, 'postern');
  return { lines, sender: delivery.envelope.from };
}

describe('plugins/feedback-id', () => {
  it('names stream, domain, organization and sender, from the right', () => {
    const [line = ''] = add('news@shop.example', { stream: 'bulk' }).lines;
    assert.match(line, /^Feedback-ID: [a-z2-7]{31}:bulk:shop\.example:o3:postern$/);
    assert.match(add('news@shop.example').lines[0] ?? '', /:transactional:shop\.example:/);
  });

  it('tells the recipient as the return path does, by the same token', () => {
    const { lines, sender } = add('news@shop.example');
    const token = /^Feedback-ID: ([^:]+):/.exec(lines[0] ?? '')?.[1] ?? '';
    const read = readReturnPathToken(token, key);
    assert.equal(read?.messageId, 12);
    assert.deepEqual(read, readReturnPath(sender, key));
  });

  it('leaves a message alone that has one, and one with the null reverse-path', () => {
    assert.deepEqual(add('news@shop.example', {}, ['feedback-id']).lines, []);
    assert.deepEqual(add('').lines, []);
  });
});
