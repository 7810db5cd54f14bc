/**
 * Complaints: abuse reports (ARF, RFC 5965) and those of providers that have a form of their own.
 *
 * The signed token in the quoted message (in its return path or Feedback-ID), or in the address that the report came to,
 * says who complained about what. Without one the api believes it of trusted reporters only (docs/bounces.md). Nothing
 * in a mail makes it throw.
 */
import type { Complaint } from '../lib/rpc/contracts/complaints.ts';
import {
  describeOrigin,
  findReturnPath,
  type ReportAuthentication,
  type ReportEnvelope,
} from './reports/origin.ts';
import { readReport } from './reports/read-report.ts';

const MAX_RECIPIENTS = 50;
const MAX_ADDRESS = 320;
const MAX_WORD = 100;
const MAX_REPORTER = 200;

/** @param key from deriveKey(masterKey, 'return-path'). Undefined: it is none, or names no message. */
export async function readComplaint(
  raw: Buffer,
  { returnPath }: ReportEnvelope,
  authentication: ReportAuthentication,
  key: Buffer,
): Promise<Complaint | undefined> {
  const report = await readReport(raw);
  if (report.kind !== 'complaint') return undefined;
  const origin = describeOrigin(raw, findReturnPath(raw, key) ?? returnPath, authentication);
  if (!origin.returnPath && !origin.original) return undefined;
  return {
    ...origin,
    feedbackType: report.feedbackType.slice(0, MAX_WORD),
    recipients: report.recipients.filter(({ length }) => length <= MAX_ADDRESS).slice(0, MAX_RECIPIENTS),
    reporter: report.reporter?.slice(0, MAX_REPORTER) ?? null,
  };
}
