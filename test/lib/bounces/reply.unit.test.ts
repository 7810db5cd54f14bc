import assert from 'node:assert/strict';
import { parseReply } from '../../../lib/bounces/reply.ts';

describe('parseReply', () => {
  const cases: [string, number | undefined, string | undefined][] = [
    ['550 5.1.1 User unknown', 550, '5.1.1'],
    ['550-5.7.26 First\r\n550 5.7.26 second', 550, '5.7.26'],
    ['421 Try later', 421, undefined],
    ['smtp; 452 4.2.2 Over quota', 452, '4.2.2'],
    ['connect to mx.example.com[192.0.2.251]:25: Connection refused', undefined, undefined],
    ['host 10.5.5.1.7 said something', undefined, undefined],
    ['', undefined, undefined],
  ];
  for (const [text, code, status] of cases) {
    it(`${JSON.stringify(text)} has ${code} and ${status}`, () => {
      const reply = parseReply(text);
      assert.deepEqual([reply.code, reply.status], [code, status]);
    });
  }

  it('reads no more than the beginning of an endless text', () => {
    assert.ok(parseReply('x'.repeat(1_000_000)).text.length < 5_000);
  });
});
