import assert from 'node:assert/strict';
import type { Delivery } from '../../lib/mta-types.ts';
import { cacheKey } from '../../lib/rpc/cache-key.ts';
import type { RpcClient } from '../../lib/rpc/client.ts';
import { findSuppression, type Suppression } from '../../lib/rpc/contracts/suppressions.ts';
import { KnownChanges } from '../../lib/rpc/known-changes.ts';
import { suppressDelivery } from '../../plugins/suppression.ts';

const NOW = 1_000_000_000;
const NONE: Suppression = { isAllowed: false, blocks: [] };

/** As far as the plugin looks at it. */
function deliveryOf(identity: object, recipient = 'Bob@example.com'): Delivery {
  const postern = { messageId: 1, organizationId: 1, domain: 'sender.test', ...identity };
  return { recipient, postern } as Delivery;
}

function rpcOf(value: Suppression | undefined) {
  const asked: object[] = [];
  const rpc = {
    call: async (_contract: unknown, { params }: { params: object }) => {
      asked.push(params);
      return value ? { ok: true, value } : { ok: false, reason: 'unavailable', message: 'down' };
    },
  } as unknown as Pick<RpcClient, 'call'>;
  return { rpc, asked };
}

function listeningSince(at: number): KnownChanges {
  const changes = new KnownChanges();
  changes.listen(at);
  return changes;
}

describe('suppression', () => {
  it('OB-11 marks a delivery to an address that was blocked while it was queued, with the reason', async () => {
    const { rpc, asked } = rpcOf({ isAllowed: false, blocks: [{ stream: 'all', reason: 'bounced' }] });
    const delivery = deliveryOf({});

    await suppressDelivery(delivery, rpc, new KnownChanges(), NOW);

    assert.deepEqual(asked, [{ address: 'bob@example.com', domain: 'sender.test' }]);
    assert.deepEqual(
      [delivery.isSuppressed, delivery.suppressionReason],
      [true, 'On the block list: bounced'],
    );
  });

  for (const [what, suppression, stream, isSuppressed] of [
    ['nobody blocks', NONE, 'bulk', undefined],
    [
      'on the allow list too',
      { isAllowed: true, blocks: [{ stream: 'all', reason: 'x' }] },
      'bulk',
      undefined,
    ],
    [
      'of another stream',
      { isAllowed: false, blocks: [{ stream: 'bulk', reason: 'x' }] },
      undefined,
      undefined,
    ],
    ['of its stream', { isAllowed: false, blocks: [{ stream: 'bulk', reason: 'x' }] }, 'bulk', true],
  ] as const) {
    it(`judges an address that is ${what}`, async () => {
      const delivery = deliveryOf({ stream });
      await suppressDelivery(
        delivery,
        rpcOf({ ...suppression, blocks: [...suppression.blocks] }).rpc,
        new KnownChanges(),
        NOW,
      );
      assert.equal(delivery.isSuppressed, isSuppressed);
    });
  }

  it('puts the delivery off when nobody answers', async () => {
    await assert.rejects(suppressDelivery(deliveryOf({}), rpcOf(undefined).rpc, new KnownChanges(), NOW), {
      responseCode: 451,
      response: '451 4.3.0 The block list of the domain cannot be reached',
      action: 'defer',
    });
  });

  it('believes what the worker read while nothing was missed and nothing changed', async () => {
    const { rpc, asked } = rpcOf(NONE);
    await suppressDelivery(deliveryOf({ listsReadAt: NOW - 5_000 }), rpc, listeningSince(NOW - 60_000), NOW);
    assert.equal(asked.length, 0);
  });

  for (const [what, listsReadAt, changes] of [
    ['it was read before this process listened', NOW - 5_000, listeningSince(NOW - 5_000)],
    ['it was read long ago', NOW - 600_000, listeningSince(NOW - 900_000)],
    ['nobody listens', NOW - 5_000, new KnownChanges()],
  ] as const) {
    it(`asks when ${what}`, async () => {
      const { rpc, asked } = rpcOf(NONE);
      await suppressDelivery(deliveryOf({ listsReadAt }), rpc, changes, NOW);
      assert.equal(asked.length, 1);
    });
  }

  it('asks when the address has changed since, and after a gap in what was heard', async () => {
    const changes = listeningSince(NOW - 60_000);
    const params = { address: 'bob@example.com', domain: 'sender.test' };
    changes.note(cacheKey(findSuppression, params), NOW - 4_000);
    const { rpc, asked } = rpcOf(NONE);
    await suppressDelivery(deliveryOf({ listsReadAt: NOW - 5_000 }), rpc, changes, NOW);
    assert.equal(asked.length, 1);
    await suppressDelivery(deliveryOf({ listsReadAt: NOW - 5_000 }, 'eve@example.com'), rpc, changes, NOW);
    assert.equal(asked.length, 1);

    changes.lose();
    changes.listen(NOW - 1_000);
    await suppressDelivery(deliveryOf({ listsReadAt: NOW - 5_000 }, 'eve@example.com'), rpc, changes, NOW);
    assert.equal(asked.length, 2);
  });
});
