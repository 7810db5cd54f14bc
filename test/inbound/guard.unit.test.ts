import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { type InboundContext, setContext } from '../../inbound/context.ts';
import { type Answer, guard, takePendingReply } from '../../inbound/guard.ts';
import { type HarakaConnection, verdicts } from '../../inbound/haraka.ts';
import { replies } from '../../inbound/replies.ts';
import { createLogger } from '../../lib/log.ts';

const log = createLogger('test', { level: 'silent' });

/** Runs a hook as Haraka does. */
async function play(body: () => Promise<Answer> | Answer, deadlineMs?: number) {
  setContext({ log } as InboundContext);
  const connection = { uuid: 'c', client: { destroy() {} } } as unknown as HarakaConnection;
  const verdictsGiven: (number | undefined)[] = [];
  guard('test', body, deadlineMs)((verdict) => verdictsGiven.push(verdict), connection, undefined);
  await sleep(30);
  return { verdicts: verdictsGiven, reply: takePendingReply(connection) };
}

describe('guard (DU-12)', () => {
  const deferral = { verdicts: [verdicts.denySoft], reply: replies.internalError };

  it('turns a throw, a rejection and silence into 451, once each', async () => {
    assert.deepEqual(
      await play(() => {
        throw new Error('thrown');
      }),
      deferral,
    );
    assert.deepEqual(await play(() => Promise.reject(new Error('rejected'))), deferral);
    assert.deepEqual(await play(() => new Promise(() => {}), 10), deferral);
    assert.deepEqual(await play(() => sleep(20, 'ok' as const), 10), deferral);
  });

  it('gives replies by their code', async () => {
    for (const [reply, verdict] of [
      [replies.recipientUnknown, verdicts.deny],
      [replies.tooManyRecipients, verdicts.denySoft],
      [replies.flooded, verdicts.denySoftDisconnect],
      [replies.accepted, verdicts.ok],
    ] as const) {
      assert.deepEqual(await play(() => reply), { verdicts: [verdict], reply });
    }
    assert.deepEqual(await play(() => undefined), { verdicts: [undefined], reply: undefined });
  });

  it('survives what Haraka throws when it goes on', async () => {
    setContext({ log } as InboundContext);
    let isDestroyed = false;
    const client = {
      destroy: () => {
        isDestroyed = true;
      },
    };
    const connection = { uuid: 'c', client } as unknown as HarakaConnection;
    guard('test', () => undefined)(
      () => {
        throw new Error('of Haraka');
      },
      connection,
      undefined,
    );
    await sleep(10);
    assert.ok(isDestroyed);
  });
});
