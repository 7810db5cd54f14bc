/**
 * Bounces: delivery status notifications (RFC 3464) and the prose of servers that send none.
 *
 * A mail that came to a signed return path speaks for that recipient. Any other is believed as a notification from the
 * null sender only, and then as far as its authentication goes: the api decides (docs/bounces.md). Automatic replies,
 * challenges and ordinary mail are none. Nothing in a mail makes it throw.
 */
import { loadRules, type RuleFile } from '../lib/bounces/rules.ts';
import type { BounceReport, ReportedRecipient } from '../lib/rpc/contracts/bounce-reports.ts';
import { judgeRecipient } from './reports/judge.ts';
import { describeOrigin, type ReportAuthentication, type ReportEnvelope } from './reports/origin.ts';
import { readReport } from './reports/read-report.ts';
import type { RecipientReport, Report } from './reports/report.ts';

const MAX_RECIPIENTS = 100;
const MAX_ADDRESS = 320;
const MAX_RESPONSE = 1_000;
const MAX_HOST = 255;

let rules: RuleFile[] | undefined;

/** Undefined: it is no bounce, or one that nobody can be made out from. */
export async function readBounce(
  raw: Buffer,
  { sender, returnPath }: ReportEnvelope,
  authentication: ReportAuthentication,
): Promise<BounceReport | undefined> {
  const report = await readReport(raw);
  if (report.kind !== 'delivery' || !isBelievable(report, sender, returnPath !== undefined)) return undefined;
  const origin = describeOrigin(raw, returnPath, authentication);
  if (!origin.returnPath && !origin.original) return undefined;
  return { ...origin, recipients: report.recipients.slice(0, MAX_RECIPIENTS).map(describeRecipient) };
}

function isBelievable(report: Report & { kind: 'delivery' }, sender: string, isSigned: boolean): boolean {
  return report.recipients.length > 0 && (isSigned || (sender === '' && report.form === 'notification'));
}

function describeRecipient(recipient: RecipientReport): ReportedRecipient {
  rules ??= loadRules();
  const verdict = judgeRecipient(rules, recipient);
  const { address, aliases = [], outcome, status, mx, diagnostic, prose } = recipient;
  const addresses = [address, ...aliases].filter((one) => one !== undefined && one.length <= MAX_ADDRESS);
  const response = oneLine(diagnostic || prose);
  return {
    addresses: [...new Set(addresses.filter((one) => one !== undefined))],
    outcome,
    status: status ?? null,
    response: response === '' ? null : response,
    mx: mx === undefined ? null : mx.slice(0, MAX_HOST),
    bounce: {
      class: verdict.class,
      isHard: verdict.isHard && outcome === 'failed',
      action: outcome === 'failed' ? verdict.action : 'retry',
      rule: verdict.rule,
    },
  };
}

function oneLine(text: string): string {
  return text
    .slice(0, 4 * MAX_RESPONSE)
    .replaceAll(/[\s\p{Cc}]+/gu, ' ')
    .trim()
    .slice(0, MAX_RESPONSE)
    .toWellFormed();
}
