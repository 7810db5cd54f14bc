import assert from 'node:assert/strict';
import { sendMessage } from './session.ts';
import { startTestInbound, type TestInbound } from './test-inbound.ts';

describe('kill -9 of a worker while mail comes in', () => {
  let started: TestInbound;
  before(async () => {
    started = await startTestInbound();
  });
  after(() => started.close());

  it('loses nothing that was acknowledged; what comes again is the same message (DU-2)', async () => {
    const pid = Number(/"worker":(\d+)/.exec(started.output())?.[1]);
    const wires = Array.from(
      { length: 20 },
      (_, index) => `From: a@out.example\r\nX-Number: ${index}\r\n\r\nx`,
    );
    started.api.onMessage = () => new Promise((resolve) => setTimeout(resolve, 20));
    const acknowledged: string[] = [];
    const sendAll = (pending: readonly string[]) =>
      Promise.all(
        pending.map(async (wire) => {
          const reply = await sendMessage(started, wire).catch(() => '');
          if (reply.startsWith('250 ')) acknowledged.push(wire);
        }),
      );
    const first = sendAll(wires);
    while (started.api.messages.length < 3) await new Promise((resolve) => setTimeout(resolve, 5));
    process.kill(pid, 'SIGKILL');
    await first;
    const taken = () =>
      started.api.messages.map(({ message }) => Buffer.from(message, 'base64').toString('latin1').trim());
    for (const wire of acknowledged) assert.ok(taken().includes(wire));

    const deadline = Date.now() + 60_000;
    while (acknowledged.length < wires.length && Date.now() < deadline) {
      await sendAll(wires.filter((wire) => !acknowledged.includes(wire)));
    }
    assert.deepEqual([...new Set(taken())].sort(), [...wires].sort());
    assert.equal(new Set(started.api.messages.map(({ digest }) => digest)).size, wires.length);
    assert.match(started.output(), /worker\.died/);
  });
});
