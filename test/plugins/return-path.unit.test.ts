import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readForwardSender } from '../../lib/forward-sender.ts';
import type { Delivery } from '../../lib/mta-types.ts';
import { readReturnPath } from '../../lib/return-path.ts';
import { setReturnPath } from '../../plugins/return-path.ts';

describe('plugins/return-path', () => {
  const keys = { returnPath: randomBytes(32), forward: randomBytes(32) };

  function leave(from: string, isForward: boolean): string {
    const postern = { messageId: 7, organizationId: 1, domain: 'ours.test', isForward };
    const delivery = {
      from,
      recipient: 'bob@example.com',
      envelope: { from, to: 'bob@example.com' },
      postern,
    };
    setReturnPath(delivery as unknown as Delivery, 'bounces.test', keys);
    return String(delivery.envelope.from);
  }

  it('gives each recipient a sender of its own', () => {
    assert.equal(readReturnPath(leave('ann@ours.test', false), keys.returnPath)?.messageId, 7);
  });

  it('rewrites the sender of what is forwarded, or gives it one of its own where that does not fit', () => {
    const rewritten = leave('eve@example.org', true);
    assert.match(rewritten, /^SRS0=.*=example\.org=eve@bounces\.test$/);
    assert.equal(readForwardSender(rewritten, keys.forward), 7);
    assert.equal(readReturnPath(leave(`${'x'.repeat(60)}@example.org`, true), keys.returnPath)?.messageId, 7);
  });

  it('leaves the null sender as it is', () => {
    for (const isForward of [true, false]) assert.equal(leave('', isForward), '');
  });
});
