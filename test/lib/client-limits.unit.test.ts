import assert from 'node:assert/strict';
import { ClientCounter, clientOf } from '../../lib/client-limits.ts';

describe('ClientCounter', () => {
  it('RS-4: refuses the client that has too many, and nobody else', () => {
    const counter = new ClientCounter({
      maxConnections: 10,
      maxConnectionsPerClient: 2,
      maxConnectionsPerClientPerMinute: 9,
    });
    const first = counter.enter('192.0.2.1');
    counter.enter('::ffff:192.0.2.1');
    assert.deepEqual(counter.enter('192.0.2.1'), { ok: false, reason: 'too_many_of_client' });
    assert.ok(counter.enter('192.0.2.2').ok);

    assert.ok(first.ok);
    first.leave();
    first.leave();
    assert.equal(counter.total, 2);
    assert.ok(counter.enter('192.0.2.1').ok);
    assert.deepEqual(counter.enter('192.0.2.1'), { ok: false, reason: 'too_many_of_client' });
  });

  it('refuses everybody when the server is full', () => {
    const counter = new ClientCounter({
      maxConnections: 1,
      maxConnectionsPerClient: 1,
      maxConnectionsPerClientPerMinute: 9,
    });
    counter.enter('192.0.2.1');
    assert.deepEqual(counter.enter('192.0.2.2'), { ok: false, reason: 'too_many' });
  });
});

describe('clientOf', () => {
  for (const [address, client] of [
    ['192.0.2.1', '192.0.2.1'],
    ['::ffff:192.0.2.1', '192.0.2.1'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
    ['2001:db8:1:2::6', '2001:db8:1:2::/64'],
    ['2001:0db8:0001:0002:ffff::', '2001:db8:1:2::/64'],
    ['2001:db8::1', '2001:db8:0:0::/64'],
    ['::1', '0:0:0:0::/64'],
    ['fe80::1%eth0', 'fe80:0:0:0::/64'],
    ['', ''],
  ] as const) {
    it(`takes ${address} for ${client}`, () => assert.equal(clientOf(address), client));
  }
});
