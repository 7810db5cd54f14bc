import assert from 'node:assert/strict';
import fc from 'fast-check';
import { judgeRecipient } from '../../../inbound/reports/judge.ts';
import { readReport } from '../../../inbound/reports/read-report.ts';
import { loadRules } from '../../../lib/bounces/rules.ts';

const rules = loadRules();

const notification = (groups: string, prose = 'Your message could not be delivered.') =>
  Buffer.from(
    [
      'From: MAILER-DAEMON@mx.example.net',
      'To: bounces+token@bounces.example.com',
      'Subject: Undelivered Mail Returned to Sender',
      'MIME-Version: 1.0',
      'Content-Type: multipart/report; report-type=delivery-status; boundary="b"',
      '',
      '--b',
      'Content-Type: text/plain',
      '',
      prose,
      '--b',
      'Content-Type: message/delivery-status',
      '',
      'Reporting-MTA: dns; mx.example.net',
      '',
      groups,
      '--b',
      'Content-Type: message/rfc822',
      '',
      'From: a@example.com',
      'Subject: hello',
      '',
      'text',
      '--b--',
      '',
    ].join('\r\n'),
  );

const prose = (header: string[], lines: string[]) => Buffer.from([...header, '', ...lines, ''].join('\r\n'));

const verdicts = async (mail: Buffer) => {
  const report = await readReport(mail);
  if (report.kind !== 'delivery') return report;
  return report.recipients.map((recipient) => {
    const { class: bounceClass, isHard } = judgeRecipient(rules, recipient);
    return [recipient.address, recipient.outcome, bounceClass, isHard];
  });
};

describe('readReport', () => {
  it('BN-6: each recipient has an outcome of its own; only a failure is a bounce', async () => {
    const mail = notification(
      [
        'Final-Recipient: rfc822; gone@example.net\r\nAction: failed\r\nStatus: 5.1.1\r\nDiagnostic-Code: smtp; 550 5.1.1 User unknown',
        'Final-Recipient: rfc822; late@example.net\r\nAction: delayed\r\nStatus: 4.4.1',
        'Final-Recipient: rfc822; there@example.net\r\nAction: relayed\r\nStatus: 2.1.5',
      ].join('\r\n\r\n'),
    );
    assert.deepEqual(await verdicts(mail), [
      ['gone@example.net', 'failed', 'recipient-unknown', true],
      ['late@example.net', 'delayed', 'network', false],
      ['there@example.net', 'delivered', 'other', false],
    ]);
  });

  it('takes the prose where the fields say nothing', async () => {
    const mail = notification(
      'Final-Recipient: rfc822; full@example.net\r\nAction: failed\r\nStatus: 5.0.0',
      '<full@example.net>: 552 The mailbox is over its quota',
    );
    assert.deepEqual(await verdicts(mail), [['full@example.net', 'failed', 'mailbox-full', false]]);
  });

  it('does not give an address up for what was said after the data', async () => {
    const mail = notification(
      'Final-Recipient: rfc822; r@example.net\r\nAction: failed\r\nStatus: 5.0.0\r\nDiagnostic-Code: smtp; 550 Unknown user',
      '<r@example.net>: host mx.example.net said: 550 Unknown user (in reply to end of DATA command)',
    );
    assert.deepEqual(await verdicts(mail), [['r@example.net', 'failed', 'recipient-refused', false]]);
  });

  it("reads qmail's prose, without the message that it quotes", async () => {
    const mail = prose(
      ['From: MAILER-DAEMON@example.net', 'Subject: failure notice'],
      [
        "Hi. This is the qmail-send program. I'm afraid I wasn't able to deliver your message.",
        '',
        '<gone@example.net>:',
        '192.0.2.1 does not like recipient.',
        'Remote host said: 550 5.1.1 User unknown',
        '',
        '<full@example.net>:',
        'Remote host said: 552 5.2.2 Mailbox full',
        '',
        '--- Below this line is a copy of the message.',
        '',
        'To: <innocent@example.net>:',
        'no such user is mentioned here',
      ],
    );
    assert.deepEqual(await verdicts(mail), [
      ['gone@example.net', 'failed', 'recipient-unknown', true],
      ['full@example.net', 'failed', 'mailbox-full', false],
    ]);
  });

  it('BN-7: somebody who is away has not bounced', async () => {
    const mail = prose(
      ['From: Ann <ann@example.net>', 'Subject: Re: Invoice', 'Auto-Submitted: auto-replied'],
      ['I am away. User unknown to me write 550 5.1.1 in vain.'],
    );
    assert.deepEqual(await readReport(mail), { kind: 'automatic-reply' });
  });

  it('BN-4: a feedback report is a complaint', async () => {
    const mail = prose(
      [
        'From: fbl@example.net',
        'Subject: FW: hello',
        'MIME-Version: 1.0',
        'Content-Type: multipart/report; report-type=feedback-report; boundary="b"',
      ],
      [
        '--b\r\nContent-Type: text/plain\r\n\r\nThis is an abuse report.',
        '--b\r\nContent-Type: message/feedback-report\r\n\r\nFeedback-Type: abuse\r\nOriginal-Rcpt-To: <r@example.net>\r\n',
        '--b--',
      ],
    );
    assert.deepEqual(await readReport(mail), {
      kind: 'complaint',
      feedbackType: 'abuse',
      recipients: ['r@example.net'],
      reporter: undefined,
    });
  });

  it('ordinary mail says nothing about deliveries', async () => {
    const mail = prose(
      ['From: Ann <ann@example.net>', 'Subject: Lunch?'],
      ['At noon? b@example.net comes too.'],
    );
    assert.deepEqual(await readReport(mail), { kind: 'other' });
  });

  it('never throws, whatever the mail', async () => {
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: 'binary', maxLength: 400 }), async (text) => {
        await readReport(
          Buffer.from(`Subject: failure notice\r\nContent-Type: multipart/report; boundary=b\r\n\r\n${text}`),
        );
        await readReport(notification(text));
      }),
      { numRuns: 60 },
    );
  });
});
