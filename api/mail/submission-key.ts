/** `X-Postern-Idempotency-Key`: for SMTP what `Idempotency-Key` is for HTTP. The field is removed with its family. */
import { splitMessage } from '../../lib/mail/header-block.ts';
import type { Submission } from '../../lib/rpc/contracts/submissions.ts';
import { fingerprintOf, type IdempotencyKey, isKey } from '../models/idempotency-key.ts';
import type { NewMessage } from '../models/message.ts';

const FIELD = 'x-postern-idempotency-key';
/** Base64 of the longest header that the gateway lets through, 256 KB. */
const HEADER_CHARACTERS = 349_528;

export type SubmissionKey = { ok: true; key: IdempotencyKey | undefined } | { ok: false; problem: string };

/**
 * Two transactions are the same where sender, recipients, From and Subject are: a library that sends a message again
 * writes it anew, with another Message-ID, Date and boundary.
 */
export function readSubmissionKey(submission: Submission, message: NewMessage): SubmissionKey {
  const head = Buffer.from(submission.message.slice(0, HEADER_CHARACTERS), 'base64');
  const [field, ...more] = splitMessage(head).fields.filter(({ name }) => name === FIELD);
  if (!field) return { ok: true, key: undefined };
  if (more.length > 0) return { ok: false, problem: 'X-Postern-Idempotency-Key is given twice' };
  if (!isKey(field.value)) {
    return { ok: false, problem: 'X-Postern-Idempotency-Key must have 1 to 255 printable ASCII characters' };
  }
  const { envelopeFrom, recipients, fromHeader, subject } = message;
  const addresses = recipients.map(({ address }) => address).sort();
  const fingerprint = fingerprintOf('SMTP', envelopeFrom, addresses.join(' '), fromHeader, subject ?? '');
  return { ok: true, key: { tokenId: submission.tokenId, key: field.value, fingerprint } };
}
