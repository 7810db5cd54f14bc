/** MB-8: no mail makes the readers slow. A pattern that backtracks takes minutes for these, not a second. */
import assert from 'node:assert/strict';
import { readBounce } from '../../../inbound/bounce.ts';
import { readComplaint } from '../../../inbound/complaint.ts';

const LIMIT_MS = 5_000;
const LENGTH = 50_000;
const hostile = {
  letters: `${'a'.repeat(LENGTH)}!`,
  spaces: `x${' '.repeat(LENGTH)}`,
  'tabs and commas': '\t,'.repeat(LENGTH),
  dashes: '-'.repeat(LENGTH),
  quotes: '> '.repeat(LENGTH),
  'empty lines': '\n \n'.repeat(LENGTH),
  'at signs': 'a@'.repeat(LENGTH),
  dots: 'a.'.repeat(LENGTH),
  digits: '5.1.'.repeat(LENGTH),
  'angle brackets': '<'.repeat(LENGTH),
  fields: 'Message-ID: <\nFrom: @\n'.repeat(5_000),
  tokens: `${'bounces+'.repeat(LENGTH)}@`,
};
const nobody = { spf: { result: 'none', domain: null }, dkim: [] };
const returnPath = { messageId: 1, recipientDigest: '0'.repeat(10) };
const key = Buffer.alloc(32, 1);

const notification = (field: string) => `Content-Type: multipart/report; boundary=b

--b
Content-Type: text/plain

${field}
--b
Content-Type: message/delivery-status

Reporting-MTA: dns; x

Final-Recipient: rfc822; ${field}
Action: failed
Status: ${field}
Diagnostic-Code: smtp; ${field}
--b--
`;
const complaint = (field: string) => `Content-Type: multipart/report; boundary=b

--b
Content-Type: message/feedback-report

Feedback-Type: ${field}
Original-Rcpt-To: ${field}
--b--
`;
const prose = (text: string) => `From: MAILER-DAEMON@x.test
Subject: failure notice

<a@x.test>: ${text}
`;

describe('the readers of reports, with', () => {
  for (const [what, text] of Object.entries(hostile)) {
    it(`MB-8: ${what}`, async () => {
      const start = performance.now();
      for (const form of [notification, complaint, prose]) {
        const raw = Buffer.from(form(text));
        await readBounce(raw, { sender: '', returnPath }, nobody);
        await readBounce(raw, { sender: '', returnPath: undefined }, nobody);
        await readComplaint(raw, { sender: '', returnPath }, nobody, key);
      }
      assert.ok(performance.now() - start < LIMIT_MS);
    });
  }
});
