import assert from 'node:assert/strict';
import { formatCell, ratioToPostfix } from '../../../bench/measure/report.ts';

const load = { messages: 1000, bodyBytes: 4096, sessions: 1, destinations: 200 };
const run = (deliveredPerSecond: number, othersShare = 0) => ({
  messages: 1000,
  acceptedPerSecond: 500,
  deliveredPerSecond,
  connections: 20,
  cpuMs: { total: 6, master: 2, sender: 4, sink: 0.3 },
  othersShare,
});

describe('bench: report', () => {
  it('compares medians', () => {
    const runs = { postern: [run(300), run(900), run(100)], postfix: [run(100), run(120), run(10)] };
    assert.equal(ratioToPostfix({ load, runs }), 3);
  });

  it('compares nothing when one was not measured', () => {
    assert.equal(ratioToPostfix({ load, runs: { postern: [run(300)] } }), undefined);
  });

  it('says what was measured, and with which spread', () => {
    const text = formatCell({ load, runs: { postern: [run(300), run(900), run(100)] } });
    assert.match(text, /^4 KB, 1 session, 200 destinations\n/);
    assert.match(text, /end to end\/s 300 \(100 to 900\)/);
    assert.match(text, /CPU ms a message: 6\.00 \(master 2\.00, sender 4\.00, sink 0\.30\)/);
    assert.doesNotMatch(text, /others/);
  });

  it('warns when the machine was busy with something else', () => {
    const text = formatCell({ load, runs: { postern: [run(300, 0.4)] } });
    assert.match(text, /others used 40 % of the machine/);
  });
});
