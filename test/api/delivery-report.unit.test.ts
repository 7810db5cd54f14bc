import assert from 'node:assert/strict';
import { simpleParser } from 'mailparser';
import { composeReport, type DeliveryReport, formatStatus, oneLine } from '../../api/mail/delivery-report.ts';
import { readReport } from '../../inbound/reports/read-report.ts';

const recipient = {
  address: 'b@example.com',
  state: 'bounced',
  response: '550 5.1.1 No such user',
  code: 550,
  enhancedCode: '5.1.1',
  mx: 'mx.example.com',
  lastAttemptAt: new Date('2027-01-31T10:00:00Z'),
};
const report: DeliveryReport = {
  kind: 'failed',
  to: 's@sender.test',
  domain: 'sender.test',
  reportingMta: 'postern.test',
  messageId: '<1@sender.test>',
  acceptedAt: new Date('2027-01-31T09:00:00Z'),
  expiresAt: new Date('2027-02-02T09:00:00Z'),
  recipients: [recipient],
  header: Buffer.from('From: S <s@sender.test>\r\nSubject: Grüße\r\n'),
};

async function compose(changes: Partial<DeliveryReport> = {}) {
  const { content } = await composeReport({ ...report, ...changes });
  return {
    raw: content.toString('latin1'),
    parsed: await simpleParser(content),
    read: await readReport(content),
  };
}

const HOSTILE = [
  '550 <script>alert(1)</script>',
  '550 a\r\n.\r\nMAIL FROM:<evil@x>\r\n',
  '550 a\n\nFinal-Recipient: rfc822; victim@example.com\nStatus: 2.0.0',
  `550 ${'x'.repeat(1_000_000)}`,
  `550 ${'x '.repeat(500_000)}`,
  '550 \ud800 \u0000 \u202e Grüße \ufffd',
  '550 --_NmP-1\r\nContent-Type: text/html',
];

describe('delivery report', () => {
  it('is a multipart/report that this project and mailparser read', async () => {
    const { raw, parsed, read } = await compose();

    assert.match(raw, /^Content-Type: multipart\/report; report-type=delivery-status;/m);
    assert.match(raw, /^Auto-Submitted: auto-replied\r$/m);
    assert.match(raw, /^In-Reply-To: <1@sender\.test>\r$/m);
    assert.equal(parsed.from?.text, '"Mail Delivery System" <mailer-daemon@sender.test>');
    assert.match(parsed.text ?? '', /<b@example\.com>\s+Their server refused it: 550 5\.1\.1 No such user/);
    assert.equal(read.kind, 'delivery');
    assert.deepEqual(
      read.kind === 'delivery' &&
        read.recipients.map(({ address, outcome, status, mx, diagnostic }) => ({
          ...{ address, outcome, status, mx, diagnostic },
        })),
      [
        {
          ...{ address: 'b@example.com', outcome: 'failed', status: '5.1.1', mx: 'mx.example.com' },
          diagnostic: '550 5.1.1 No such user',
        },
      ],
    );
  });

  it('says of a delay until when it is tried', async () => {
    const { parsed, read } = await compose({
      kind: 'delayed',
      recipients: [
        { ...recipient, state: 'deferred', code: 451, enhancedCode: '4.7.1', response: '451 4.7.1 Later' },
      ],
    });
    assert.equal(parsed.subject, 'Your mail is delayed');
    assert.match(parsed.text ?? '', /until Tue, 02 Feb 2027 09:00:00 GMT/);
    assert.equal(read.kind === 'delivery' && read.recipients[0]?.outcome, 'delayed');
  });

  for (const response of HOSTILE) {
    it(`AD-10, SM-15 quotes what a server said: ${JSON.stringify(response.slice(0, 30))}`, async () => {
      const { raw, parsed, read } = await compose({ recipients: [{ ...recipient, response }] });

      assert.deepEqual(raw.match(/[^\r]\n|\r[^\n]|\0|\r\n\.\r\n/), null);
      assert.equal(
        raw.split('\r\n').every((line) => line.length <= 998),
        true,
      );
      assert.equal(raw.length < 5_000, true);
      assert.equal(parsed.html, false);
      const types = [
        ...raw.matchAll(/(?:^MIME-Version: 1\.0|\r\n----_NmP-[\w-]+)\r\nContent-Type: ([\w/-]+)/gm),
      ].map(([, type]) => type);
      assert.deepEqual(types, [
        ...['multipart/report', 'text/plain', 'message/delivery-status', 'text/rfc822-headers'],
      ]);
      assert.equal(read.kind, 'delivery');
      assert.deepEqual(
        read.kind === 'delivery' && read.recipients.map(({ address, status }) => [address, status]),
        [['b@example.com', '5.1.1']],
      );
    });
  }

  for (const [what, changes, expected] of [
    ['the class of a reply that came later', { enhancedCode: '4.7.1' }, /^Status: 5\.0\.0\r$/m],
    ['no code at all', { enhancedCode: null }, /^Status: 5\.0\.0\r$/m],
    ['expiry', { state: 'expired', enhancedCode: '4.4.1' }, /^Status: 5\.4\.7\r$/m],
    ['the block list', { state: 'suppressed', enhancedCode: null, code: null }, /^Status: 5\.7\.1\r$/m],
    ['words of ours', { code: null, response: 'On the block list' }, /^Diagnostic-Code: x-postern; On the/m],
    [
      'an address beyond ASCII',
      { address: 'jörg@exämple.com' },
      /^Final-Recipient: utf-8; j\\x\{F6\}rg@ex\\x\{E4\}mple/m,
    ],
    [
      'a quoted address',
      { address: '"a b"@example.com' },
      /^Final-Recipient: rfc822; "a\s+b"@example\.com\r$/m,
    ],
  ] as const) {
    it(`says the right thing of ${what}`, () => {
      assert.match(formatStatus({ ...report, recipients: [{ ...recipient, ...changes }] }), expected);
    });
  }

  it('has a group for each recipient, and no more of the header than 16 KB', async () => {
    const recipients = ['b', 'c'].map((name) => ({ ...recipient, address: `${name}@example.com` }));
    const header = Buffer.from(`X-Long: ${'x'.repeat(500)}\r\n`.repeat(100));
    const { raw, read } = await compose({ recipients, header });
    assert.equal(read.kind === 'delivery' && read.recipients.length, 2);
    assert.equal(raw.length < 25_000, true);
  });

  it('names no message that could break its own header', async () => {
    const { raw } = await compose({ messageId: '<a@b>\r\nBcc: victim@example.com' });
    assert.doesNotMatch(raw, /Bcc|In-Reply-To/);
  });

  it('makes one line of anything', () => {
    assert.equal(oneLine(' a\r\n\tb\u0000é '), 'a b??');
    assert.equal(oneLine('x'.repeat(600)).length, 503);
  });
});
