import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type Server } from 'node:net';
import { checkAddress, reverseName } from '../../../api/addresses/check.ts';
import { createLogger } from '../../../lib/log.ts';
import { type DnsServer, startDnsServer } from '../../../sandbox/dns-server.ts';
import { portOf } from '../../../sandbox/port.ts';
import type { ZoneAnswer, ZoneRecord } from '../../../sandbox/zone.ts';

/** By name: what there is. `SERVFAIL` for none at all. */
const names: Record<string, ZoneRecord[] | 'failed'> = {
  '21.0.0.127.in-addr.arpa': [{ type: 'PTR', domain: 'out1.test' }],
  'out1.test': [{ type: 'A', address: '127.0.0.21' }],
  '22.0.0.127.in-addr.arpa': [{ type: 'PTR', domain: 'out1.test' }],
  '24.0.0.127.in-addr.arpa': 'failed',
  '22.0.0.127.list.test': [{ type: 'A', address: '127.0.0.2' }],
  '23.0.0.127.list.test': [{ type: 'A', address: '127.255.255.254' }],
  '24.0.0.127.list.test': 'failed',
};

describe('checkAddress', () => {
  let dns: DnsServer;
  let mx: Server;

  before(async () => {
    dns = await startDnsServer({
      ...{ host: '127.0.0.1', port: 0, log: createLogger('test', { level: 'silent' }) },
      zone: {
        hostname: 'postern.test',
        async answer(name, type): Promise<ZoneAnswer> {
          const records = names[name.toLowerCase().replace(/\.$/, '')];
          if (records === 'failed') return { status: 'failed' };
          if (!records) return { status: 'not_found' };
          return { status: 'found', records: records.filter((record) => record.type === type) };
        },
      },
    });
    mx = createServer((socket) => socket.end('220 mx.test\r\n')).listen(0, '127.0.0.1');
    await once(mx, 'listening');
  });
  after(async () => {
    await dns.close();
    mx.close();
  });

  async function check(address: string, helo = 'out1.test', port = portOf(mx)) {
    const findings = await checkAddress(
      { address, helo },
      {
        nameservers: [`127.0.0.1:${dns.port}`],
        blocklists: ['list.test'],
        probe: { host: '127.0.0.1', port },
      },
    );
    return Object.fromEntries(Object.entries(findings).map(([name, { status }]) => [name, status]));
  }

  it('is content with an address that all is well with', async () => {
    const all = { reverse_dns: 'ok', helo: 'ok', port: 'ok', 'blocklist list.test': 'ok' };
    assert.deepEqual(await check('127.0.0.21'), all);
  });

  it('says that the name leads elsewhere, and that it is listed', async () => {
    const found = { reverse_dns: 'wrong', helo: 'wrong', port: 'ok', 'blocklist list.test': 'wrong' };
    assert.deepEqual(await check('127.0.0.22'), found);
  });

  it('says that there is no PTR, and takes a list that does not answer us for no answer', async () => {
    const found = { reverse_dns: 'wrong', helo: 'wrong', port: 'ok', 'blocklist list.test': 'unknown' };
    assert.deepEqual(await check('127.0.0.23', 'nobody.test'), found);
  });

  it('knows nothing where the DNS fails', async () => {
    const { reverse_dns, 'blocklist list.test': list } = await check('127.0.0.24');
    assert.deepEqual([reverse_dns, list], ['unknown', 'unknown']);
  });

  it('tells a closed port from an address of another machine', async () => {
    assert.equal((await check('127.0.0.21', 'out1.test', 1)).port, 'wrong');
    assert.equal((await check('192.0.2.1')).port, 'unknown');
  });
});

describe('reverseName', () => {
  for (const [address, name] of [
    ['192.0.2.1', '1.2.0.192.in-addr.arpa'],
    ['2001:db8::1', '1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa'],
    ['::', `${'0.'.repeat(32)}ip6.arpa`],
  ] as const) {
    it(`of ${address}`, () => assert.equal(reverseName(address), name));
  }
});
