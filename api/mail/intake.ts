/**
 * The way into the mta: SMTP to its intake on loopback, over connections that stay open. The message leaves as it is
 * stored, byte for byte, behind header lines that the intake reads and removes.
 */
import { createTransport } from 'nodemailer';
import type { Settings } from '../../config/schema.ts';
import { parseScore, readRefusal } from '../../lib/spam/reply.ts';
import { formatThresholds, type SpamScore, type SpamThresholds } from '../../lib/spam/score.ts';
import { readInfection } from '../../lib/virus/reply.ts';
import type { Consignment, Refused } from '../models/hand-over.ts';
import { priorityOf } from '../models/stream.ts';

const CONNECT_TIMEOUT_MS = 5_000;
/** The intake answers the end of DATA after its commit (RFC 5321 4.5.3.2.6 would allow ten minutes). */
const SOCKET_TIMEOUT_MS = 60_000;
/** nodemailer gives a connection up after this many messages; a new one costs four round trips. */
const MAX_MESSAGES_PER_CONNECTION = 1_000;
/** ZoneMTA's answer to each command while it closes: for a 421 it takes the code of an error that has none. */
const CLOSING = '550 Server shutdown in progress';
/** The client has no name of its own on loopback. */
const CLIENT_NAME = 'localhost';

export type HandOverResult =
  /** The mta has committed it. `refused` are the recipients it did not take; `spam`: what the check found. */
  | { ok: true; refused: Refused[]; spam?: SpamScore | undefined }
  /** The mta will never take it. */
  | { ok: false; reason: 'refused'; refused: Refused[] }
  /** The check for spam says no, or that somebody has to look at it. */
  | { ok: false; reason: 'spam'; kind: 'held' | 'refused'; score: SpamScore; response: string }
  /** `virus`: the name of the signature */
  | { ok: false; reason: 'infected'; virus: string; response: string }
  /** Not now. */
  | { ok: false; reason: 'unavailable'; text: string };

/** Ready to go: what the mta has to know of it. */
export type Addressed = Omit<Consignment, 'domainId' | 'isSandbox' | 'spamScores' | 'spamReview'> & {
  /** Milliseconds since the epoch, when the recipients were last looked up in the block list. */
  listsReadAt?: number;
  /** Undefined: it is not checked. */
  spamThresholds?: SpamThresholds | undefined;
  /** Undefined: it is not traced. */
  traceparent?: string | undefined;
};

export interface Intake {
  handOver(consignment: Addressed): Promise<HandOverResult>;
  close(): void;
}

/** What nodemailer adds to its errors. */
interface SmtpError extends Error {
  command?: string | undefined;
  response?: string | undefined;
  responseCode?: number | undefined;
  recipient?: string | undefined;
  rejectedErrors?: SmtpError[] | undefined;
}

export function createIntake({ mta, secrets, worker }: Settings): Intake {
  const transport = createTransport({
    pool: true,
    host: mta.intakeHost,
    port: mta.intakePort,
    secure: false,
    ignoreTLS: true,
    name: CLIENT_NAME,
    auth: { user: 'worker', pass: secrets.intakePassword },
    maxConnections: worker.concurrency,
    maxMessages: MAX_MESSAGES_PER_CONNECTION,
    connectionTimeout: CONNECT_TIMEOUT_MS,
    greetingTimeout: CONNECT_TIMEOUT_MS,
    socketTimeout: SOCKET_TIMEOUT_MS,
    disableFileAccess: true,
    disableUrlAccess: true,
  });
  // nodemailer reads the envelope as if it were a header and rewrites quoted local parts on the way.
  transport.use('stream', ({ data, message }, done) => {
    Object.assign(message, { getEnvelope: () => ({ ...data.envelope }) });
    done();
  });
  return {
    async handOver(consignment) {
      const { envelopeFrom: from, recipients: to } = consignment;
      try {
        const info = await transport.sendMail({ envelope: { from, to }, raw: address(consignment) });
        return { ok: true, refused: refusedBy(info.rejectedErrors ?? []), spam: parseScore(info.response) };
      } catch (error) {
        return judgeFailure(error as SmtpError, consignment);
      }
    },
    close: () => transport.close(),
  };
}

/**
 * The header lines for plugins/intake. They come first, and all of them always, so that nothing in a customer's message
 * can stand in for one.
 */
function address({
  messageId,
  organizationId,
  domain,
  stream,
  tags,
  hasUnsubscribeLink,
  content,
  listsReadAt,
  spamThresholds,
  requiresTls,
  ignoresTlsPolicy,
  traceparent,
  isForward,
}: Addressed): Buffer {
  const head = [
    `X-Postern-Message: ${messageId}`,
    `X-Postern-Organization: ${organizationId}`,
    `X-Postern-Domain: ${domain}`,
    `X-Postern-Priority: ${priorityOf(stream)}`,
    `X-Postern-Tags: ${Buffer.from(JSON.stringify(tags)).toString('base64')}`,
    `X-Postern-Stream: ${stream}`,
    `X-Postern-Unsubscribe: ${hasUnsubscribeLink ? 'yes' : 'no'}`,
    `X-Postern-Tls: ${ignoresTlsPolicy ? 'ignored' : requiresTls ? 'required' : 'as offered'}`,
    `X-Postern-Forward: ${isForward ? 'yes' : 'no'}`,
    `X-Postern-Lists-Read-At: ${listsReadAt ?? ''}`,
    `X-Postern-Traceparent: ${traceparent ?? ''}`,
    `X-Postern-Spam-Thresholds: ${spamThresholds ? formatThresholds(spamThresholds) : ''}`,
    '',
  ];
  return Buffer.concat([Buffer.from(head.join('\r\n')), content]);
}

/**
 * Only a 5xx about this message or its recipients is final. A 5xx at the greeting or at AUTH is about us, and a
 * temporary refusal of one recipient puts the whole message off, since it is handed over once.
 */
export function judgeFailure(
  error: SmtpError,
  { recipients }: Pick<Consignment, 'recipients'>,
): HandOverResult {
  const about = /^(MAIL FROM|RCPT TO|DATA)$/.test(error.command ?? '');
  if (!about || !isPermanent(error)) return { ok: false, reason: 'unavailable', text: replyOf(error) };
  const spam = readRefusal(replyOf(error));
  if (spam) return { ok: false, reason: 'spam', ...spam, response: replyOf(error) };
  const virus = readInfection(replyOf(error));
  if (virus) return { ok: false, reason: 'infected', virus, response: replyOf(error) };
  const each = refusedBy(error.rejectedErrors ?? []);
  const all = recipients.map((recipient) => ({
    recipient,
    response: replyOf(error),
    code: error.responseCode,
  }));
  return { ok: false, reason: 'refused', refused: each.length === recipients.length ? each : all };
}

/** Also those with a 4xx: the others are on their way under this id, so there is no second hand-over for them. */
function refusedBy(errors: readonly SmtpError[]): Refused[] {
  return errors.map((error) => ({
    recipient: error.recipient ?? '',
    response: replyOf(error),
    code: error.responseCode,
  }));
}

function isPermanent({ responseCode = 0, response }: SmtpError): boolean {
  return responseCode >= 500 && responseCode < 600 && response !== CLOSING;
}

function replyOf({ response, message }: SmtpError): string {
  return response ?? message;
}
