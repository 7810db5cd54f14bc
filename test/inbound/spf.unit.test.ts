/** SPF as the inbound server finds it (DM-1): cases of the test suite of RFC 7208, by what they are about. */
import assert from 'node:assert/strict';
import { verifyMessage } from '../../inbound/authenticate.ts';
import type { Resolve } from '../../inbound/resolver.ts';

type Zone = Record<string, Record<string, unknown[]> | 'timeout'>;

const CLIENT = '1.2.3.4';
const ADDRESS = { A: [CLIENT] };
const spf = (...records: string[]) => ({ TXT: records.map((text) => [text]) });
const others: Zone = {
  'pass.test': spf('v=spf1 ip4:1.2.3.4 -all'),
  'fail.test': spf('v=spf1 -all'),
  'softfail.test': spf('v=spf1 ~all'),
  'neutral.test': spf('v=spf1 ?all'),
  'broken.test': spf('v=spf1 foo:bar -all'),
  'slow.test': 'timeout',
  'host.test': ADDRESS,
  'far.test': { A: ['1.2.3.99'] },
  'mail.test': { MX: [{ exchange: 'host.test', priority: 0 }] },
  'many.test': {
    MX: Array.from({ length: 11 }, (_, index) => ({ exchange: `mx${index}.test`, priority: 0 })),
  },
  '4.3.2.1.list.test': { A: ['127.0.0.2'] },
  'bob.list.test': { A: ['127.0.0.2'] },
  'sender.test.list.test': { A: ['127.0.0.2'] },
  'loop.test': spf('v=spf1 include:loop.test -all'),
};

const cases: readonly (readonly [about: string, record: string | string[], result: string])[] = [
  ['3.2 no record', [], 'none'],
  ['4.5 another version', 'v=spf10 -all', 'none'],
  ['4.5 two records', ['v=spf1 -all', 'v=spf1 ?all'], 'permerror'],
  ['4.5 upper case', 'V=SpF1 -aLL', 'fail'],
  ['4.6.2 pass', 'v=spf1 all', 'pass'],
  ['4.6.2 fail', 'v=spf1 -all', 'fail'],
  ['4.6.2 softfail', 'v=spf1 ~all', 'softfail'],
  ['4.6.2 neutral', 'v=spf1 ?all', 'neutral'],
  ['4.7 the default', 'v=spf1', 'neutral'],
  ['4.6.1 an unknown mechanism', 'v=spf1 foo:bar -all', 'permerror'],
  ['4.6.1 an unknown mechanism behind one that matches', 'v=spf1 ip4:1.2.3.4 foo:bar', 'permerror'],
  ['5.1 all with an argument', 'v=spf1 -all:foobar', 'permerror'],
  ['5.1 all with a prefix', 'v=spf1 -all/8', 'permerror'],
  ['5.6 an address', 'v=spf1 ip4:1.2.3.4 -all', 'pass'],
  ['5.6 another address', 'v=spf1 ip4:1.2.3.5 -all', 'fail'],
  ['5.6 a network', 'v=spf1 ip4:1.2.0.0/16 -all', 'pass'],
  ['5.6 a network of all', 'v=spf1 ip4:9.9.9.9/0 -all', 'pass'],
  ['5.6 a prefix that is too long', 'v=spf1 ip4:1.2.3.4/33 -all', 'permerror'],
  ['5.6 two prefixes', 'v=spf1 ip4:1.2.3.4//32 -all', 'permerror'],
  ['5.6 a short address', 'v=spf1 ip4:1.2.3 -all', 'permerror'],
  ['5.6 no address', 'v=spf1 ip4 -all', 'permerror'],
  ['5.6 an IPv6 network for an IPv4 client', 'v=spf1 ip6:2001:db8::/32 -all', 'fail'],
  ['5.3 a', 'v=spf1 a:host.test -all', 'pass'],
  ['5.3 a of somebody else', 'v=spf1 a:far.test -all', 'fail'],
  ['5.3 a with a network', 'v=spf1 a:far.test/24 -all', 'pass'],
  ['5.3 a with a port', 'v=spf1 a:host.test:8080 -all', 'permerror'],
  ['5.3 a with a prefix that is none', 'v=spf1 a:host.test/33 -all', 'permerror'],
  ['5.3 a without its name', 'v=spf1 a: -all', 'permerror'],
  ['5.4 mx', 'v=spf1 mx:mail.test -all', 'pass'],
  ['5.4 eleven mail servers', 'v=spf1 mx:many.test -all', 'permerror'],
  ['5.7 exists', 'v=spf1 exists:host.test -all', 'pass'],
  ['5.7 exists not', 'v=spf1 exists:none.test -all', 'fail'],
  ['5.2 include of a pass', 'v=spf1 include:pass.test -all', 'pass'],
  ['5.2 include of a fail', 'v=spf1 include:fail.test ~all', 'softfail'],
  ['5.2 include of a softfail', 'v=spf1 include:softfail.test -all', 'fail'],
  ['5.2 include of a neutral', 'v=spf1 include:neutral.test -all', 'fail'],
  ['5.2 include of nothing', 'v=spf1 include:host.test -all', 'permerror'],
  ['5.2 include of a mistake', 'v=spf1 include:broken.test -all', 'permerror'],
  ['5.2 include of a failure', 'v=spf1 include:slow.test -all', 'temperror'],
  ['5.2 include of no name', 'v=spf1 include -all', 'permerror'],
  ['4.6.4 a loop', 'v=spf1 include:loop.test -all', 'permerror'],
  ['4.6.4 eleven look-ups', `v=spf1 ${'a:far.test '.repeat(11)}-all`, 'permerror'],
  ['4.6.4 ten look-ups', `v=spf1 ${'a:far.test '.repeat(10)}-all`, 'fail'],
  ['4.6.4 three names that do not exist', 'v=spf1 a:x1.test a:x2.test a:x3.test -all', 'permerror'],
  ['6.1 redirect', 'v=spf1 redirect=fail.test', 'fail'],
  ['6.1 redirect behind all', 'v=spf1 ?all redirect=fail.test', 'neutral'],
  ['6.1 redirect to nothing', 'v=spf1 redirect=host.test', 'permerror'],
  ['6.1 two redirects', 'v=spf1 redirect=pass.test redirect=pass.test', 'permerror'],
  ['6 an unknown modifier', 'v=spf1 default=pass -all', 'fail'],
  ['6 a modifier that begins with a digit', 'v=spf1 4modifier=x -all', 'permerror'],
  ['7.4 the address, reversed', 'v=spf1 exists:%{ir}.list.test -all', 'pass'],
  ['7.4 the local part', 'v=spf1 exists:%{l}.list.test -all', 'pass'],
  ['7.4 the domain', 'v=spf1 exists:%{d}.list.test -all', 'pass'],
  ['7.1 a macro that is none', 'v=spf1 exists:%(ir).list.test -all', 'permerror'],
  ['7.1 a letter that is none', 'v=spf1 exists:%{q}.list.test -all', 'permerror'],
];

async function check(zone: Zone, sender: string, helo = 'helo.test') {
  const resolve = (async (name: string, type: string) => {
    const found = zone[name.toLowerCase()];
    if (found === 'timeout') throw Object.assign(new Error(name), { code: 'ETIMEOUT' });
    if (!found) throw Object.assign(new Error(name), { code: 'ENOTFOUND' });
    if (!found[type]) throw Object.assign(new Error(name), { code: 'ENODATA' });
    return found[type];
  }) as unknown as Resolve;
  const message = Buffer.from('From: bob@sender.test\r\n\r\nx\r\n');
  return verifyMessage(
    { client: { ip: CLIENT, helo }, sender, message },
    { resolve, hostname: 'postern.test' },
  );
}

describe('SPF of what comes in (DM-1, RFC 7208)', () => {
  for (const [about, record, result] of cases) {
    it(`${about}: ${result}`, async () => {
      const zone = { ...others, 'sender.test': spf(...[record].flat()) };
      assert.equal((await check(zone, 'bob@sender.test')).spf.result, result);
    });
  }

  it('2.4 the null sender is judged by the name in HELO', async () => {
    const zone = { ...others, 'helo.test': spf('v=spf1 ip4:1.2.3.4 -all') };
    assert.deepEqual((await check(zone, '')).spf, { result: 'pass', domain: 'helo.test' });
  });

  it('2.6.6 no answer of the DNS is temperror', async () => {
    assert.equal((await check({ 'sender.test': 'timeout' }, 'bob@sender.test')).spf.result, 'temperror');
  });

  it('3.3 strings of one record belong together', async () => {
    const zone = { 'sender.test': { TXT: [['v=spf1 ip4:1.2.', '3.4 -all']] } };
    assert.equal((await check(zone, 'bob@sender.test')).spf.result, 'pass');
  });
});
