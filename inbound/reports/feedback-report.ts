/** The machine-readable part of an abuse report (ARF, RFC 5965). */
import type { Report } from './report.ts';

/** @param part message/feedback-report */
export function readFeedbackReport(part: string): Report {
  const fields = part
    .replaceAll(/\r\n?/g, '\n')
    .replaceAll(/\n[ \t]+/g, ' ')
    .split('\n');
  const values = (name: string) =>
    fields
      .filter((line) => line.toLowerCase().startsWith(`${name}:`))
      .map((line) => line.slice(name.length + 1).trim());
  const feedbackType = values('feedback-type')[0]?.toLowerCase() ?? 'other';
  const recipients = [...values('original-rcpt-to'), ...values('removal-recipient')].map((value) =>
    value.replaceAll(/^<|>$/g, ''),
  );
  return {
    kind: 'complaint',
    feedbackType,
    recipients: [...new Set(recipients)].filter(Boolean),
    reporter: values('user-agent')[0],
  };
}

/**
 * Outlook.com's complaints have no such part: they carry the message, and in its header whom it was for.
 * Undefined: it is none.
 */
export function readOutlookComplaint(subject: string, message: string): Report | undefined {
  if (!/^\s*complaint about message from /i.test(subject)) return undefined;
  const recipient = /^X-HmXmrOriginalRecipient:\s*<?([^\s>]+)/im.exec(message)?.[1];
  return recipient === undefined
    ? undefined
    : { kind: 'complaint', feedbackType: 'abuse', recipients: [recipient], reporter: 'Outlook.com' };
}
