import assert from 'node:assert/strict';
import { isLooping, trace } from '../../../api/inbound/forward.ts';

describe('the trace fields of a forwarded message', () => {
  const client = { ip: '192.0.2.1', helo: 'mx.example.com', host: 'mx.example.com' };
  const at = new Date('2026-01-31T12:00:00Z');
  const write = (changes: Partial<typeof client>) =>
    trace({ client: { ...client, ...changes }, recipient: 'ann@rich.test', hostname: 'in.test' }, at);

  it('say who got it from whom, and when', () => {
    assert.equal(
      write({}),
      'Delivered-To: ann@rich.test\r\n' +
        'Received: from mx.example.com (mx.example.com [192.0.2.1])\r\n' +
        '\tby in.test with ESMTP; Sat, 31 Jan 2026 12:00:00 +0000\r\n',
    );
    assert.match(write({ helo: '[192.0.2.1]' }), /^Received: from \[192\.0\.2\.1\] \(mx/m);
  });

  it('are two, whatever a client or its DNS calls itself', () => {
    for (const hostile of ['x\r\nSubject: new', 'x) by other.test (y', 'x\n\ny', 'x\\', 'ä', '']) {
      for (const part of ['helo', 'host'] as const) {
        const fields = write({ [part]: hostile });
        assert.match(
          fields,
          /^Delivered-To: \S+\r\nReceived: from [!-'*-[\]-~]+ \([!-'*-[\]-~]+ \[192\.0\.2\.1\]\)\r\n\tby [^\r\n]+\r\n$/,
        );
      }
    }
  });

  it('show a loop, in any case', () => {
    const message = Buffer.from(`${write({})}Subject: x\r\n\r\nDelivered-To: bob@rich.test\r\n`);
    assert.equal(isLooping(message, 'Ann@Rich.test'), true);
    assert.equal(isLooping(message, 'bob@rich.test'), false);
  });
});
