import assert from 'node:assert/strict';
import { Arrivals, composeMessage, readNumber } from '../../../bench/world/arrivals.ts';

describe('bench: numbered messages', () => {
  it('carry their number to the sink, also below other fields', () => {
    const raw = composeMessage(17, 'a@b.example', 4096);
    assert.equal(readNumber(Buffer.concat([Buffer.from('Received: from x\r\n\tby y\r\n'), raw])), 17);
    assert.ok(raw.length >= 4096 && raw.length < 4800);
  });

  it('are told from others', () => {
    assert.equal(readNumber(Buffer.from('Subject: X-Bench-Number: 3\r\n\r\n')), undefined);
  });

  it('are counted, the moment of the first copy is kept', async () => {
    const arrivals = new Arrivals();
    const raw = composeMessage(1, 'a@b.example', 10);
    arrivals.note(raw);
    const first = await arrivals.waitFor(1, 0);
    const { firstAt } = first;
    arrivals.note(raw);
    assert.deepEqual(await arrivals.waitFor(1, 0), { firstAt, copies: 2 });
    await assert.rejects(arrivals.waitFor(2, 0), /message 2 has not arrived/);
  });
});
