import assert from 'node:assert/strict';
import { createAddressPolicy } from '../../../api/webhooks/address-policy.ts';
import { readEndpointUrl } from '../../../api/webhooks/endpoint-url.ts';

const addresses = createAddressPolicy({ allowLoopback: false, deniedNetworks: [], ownAddresses: [] });
const strict = { allowHttp: false, addresses };

function reasonFor(text: string, policy = strict): string {
  const result = readEndpointUrl(text, policy);
  return result.ok ? 'ok' : result.reason;
}

describe('api/webhooks/endpoint-url', () => {
  for (const host of `127.0.0.1 127.1 2130706433 0x7f000001 0177.0.0.1 0 localhost localhost. foo.localhost LOCALHOST
    intranet 127.0.0.1. [::] [::1] [::ffff:127.0.0.1] [::ffff:a9fe:a9fe] [::7f00:1] [::ffff:0:7f00:1]
    [64:ff9b::a9fe:a9fe] [64:ff9b:1::808:808] [2002:7f00:1::] [2001::1] [fd00:ec2::254] [fe80::1] [ff02::1] [2001:2::1]
    10.0.0.1 172.16.0.1 192.168.0.1 169.254.169.254 100.64.0.1 100.100.100.200 192.0.0.1 198.18.0.1 224.0.0.1
    255.255.255.255`.split(/\s+/)) {
    it(`HK-1, HK-2, HK-3: refuses https://${host}/`, () =>
      assert.equal(reasonFor(`https://${host}/`), 'private_address'));
  }

  const malformed: [text: string, reason: string][] = [
    ['http://a@127.0.0.1', 'scheme'],
    ['https://a@example.com', 'userinfo'],
    ['https://a:b@example.com', 'userinfo'],
    ['https://@example.com', 'userinfo'],
    ['https://127.0.0.1#@ok.example.com', 'private_address'],
    ['https://127.0.0.1\\@ok.example.com', 'invalid'],
    ['https:127.0.0.1', 'scheme'],
    ['https:///127.0.0.1', 'scheme'],
    ['http://example.com', 'scheme'],
    ['file:///etc/passwd', 'scheme'],
    ['ftp://example.com', 'scheme'],
    ['gopher://example.com', 'scheme'],
    ['javascript:alert(1)', 'scheme'],
    ['data:text/plain,x', 'scheme'],
    ['example.com', 'scheme'],
    ['', 'invalid'],
    ['https://example.com:25/', 'port'],
    ['https://example.com:6379/', 'port'],
    ['https://example.com:27017/', 'port'],
    ['https://example.com:5432/', 'port'],
    ['https://example.com:0/', 'port'],
    ['https://example.com:99999/', 'invalid'],
    [`https://example.com/${'x'.repeat(4096)}`, 'too_long'],
    ['https://exаmple.com/', 'invalid'], // a Cyrillic letter
    ['https://①②⑦.⓪.⓪.①/', 'invalid'],
    ['https://example。com/', 'invalid'],
    ['https://exa\tmple.com/', 'invalid'],
    ['https://example.com/ x', 'invalid'],
    ['https://example.com/\r\nHost: x', 'invalid'],
    ['https://-.example..com/', 'invalid'],
    ['https://%31%32%37.0.0.1/', 'private_address'],
  ];
  for (const [text, reason] of malformed) {
    it(`HK-4: ${reason} for ${JSON.stringify(text.slice(0, 60))}`, () =>
      assert.equal(reasonFor(text), reason));
  }

  it('takes https on 443, 80 and free ports, with any path', () => {
    for (const text of [
      'https://example.com',
      'https://hooks.example.co.uk/a/b?c=d&e=@f#g',
      'https://example.com:80/',
      'https://example.com:8443/hook',
      'HTTPS://EXAMPLE.COM/',
      'https://xn--bcher-kva.example/',
      'https://8.8.8.8/',
      'https://[2606:4700::1111]/',
      'https://a_b.example.com/',
    ]) {
      assert.equal(reasonFor(text), 'ok', text);
    }
  });

  it('takes http and loopback where the settings say so', () => {
    const local = createAddressPolicy({ allowLoopback: true, deniedNetworks: [], ownAddresses: [] });
    const policy = { allowHttp: true, addresses: local };
    for (const text of [
      'http://127.0.0.1:9000/hook',
      'http://localhost:9000',
      'https://[::1]/',
      'http://a.localhost/',
    ]) {
      assert.equal(reasonFor(text, policy), 'ok', text);
    }
    assert.equal(reasonFor('http://10.0.0.1/', policy), 'private_address');
    assert.equal(reasonFor('http://127.0.0.1:6379/', policy), 'port');
  });
});
