import assert from 'node:assert/strict';
import { checkDkim, checkDmarc, checkInbound, checkReturnPath, checkSpf } from '../../../api/dns/checks.ts';
import type { FindingStatus } from '../../../api/dns/finding.ts';
import type { LookupResult } from '../../../api/dns/lookup.ts';

const KEY = `MIIB${'A'.repeat(300)}IDAQAB`;
const EXPECTED = `v=DKIM1; h=sha256; p=${KEY}`;
const missing: LookupResult = { ok: false, reason: 'missing' };
const timeout: LookupResult = { ok: false, reason: 'timeout' };
const failed: LookupResult = { ok: false, reason: 'failed' };

function found(...values: string[]): LookupResult {
  return { ok: true, values };
}

type Row = [what: string, result: LookupResult, status: FindingStatus, problem?: RegExp];

/** Whatever is wrong has a problem and a remedy; what is well has neither. */
function check(rows: Row[], judge: (result: LookupResult) => ReturnType<typeof checkDkim>) {
  for (const [what, result, status, problem] of rows) {
    it(`${status}: ${what}`, () => {
      const finding = judge(result);
      assert.equal(finding.status, status, JSON.stringify(finding));
      assert.equal(finding.problem === null, status === 'ok');
      assert.equal(finding.remedy === null, status === 'ok');
      if (problem) assert.match(finding.problem ?? '', problem);
    });
  }
}

const silence: Row[] = [
  ['no answer', timeout, 'timeout', /did not answer/],
  ['an error', failed, 'failed', /answered with an error/],
];

describe('the DKIM record', () => {
  check(
    [
      ...silence,
      ['none', missing, 'missing', /^No matching DKIM key found$/],
      ['as asked for', found(EXPECTED), 'ok'],
      [
        'pasted with spaces, other tags in another order',
        found(`p=${KEY.slice(0, 9)} ${KEY.slice(9)}; k=rsa`),
        'ok',
      ],
      ['another key', found(EXPECTED.replace('MIIB', 'MIIC')), 'different', /another key/],
      ['cut off at 255 bytes', found(EXPECTED.slice(0, 255)), 'different', /cut off after 234 of 310/],
      ['a revoked key', found('v=DKIM1; p='), 'different', /revoked/],
      ['another algorithm', found(`v=DKIM1; k=ed25519; p=${KEY}`), 'different', /k=ed25519/],
      ['sha1 only', found(`v=DKIM1; h=sha1; p=${KEY}`), 'different', /sha256/],
      ['two of them', found(EXPECTED, `v=DKIM1; p=${KEY}x`), 'several', /2 TXT records/],
      ['something else', found('v=spf1 -all'), 'syntax'],
      ['no key in it', found('v=DKIM1; k=rsa'), 'syntax'],
      ['another version', found(`v=DKIM2; p=${KEY}`), 'syntax'],
      ['nothing in it', found(''), 'syntax'],
    ],
    (result) => checkDkim(result, 'postern._domainkey.example.com', EXPECTED),
  );
});

describe('the CNAME of the return path', () => {
  check(
    [
      ...silence,
      ['none', missing, 'missing', /^No CNAME keys found$/],
      ['as asked for', found('bounces.postern.test'), 'ok'],
      ['elsewhere', found('mailer.other.test'), 'different', /points to mailer\.other\.test/],
      ['two of them', found('bounces.postern.test', 'x.test'), 'several'],
    ],
    (result) => checkReturnPath(result, 'mailer.example.com', 'bounces.postern.test'),
  );
});

describe('the SPF record of the return path', () => {
  const ours = 'v=spf1 ip4:192.0.2.0/24 -all';
  check(
    [
      ...silence,
      ['none', missing, 'missing', /does not align/],
      ['no SPF among the records', found('google-site-verification=x'), 'missing'],
      ['through the CNAME', found(ours, 'something else'), 'ok'],
      ['by inclusion', found('v=spf1 include:bounces.postern.test ~all'), 'ok'],
      ['by redirection', found('v=spf1 redirect=bounces.postern.test'), 'ok'],
      ['somebody else', found('v=spf1 include:_spf.other.test -all'), 'different'],
      ['two of them', found(ours, 'v=spf1 -all'), 'several', /void/],
      ['a typing error', found('v=spf1 ipv4:192.0.2.1 -all'), 'syntax', /"ipv4:192\.0\.2\.1"/],
    ],
    (result) => checkSpf(result, found(ours), { name: 'mailer.example.com', target: 'bounces.postern.test' }),
  );
});

describe('the DMARC record', () => {
  check(
    [
      ...silence,
      ['none', missing, 'missing'],
      ['something else only', found('hello'), 'missing'],
      ['one', found('v=DMARC1; p=none; rua=mailto:a@example.com'), 'ok'],
      ['one without a policy', found('v=DMARC1; rua=mailto:a@example.com'), 'ok'],
      ['two of them', found('v=DMARC1; p=none', 'v=DMARC1; p=reject'), 'several', /none counts/],
      ['an unknown policy', found('v=DMARC1; p=block'), 'syntax', /p=block/],
      ['no list of tags', found('v=DMARC1; reject'), 'syntax'],
    ],
    (result) => checkDmarc(result, missing, '_dmarc.example.com'),
  );

  it('ok: inherited from the domain above', () => {
    assert.equal(checkDmarc(missing, found('v=DMARC1; p=reject'), '_dmarc.a.example.com').status, 'ok');
  });
});

describe('the MX record', () => {
  check(
    [
      ...silence,
      ['none', missing, 'missing'],
      ['ours', found('10 in.postern.test'), 'ok'],
      ['ours and another', found('10 in.postern.test', '20 mx.other.test'), 'several'],
      ['another', found('10 mx.other.test'), 'different', /goes to mx\.other\.test/],
    ],
    (result) => checkInbound(result, 'example.com', 'in.postern.test'),
  );
});
