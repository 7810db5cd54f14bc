import assert from 'node:assert/strict';
import { readUnsubscribeToken } from '../../lib/unsubscribe.ts';
import { addUnsubscribeFields } from '../../plugins/unsubscribe.ts';

const key = Buffer.alloc(32, 7);
const identity = {
  messageId: 12,
  organizationId: 3,
  domain: 'shop.example',
  stream: 'bulk',
  hasUnsubscribeLink: true,
};

function add(recipient: string, postern: object = {}, own: string[] = []): string[] {
  const lines: string[] = [];
  const headers = {
    getList: () => [],
    getFirst: () => '',
    hasHeader: (name: string) => own.includes(name),
    remove() {},
    addFormatted: (_key: string, line: string | Buffer) => void lines.unshift(String(line)),
    build: () => Buffer.from(lines.join('\r\n')),
  };
  addUnsubscribeFields(
    { headers, recipient, postern: { ...identity, ...postern } },
    'https://m.example',
    key,
  );
  return lines;
}

describe('plugins/unsubscribe', () => {
  it('adds the two fields of RFC 8058, with a link of the recipient', () => {
    const [link = '', post] = add('ann@example.com');

    assert.equal(post, 'List-Unsubscribe-Post: List-Unsubscribe=One-Click');
    const token = /^List-Unsubscribe:\r\n <https:\/\/m\.example\/unsubscribe\/([^>]+)>$/.exec(link)?.[1];
    assert.deepEqual(readUnsubscribeToken(token ?? '', key), {
      messageId: 12,
      organizationId: 3,
      domain: 'shop.example',
      stream: 'bulk',
      recipient: 'ann@example.com',
    });
  });

  it('keeps its lines within 998 characters for the longest address (RFC 5322 2.1.1)', () => {
    const lines = add(`${'a'.repeat(64)}@${'b'.repeat(189)}`, { domain: 'c'.repeat(253) });

    for (const line of lines.join('\r\n').split('\r\n')) assert.ok(line.length <= 998, `${line.length}`);
  });

  it('leaves a message alone that does not ask, or has fields of its own', () => {
    assert.deepEqual(add('ann@example.com', { hasUnsubscribeLink: false }), []);
    for (const name of ['list-unsubscribe', 'list-unsubscribe-post']) {
      assert.deepEqual(add('ann@example.com', {}, [name]), []);
    }
  });
});
