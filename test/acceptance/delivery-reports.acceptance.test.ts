/** Bounces by mail, on the running stack: from the sender's SMTP session to the report in the sender's mailbox. */
import assert from 'node:assert/strict';
import { simpleParser } from 'mailparser';
import { readReport } from '../../inbound/reports/read-report.ts';
import { newRecipient, openSmtp, readRaw, waitForReceived } from '../support/mail.ts';
import { createOrganization, manageOrganizations } from '../support/organizations.ts';
import { readStack } from '../support/stack.ts';

describe('delivery reports on the running stack', () => {
  it('AD-6, AD-7, AD-10 come to the envelope sender, signed, with the null reverse-path', async function () {
    this.timeout(40_000);
    const stack = readStack();
    const { organizationId, domain, token } = await createOrganization(stack);
    await manageOrganizations(stack, 'PATCH', `/${organizationId}`, { organization: { bounce_mail: true } });
    const sender = newRecipient('returns', domain);
    const recipient = newRecipient('bounce');
    const smtp = openSmtp(stack, 'starttls', token);

    await smtp.sendMail({
      envelope: { from: sender, to: [recipient] },
      ...{ from: `news@${domain}`, to: recipient, subject: 'Original', text: 'x' },
      headers: { Precedence: 'bulk', 'Auto-Submitted': 'auto-generated' },
    });
    smtp.close();

    const received = await waitForReceived(stack, sender);
    assert.equal(received.envelope.from, '');
    assert.deepEqual([received.authentication.dkim, received.authentication.dmarc], ['pass', 'pass']);
    const raw = Buffer.from(await readRaw(stack, received), 'latin1');
    const report = await readReport(raw);
    assert.deepEqual(
      report.kind === 'delivery' &&
        report.recipients.map(({ address, outcome, status }) => [address, outcome, status]),
      [[recipient, 'failed', '5.1.1']],
    );
    assert.equal((await simpleParser(raw)).from?.value[0]?.address, `mailer-daemon@${domain}`);
  });
});
