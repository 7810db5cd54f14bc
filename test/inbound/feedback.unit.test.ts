/** Bounces and complaints as inbound hands them to the api. */
import assert from 'node:assert/strict';
import { readBounce } from '../../inbound/bounce.ts';
import { readComplaint } from '../../inbound/complaint.ts';
import { createReturnPath, readReturnPath, tokenOf } from '../../lib/return-path.ts';

const key = Buffer.alloc(32, 7);
const verp = (recipient: string) =>
  createReturnPath({ messageId: 42, recipient, domain: 'bounces.example.com' }, key);
const nobody = { spf: { result: 'none', domain: null }, dkim: [] };
const example = {
  spf: { result: 'pass', domain: 'MX.example.net' },
  dkim: [
    { result: 'fail', domain: 'forged.test' },
    { result: 'pass', domain: 'example.net' },
  ],
};

const mail = (...lines: string[]) => Buffer.from([...lines, ''].join('\r\n'));
const quoted = [
  'Return-Path: <someone@shop.test>',
  'Message-ID: <abc@shop.test>',
  'From: Shop <hello@shop.test>',
  '',
  'Hello',
];
const notification = (action: string) =>
  mail(
    'From: MAILER-DAEMON@mx.example.net',
    'Subject: Undelivered Mail Returned to Sender',
    'MIME-Version: 1.0',
    'Content-Type: multipart/report; report-type=delivery-status; boundary="b"',
    '',
    '--b',
    'Content-Type: text/plain',
    '',
    'Sorry.',
    '--b',
    'Content-Type: message/delivery-status',
    '',
    'Reporting-MTA: dns; mx.example.net',
    '',
    'Original-Recipient: rfc822; ann@example.net',
    'Final-Recipient: rfc822; ann@elsewhere.test',
    `Action: ${action}`,
    'Status: 5.1.1',
    'Remote-MTA: dns; mx.elsewhere.test',
    'Diagnostic-Code: smtp; 550 5.1.1 User',
    '  unknown',
    '--b',
    'Content-Type: message/rfc822',
    '',
    ...quoted,
    '--b--',
  );
const complaint = (...lines: string[]) =>
  mail(
    'From: fbl@example.net',
    'Subject: complaint',
    'MIME-Version: 1.0',
    'Content-Type: multipart/report; report-type=feedback-report; boundary="b"',
    '',
    '--b',
    'Content-Type: message/feedback-report',
    '',
    'Feedback-Type: abuse',
    'User-Agent: Example/1.0',
    'Version: 1',
    '--b',
    'Content-Type: message/rfc822',
    '',
    ...lines,
    '--b--',
  );
const vacation = mail(
  'From: ann@example.net',
  'Subject: Out of office',
  'Auto-Submitted: auto-replied',
  '',
  'I am away. Write to bob@example.net, or get 550 5.1.1 User unknown.',
);

describe('readBounce', () => {
  const returnPath = readReturnPath(verp('ann@example.net'), key);
  assert.ok(returnPath);

  it('tells of the recipient by all its names, on one line, with a verdict', async () => {
    const report = await readBounce(notification('failed'), { sender: '', returnPath }, nobody);
    assert.deepEqual(report?.returnPath, returnPath);
    assert.deepEqual(report?.recipients, [
      {
        addresses: ['ann@example.net', 'ann@elsewhere.test'],
        outcome: 'failed',
        status: '5.1.1',
        response: '550 5.1.1 User unknown',
        mx: 'mx.elsewhere.test',
        bounce: { ...report?.recipients[0]?.bounce, class: 'recipient-unknown', isHard: true },
      },
    ]);
  });

  for (const [action, outcome] of [
    ['delayed', 'delayed'],
    ['relayed', 'delivered'],
    ['expanded', 'delivered'],
  ] as const) {
    it(`BN-6: ${action} is no hard bounce`, async () => {
      const report = await readBounce(notification(action), { sender: '', returnPath }, nobody);
      const [recipient] = report?.recipients ?? [];
      assert.deepEqual([recipient?.outcome, recipient?.bounce.isHard], [outcome, false]);
    });
  }

  it('AD-11: without a return path it names the message and who vouches for it', async () => {
    const envelope = { sender: '', returnPath: undefined };
    const report = await readBounce(notification('failed'), envelope, example);
    assert.deepEqual(report?.original, { messageId: '<abc@shop.test>', domain: 'shop.test' });
    assert.deepEqual(report?.authenticatedDomains, ['mx.example.net', 'example.net']);
  });

  it('AD-11: without a return path, a mail from somebody or in prose is no bounce', async () => {
    const prose = mail(
      'From: MAILER-DAEMON@example.net',
      'Subject: failure notice',
      '',
      '<ann@example.net>:',
      '550 5.1.1 User unknown',
      '',
      ...quoted,
    );
    const from = (sender: string) => ({ sender, returnPath: undefined });
    assert.equal(await readBounce(notification('failed'), from('ann@example.net'), example), undefined);
    assert.equal(await readBounce(prose, from(''), example), undefined);
    assert.ok(await readBounce(prose, { sender: '', returnPath }, nobody));
  });

  it('BN-7: a vacation reply is none, wherever it comes to', async () => {
    assert.equal(await readBounce(vacation, { sender: '', returnPath }, nobody), undefined);
    assert.equal(await readComplaint(vacation, { sender: '', returnPath }, nobody, key), undefined);
  });
  for (const [about, diagnostic] of [
    ['markup and line ends', '550 5.1.1 <script>alert(1)</script>\r\n\tand more'],
    ['a megabyte', `550 5.1.1 ${'x'.repeat(1_000_000)}`],
    ['bytes that are not UTF-8', '550 5.1.1 \xff\xfe\x00\x1b[31m'],
  ] as const) {
    it(`AD-10: gives what the other server said on one line, capped: ${about}`, async () => {
      const text = notification('failed').toString().replace('550 5.1.1 User\r\n  unknown', diagnostic);
      const report = await readBounce(
        Buffer.from(text, 'latin1'),
        { sender: '', returnPath: undefined },
        example,
      );
      const response = report?.recipients[0]?.response ?? '';
      assert.ok(response.length > 5 && response.length <= 1_000, `${response.length}`);
      assert.doesNotMatch(response, /[\p{Cc}]/u);
    });
  }
});

describe('readComplaint', () => {
  const envelope = { sender: 'fbl@example.net', returnPath: undefined };

  it('BN-4: finds the signed return path in the quoted message', async () => {
    const raw = complaint(`Return-Path: <${verp('ann@example.net')}>`, ...quoted.slice(1));
    const report = await readComplaint(raw, envelope, example, key);
    assert.deepEqual(report?.returnPath, readReturnPath(verp('ann@example.net'), key));
    assert.deepEqual([report?.feedbackType, report?.reporter], ['abuse', 'Example/1.0']);
  });

  for (const fold of [' ', '\r\n ', '']) {
    it(`BN-4: finds the token in the Feedback-ID, behind ${JSON.stringify(fold)}, where addresses are left out`, async () => {
      const token = tokenOf(verp('ann@example.net'));
      const field = `Feedback-ID:${fold}${token}:bulk:shop.test:o3:postern`;
      const raw = complaint('Return-Path: <redacted>', field, ...quoted.slice(1));
      const report = await readComplaint(raw, envelope, nobody, key);
      assert.deepEqual(report?.returnPath, readReturnPath(verp('ann@example.net'), key));
    });
  }

  it('AD-11: passes over a Feedback-ID that was made up, or is of another kind', async () => {
    for (const value of [`${'a'.repeat(31)}:bulk:shop.test:o3:postern`, '1:2:3:shop', ':::']) {
      const raw = complaint(`Feedback-ID: ${value}`, ...quoted.slice(1));
      assert.equal((await readComplaint(raw, envelope, nobody, key))?.returnPath, null);
    }
  });

  it('AD-11: passes over one that was made up', async () => {
    const token = verp('ann@example.net').replace(/\+(.)/, (_all, first) => (first === 'a' ? '+b' : '+a'));
    const raw = complaint(`Return-Path: <${token}>`, ...quoted.slice(1));
    const report = await readComplaint(raw, envelope, example, key);
    assert.equal(report?.returnPath, null);
    assert.equal(report?.original?.messageId, '<abc@shop.test>');
  });
});
