import assert from 'node:assert/strict';
import { performance } from 'node:perf_hooks';
import fc from 'fast-check';
import { domainOf, normalizeAddress, parseMailboxes } from '../../../lib/mail/address.ts';

const label = (length: number) => 'd'.repeat(length);

describe('normalizeAddress', () => {
  for (const [given, expected] of [
    ['ann@example.com', 'ann@example.com'],
    ['Ann.Lee+tag@EXAMPLE.com', 'Ann.Lee+tag@example.com'],
    ["o'hara@example.com", "o'hara@example.com"],
    ['v%out@example.com', 'v%out@example.com'],
    ['"a b"@example.com', '"a b"@example.com'],
    ['ann@MÜNCHEN.example', 'ann@xn--mnchen-3ya.example'],
    ['ann@xn--mnchen-3ya.example', 'ann@xn--mnchen-3ya.example'],
    ['jürgen@example.com', 'jürgen@example.com'],
    ['$(id)@example.com'.replace(/[()]/g, ''), '$id@example.com'],
    ['__proto__@example.com', '__proto__@example.com'],
  ] as const) {
    it(`takes ${given}`, () => assert.equal(normalizeAddress(given), expected));
  }

  for (const given of [
    '',
    '@',
    'ann',
    '@example.com',
    'ann@',
    'ann@localhost',
    '"a>b"@example.com',
    '"a\\"@evil"@example.com',
    '"x@evil.com y"@good.com',
    '"v@out.example"@example.com',
    'v@out.example@example.com',
    '@us.example:v@out.example',
    'ann@[127.0.0.1]',
    'ann@[IPv6:::1]',
    'ann@127.0.0.1',
    'ann@0x7f.1',
    'ann@example.com:2525',
    'ann@example.com.',
    'ann@.example.com',
    'ann@a..example.com',
    'ann@-x.example',
    'ann@x-.example',
    'ann@xn---.example',
    'ann@xn--a.example',
    'ann@Ⅳ.com',
    'ann@example．com',
    'ann@exa%6dple.com',
    'ann@exa\u00admple.com',
    'ann@exa\u200dmple.com',
    'ann@under_score.example',
    'ann@example.com/x',
    'ann@example.com\0',
    'ann@exam\tple.com',
    'ann@example.com\r',
    'an\nn@example.com',
    'an n@example.com',
    'ann＠example.com',
    'an\u202en@example.com',
    '\ud800@example.com',
    '.ann@example.com',
    'ann.@example.com',
    'a..n@example.com',
    '<ann@example.com>',
    'ann(x)@example.com',
  ]) {
    it(`AD-2 refuses ${JSON.stringify(given)}`, () => assert.equal(normalizeAddress(given), undefined));
  }

  it('AD-1 keeps the limits of 64 octets, 63 a label and 254 in all', () => {
    assert.ok(normalizeAddress(`${'a'.repeat(64)}@example.com`));
    assert.equal(normalizeAddress(`${'a'.repeat(65)}@example.com`), undefined);
    assert.equal(normalizeAddress(`${'ü'.repeat(33)}@example.com`), undefined);
    assert.ok(normalizeAddress(`a@${label(63)}.example`));
    assert.equal(normalizeAddress(`a@${label(64)}.example`), undefined);
    const domain = [label(63), label(63), label(63), label(56), 'com'].join('.');
    assert.equal(`a@${domain}`.length, 254);
    assert.ok(normalizeAddress(`a@${domain}`));
    assert.equal(normalizeAddress(`ab@${domain}`), undefined);
  });

  it('answers the same when asked about its own answer', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string({ unit: 'binary' }), fc.emailAddress()), (text) => {
        const address = normalizeAddress(text);
        if (address !== undefined) assert.equal(normalizeAddress(address), address);
      }),
    );
  });
});

describe('parseMailboxes', () => {
  for (const [given, expected] of [
    ['ann@example.com', [{ name: '', address: 'ann@example.com' }]],
    [' <ann@example.com> ', [{ name: '', address: 'ann@example.com' }]],
    ['Ann Lee <ann@Example.com>', [{ name: 'Ann Lee', address: 'ann@example.com' }]],
    ['J. R. Müller-Lee\t<ann@example.com>', [{ name: 'J. R. Müller-Lee', address: 'ann@example.com' }]],
    ['"Lee, Ann" <ann@example.com>', [{ name: 'Lee, Ann', address: 'ann@example.com' }]],
    ['"a \\"b\\" \\\\" <ann@example.com>', [{ name: 'a "b" \\', address: 'ann@example.com' }]],
    ['"bob@bank.example" <ann@example.com>', [{ name: 'bob@bank.example', address: 'ann@example.com' }]],
    ['[Shop] Ann <ann@example.com>', [{ name: '[Shop] Ann', address: 'ann@example.com' }]],
    ['root@example.com (Cron Daemon)', [{ name: 'Cron Daemon', address: 'root@example.com' }]],
    ['=?utf-8?q?J=C3=BCrg?= <a@example.com>', [{ name: '=?utf-8?q?J=C3=BCrg?=', address: 'a@example.com' }]],
    ['"a b"@example.com', [{ name: '', address: '"a b"@example.com' }]],
    [
      'a@example.com,"B, C" <b@example.com> , D <d@example.com>',
      [
        { name: '', address: 'a@example.com' },
        { name: 'B, C', address: 'b@example.com' },
        { name: 'D', address: 'd@example.com' },
      ],
    ],
  ] as const) {
    it(`takes ${given}`, () => assert.deepEqual(parseMailboxes(given), expected));
  }

  for (const given of [
    '',
    ' ',
    ',',
    'a@example.com,',
    'a@example.com,,b@example.com',
    'a@example.com b@example.com',
    'a@example.com;b@example.com',
    'Friends: a@example.com, b@example.com;',
    'undisclosed-recipients:;',
    'Ann',
    'Ann <ann>',
    'Ann <ann@example.com',
    'Ann <ann@example.com>>',
    'Ann <<ann@example.com>>',
    'Ann <ann@example.com> trailing',
    '<a@example.com><b@example.com>',
    'evil@bank.example <ann@example.com>',
    'ann@example.com (<evil@bank.example>)',
    'ann@example.com (a (nested) comment)',
    '(ann@example.com',
    '"Ann <ann@example.com>',
    'Ann\r\nBcc: x@y.example <ann@example.com>',
    'Ann\n<ann@example.com>',
    'Ann\0<ann@example.com>',
    'Ann\u2028 <ann@example.com>',
    'Ann\u0085 <ann@example.com>',
    'Ann\u007f <ann@example.com>',
    'Ann\ud800 <ann@example.com>',
    '<@us.example:ann@example.com>',
    '=?utf-8?q?ann=40example.com?=',
  ]) {
    it(`refuses ${JSON.stringify(given)}`, () => assert.equal(parseMailboxes(given), undefined));
  }

  it('MB-6, MB-7: hostile lists take linear time and are capped', () => {
    const started = performance.now();
    for (const unit of [
      '<',
      '(',
      '"',
      '\\',
      'g:',
      'a@b.example,',
      '\t,',
      ' ',
      '()',
      '"" ',
      'a ',
      '\\"',
      '"\\',
    ]) {
      parseMailboxes(unit.repeat(100_000 / unit.length));
      parseMailboxes(`${unit.repeat(99_990 / unit.length)}!`);
    }
    assert.ok(performance.now() - started < 3_000);
    assert.equal(parseMailboxes(`${'a@example.com,'.repeat(10_000)}a@example.com`), undefined);
  });
});

describe('domainOf', () => {
  it('is what stands behind the last unquoted @', () => {
    assert.equal(domainOf('ann@example.com'), 'example.com');
    assert.equal(domainOf('"v@out.example"@example.com'), 'example.com');
    assert.equal(domainOf('"v@out.example"'), '');
    assert.equal(domainOf('ann'), '');
    assert.equal(domainOf(''), '');
  });
});
