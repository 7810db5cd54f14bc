import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import type { EventOutbox } from '../../lib/delivery.ts';
import { createLogger } from '../../lib/log.ts';
import type { RpcClient } from '../../lib/rpc/client.ts';
import type { DeliveryEvent } from '../../lib/rpc/contracts/delivery-events.ts';
import { shipAll, startShipping } from '../../plugins/status.ts';

const log = createLogger('test', { level: 'silent' });

/** An outbox in memory, with the same promises as the one in Postgres. */
function outboxOf(ids: string[]) {
  let events = ids.map((id) => ({ id }) as DeliveryEvent);
  const parked: string[] = [];
  const outbox: EventOutbox = {
    readEvents: async (limit) => events.slice(0, limit),
    removeEvents: async (gone) => {
      events = events.filter((event) => !gone.includes(event.id));
    },
    parkEvent: async (id) => {
      parked.push(id);
      events = events.filter((event) => event.id !== id);
    },
    onEvents() {},
  };
  return { outbox, parked, left: () => events.map((event) => event.id) };
}

function apiThat(answer: (ids: string[]) => Awaited<ReturnType<RpcClient['call']>>) {
  const batches: string[][] = [];
  const call = async (_contract: unknown, { body }: { body: { events: DeliveryEvent[] } }) => {
    const ids = body.events.map((event) => event.id);
    batches.push(ids);
    return answer(ids);
  };
  return { rpc: { call } as unknown as RpcClient, batches };
}

describe('status: shipping', () => {
  it('ships in order and removes only what the api has', async () => {
    const { outbox, left } = outboxOf(['1', '2', '3']);
    const { rpc, batches } = apiThat(() => ({ ok: true, value: { accepted: 3, duplicates: 0 } }));

    await shipAll(outbox, rpc, log);

    assert.deepEqual(batches, [['1', '2', '3']]);
    assert.deepEqual(left(), []);
  });

  it('keeps everything and tries again while the api is down', async () => {
    const { outbox, left } = outboxOf(['1']);
    let calls = 0;
    const { rpc } = apiThat(() =>
      ++calls < 3
        ? { ok: false, reason: 'unavailable', message: 'down' }
        : { ok: true, value: { accepted: 1, duplicates: 0 } },
    );

    await shipAll(outbox, rpc, log);

    assert.equal(calls, 3);
    assert.deepEqual(left(), []);
  });

  it('parks the one event that the api refuses and ships the others', async () => {
    const { outbox, parked, left } = outboxOf(['1', 'bad', '3']);
    const { rpc } = apiThat((ids) =>
      ids.includes('bad')
        ? { ok: false, reason: 'refused', code: 'invalid', message: 'no' }
        : { ok: true, value: { accepted: ids.length, duplicates: 0 } },
    );

    await shipAll(outbox, rpc, log);

    assert.deepEqual(parked, ['bad']);
    assert.deepEqual(left(), []);
  });

  it('ships the first event at once and gathers those that follow', async () => {
    let announce = () => {};
    let waiting = ['1'];
    const { rpc, batches } = apiThat((ids) => ({ ok: true, value: { accepted: ids.length, duplicates: 0 } }));
    const outbox: EventOutbox = {
      readEvents: async () => waiting.map((id) => ({ id }) as DeliveryEvent),
      removeEvents: async (gone) => {
        waiting = waiting.filter((id) => !gone.includes(id));
      },
      parkEvent: async () => {},
      onEvents(listener) {
        announce = listener;
      },
    };

    const shipping = startShipping(outbox, rpc, log);
    for (const id of ['2', '3', '4', '5']) {
      await sleep(10);
      waiting.push(id);
      announce();
    }
    await sleep(250);
    shipping.stop();

    assert.deepEqual(batches, [['1'], ['2', '3', '4', '5']]);
  });
});
