import assert from 'node:assert/strict';
import fc from 'fast-check';
import { type EnvelopeCommand, parseEnvelopeCommand } from '../../gateway/envelope-command.ts';
import { replies } from '../../gateway/replies.ts';

const parseMail = (rest: string) => parseEnvelopeCommand('mail from', `MAIL FROM:${rest}`);
const refusalOf = (parsed: EnvelopeCommand | false) => (parsed ? parsed.refusal : 'no command');

describe('parseEnvelopeCommand', () => {
  for (const [rest, address] of [
    ['<>', ''],
    ['<a@b.example>', 'a@b.example'],
    [' <a@b.example>', 'a@b.example'],
    ['<"a b"@c.example>', '"a b"@c.example'],
    ['<"a>b"@c.example>', '"a>b"@c.example'],
    ['<"a\\"@evil"@c.example>', '"a\\"@evil"@c.example'],
    ['<a@xn--mnchen-3ya.example>', 'a@xn--mnchen-3ya.example'],
    ['<@relay.example:a@b.example>', '@relay.example:a@b.example'],
  ] as const) {
    it(`takes the address of ${rest} as it is`, () => {
      assert.deepEqual(parseMail(rest), { address, args: false });
    });
  }

  for (const rest of [
    '',
    'a@b.example',
    '<a@b.example',
    '<a@b.example>>',
    '<a@b.example>SIZE=1',
    '<"a>',
    '<<a>>',
  ]) {
    it(`finds no command in ${JSON.stringify(rest)}`, () => assert.equal(parseMail(rest), false));
  }

  it('tells the two commands apart', () => {
    assert.equal(parseEnvelopeCommand('rcpt to', 'MAIL FROM:<a@b.example>'), false);
    assert.ok(parseEnvelopeCommand('mail from', 'mail from:<a@b.example>'));
  });

  it('hands on what smtp-server honours', () => {
    assert.deepEqual(parseMail('<a@b.example>  size=10 BODY=8bitmime  SMTPUTF8 AUTH=<> '), {
      address: 'a@b.example',
      args: { SIZE: '10', BODY: '8bitmime', SMTPUTF8: true, AUTH: '<>' },
    });
  });

  for (const [parameters, refusal] of [
    ['SIZE=1 SIZE=1', replies.parameterRepeated],
    ['SIZE=', replies.parameterInvalid],
    ['SIZE', replies.parameterInvalid],
    ['SIZE=123456789012345678901', replies.parameterInvalid],
    ['BODY=BINARYMIME', replies.parameterInvalid],
    ['SMTPUTF8=1', replies.parameterInvalid],
    ['=1', replies.parameterInvalid],
    ['A=b=c', replies.parameterInvalid],
    ['AUTH=+0a', replies.parameterInvalid],
    ['ENVID=+0A', replies.parameterInvalid],
    ['ENVID=1', replies.dsnNotOffered],
    ['RET=FULL', replies.dsnNotOffered],
    ['REQUIRETLS', replies.requireTlsNotOffered],
    ['NOTIFY=NEVER', replies.parameterUnknown],
    ['__proto__', replies.parameterUnknown],
    ['HOLDFOR=60', replies.parameterUnknown],
  ] as const) {
    it(`refuses ${parameters} at MAIL with ${refusal.code} ${refusal.text}`, () => {
      assert.deepEqual(refusalOf(parseMail(`<a@b.example> ${parameters}`)), refusal);
    });
  }

  it('refuses at RCPT what belongs to MAIL', () => {
    const parsed = parseEnvelopeCommand('rcpt to', 'RCPT TO:<a@b.example> SIZE=1');
    assert.deepEqual(refusalOf(parsed), replies.parameterUnknown);
  });

  it('reads any line, and never hands on a parameter twice or with a control character', () => {
    const unit = fc.constantFrom(...'<>@"\\=+; aZ09.-\0\r\n\x7f', 'SIZE', 'AUTH', 'ü');
    fc.assert(
      fc.property(fc.string({ unit, maxLength: 60 }), (rest) => {
        const args = (parseMail(rest) || { args: false }).args || {};
        for (const value of Object.values(args)) assert.doesNotMatch(String(value), /\p{Cc}/u);
      }),
    );
  });

  it('MB-8: takes no longer for the longest odd line', () => {
    for (const unit of ['"', '\\', '"\\', '<', '" ', ' A=', '"a"']) {
      const startedAt = performance.now();
      parseMail(`<${unit.repeat(50_000)}!`);
      assert.ok(performance.now() - startedAt < 50, unit);
    }
  });
});
