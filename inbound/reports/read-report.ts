/**
 * Reads a mail that came to a return path: a delivery status notification (RFC 3464), a feedback report (RFC 5965), an
 * automatic reply (RFC 3834), the prose of a server that knows none of these, or something else.
 *
 * Trusts nothing in it: who it is about is told by the signed return path that it came to. Never throws for what a
 * mail contains.
 */
import { type ParsedMail, simpleParser } from 'mailparser';
import { readDeliveryStatus } from './delivery-status.ts';
import { readFeedbackReport, readOutlookComplaint } from './feedback-report.ts';
import { addressesIn, cutQuote, hasReply, readProse } from './prose.ts';
import type { RecipientReport, Report } from './report.ts';

/** Bounces quote the message; what they say themselves is short. */
const MAX_BYTES = 1_048_576;

const FAILURE_SUBJECT =
  /fail|undeliver|not deliver|return|bounce|reject|delay|delivery status|could ?n.t be|error|warning|non remis|unzustellbar|nondeliverable|エラー|配信不能/i;
const AUTOMATIC_SUBJECT =
  /^\s*(?:auto(?:matic)?[ -]?(?:reply|response|answer)|out of (?:the )?office|vacation|away from|re: auto)/i;
const DAEMON = /mailer-daemon|postmaster|mail delivery|mail administrator|mail.?system/i;

export async function readReport(mail: Buffer): Promise<Report> {
  const parsed = await parse(mail.subarray(0, MAX_BYTES));
  const feedback = partsOf(parsed, 'message/feedback-report')[0];
  if (feedback) return readFeedbackReport(feedback);
  const outlook = readOutlookComplaint(parsed.subject ?? '', mail.toString('latin1'));
  if (outlook) return outlook;
  const machine = partsOf(parsed, 'message/delivery-status').flatMap(readDeliveryStatus);
  if (machine.length > 0) {
    return { kind: 'delivery', form: 'notification', recipients: complete(machine, proseOf(parsed, mail)) };
  }
  const text = proseOf(parsed, mail);
  const loose = readLooseStatus(text);
  if (loose.length > 0) return { kind: 'delivery', form: 'prose', recipients: loose };
  if (isAutomaticReply(parsed, text)) return { kind: 'automatic-reply' };
  const prose =
    isFromDaemon(parsed) || FAILURE_SUBJECT.test(parsed.subject ?? '')
      ? readProse(text).map((recipient) => ({
          ...recipient,
          address: recipient.address ?? guessAddress(parsed, text),
        }))
      : [];
  return prose.length > 0 ? { kind: 'delivery', form: 'prose', recipients: prose } : { kind: 'other' };
}

/** With what the prose says, of the same address where there are several: some fill in the fields with nothing of use. */
function complete(machine: RecipientReport[], text: string): RecipientReport[] {
  if (machine.length === 1) return machine.map((recipient) => ({ ...recipient, prose: cutQuote(text) }));
  const told = new Map(readProse(text).map(({ address, prose }) => [address?.toLowerCase(), prose]));
  return machine.map((recipient) => ({
    ...recipient,
    prose: told.get(recipient.address?.toLowerCase()) ?? '',
  }));
}

/** Some forward a notification as text, or break its structure. */
function readLooseStatus(text: string): RecipientReport[] {
  const plain = text.replaceAll(/^(?:> ?)+/gm, '');
  const start = plain.search(/^(?:reporting-mta|final-recipient):/im);
  return start < 0
    ? []
    : readDeliveryStatus(plain.slice(start)).filter(({ address }) => address !== undefined);
}

/** Where no line begins with one: the first address that is neither whom the bounce came from nor whom it went to. */
function guessAddress({ headers, from, to }: ParsedMail, text: string): string | undefined {
  const named = addressesIn(String(headers.get('x-failed-recipients') ?? ''))[0];
  if (named !== undefined) return named;
  const parties = addressesIn(
    [from, to]
      .flat()
      .map((party) => party?.text ?? '')
      .join(' '),
  );
  const known = new Set(parties.map((address) => address.toLowerCase()));
  return addressesIn(cutQuote(text)).find((address) => !known.has(address.toLowerCase()));
}

async function parse(mail: Buffer): Promise<ParsedMail> {
  const options = {
    keepDeliveryStatus: true,
    skipHtmlToText: false,
    skipTextToHtml: true,
    skipImageLinks: true,
    skipTextLinks: true,
    maxHtmlLengthToParse: MAX_BYTES,
  };
  return simpleParser(mail, options);
}

function partsOf({ attachments }: ParsedMail, type: string): string[] {
  return attachments
    .filter(({ contentType }) => contentType.toLowerCase() === type)
    .map(({ content }) => content.toString('utf8'));
}

/** The readable text; of a mail whose structure is broken, all that follows the header. */
function proseOf({ text, attachments }: ParsedMail, mail: Buffer): string {
  if (text?.trim()) return text;
  const first = attachments.find(({ contentType }) => contentType.startsWith('text/'));
  if (first) return first.content.toString('utf8');
  const raw = mail.toString('utf8').replaceAll(/\r\n?/g, '\n');
  return raw.slice(raw.indexOf('\n\n') + 2);
}

function isAutomaticReply(mail: ParsedMail, text: string): boolean {
  const header = (name: string) => String(mail.headers.get(name) ?? '');
  if (AUTOMATIC_SUBJECT.test(mail.subject ?? '')) return true;
  const submitted = header('auto-submitted').toLowerCase();
  if (mail.headers.has('x-failed-recipients')) return false;
  // RFC 3834 3.1.7 is for people who are away; servers that say so of a bounce have a reply to quote.
  if (isFromDaemon(mail)) return submitted.startsWith('auto-replied') && !hasReply(text);
  const isReply = submitted.startsWith('auto-replied') || submitted.startsWith('auto-generated');
  return (
    isReply ||
    mail.headers.has('x-autoreply') ||
    mail.headers.has('x-autorespond') ||
    /auto.?reply|vacation/i.test(header('precedence'))
  );
}

function isFromDaemon({ from, headers }: ParsedMail): boolean {
  return (
    DAEMON.test(from?.text ?? '') || headers.get('return-path') === '<>' || headers.has('x-failed-recipients')
  );
}
