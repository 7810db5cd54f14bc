/** SMTP TLS reports (RFC 8460 section 4): JSON. One policy of one report is one report here. */
import Type from 'typebox';
import Value from 'typebox/value';
import { normalizeDomain } from '../../lib/mail/address.ts';
import type { ReadReport, ReportRow } from '../../lib/rpc/contracts/domain-reports.ts';

const MAX_ROWS = 10_000;
const MAX_WORD = 200;

const count = Type.Integer({ minimum: 0, maximum: 1_000_000_000_000 });
const policySchema = Type.Object({
  policy: Type.Object({ 'policy-type': Type.String(), 'policy-domain': Type.String() }),
  summary: Type.Object({
    'total-successful-session-count': count,
    'total-failure-session-count': count,
  }),
  'failure-details': Type.Optional(
    Type.Array(
      Type.Object({
        'result-type': Type.String(),
        'receiving-mx-hostname': Type.Optional(Type.String()),
        'failed-session-count': count,
      }),
    ),
  ),
});
const reportSchema = Type.Object({
  'organization-name': Type.Optional(Type.String()),
  'report-id': Type.String(),
  'date-range': Type.Object({ 'start-datetime': Type.String(), 'end-datetime': Type.String() }),
  policies: Type.Array(policySchema, { minItems: 1 }),
});

/** Of the domain that its first policy names; policies of another domain are left out. */
export function readTlsReport(json: string): ReadReport | string {
  const tree = parse(json);
  if (!Value.Check(reportSchema, tree)) return 'not_a_report';
  const { 'date-range': range, policies } = tree;
  const domain = normalizeDomain(policies[0]?.policy['policy-domain'] ?? '');
  const beganAt = toMoment(range['start-datetime']);
  const endedAt = toMoment(range['end-datetime']);
  if (!domain || !beganAt || !endedAt) return 'not_a_report';
  const rows = policies
    .filter(({ policy }) => normalizeDomain(policy['policy-domain']) === domain)
    .flatMap(toRows);
  if (rows.length > MAX_ROWS) return 'too_many_rows';
  return {
    state: 'read',
    domain,
    reporter: cut(tree['organization-name'] ?? ''),
    reportId: cut(tree['report-id']),
    beganAt,
    endedAt,
    rows,
  };
}

function parse(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    return undefined; // of what is no JSON nobody needs to know why
  }
}

function toRows({ policy, summary, ...rest }: Type.Static<typeof policySchema>): ReportRow[] {
  const kind = cut(policy['policy-type']);
  const success = { source: kind, result: 'success', isPassed: true };
  const failures = (rest['failure-details'] ?? []).map((detail) => ({
    source: cut(detail['receiving-mx-hostname'] ?? kind),
    result: cut(detail['result-type']),
    isPassed: false,
    messages: detail['failed-session-count'],
  }));
  const told = failures.reduce((sum, { messages }) => sum + messages, 0);
  const untold = summary['total-failure-session-count'] - told;
  return [
    { ...success, messages: summary['total-successful-session-count'] },
    ...failures,
    ...(untold > 0 ? [{ source: kind, result: 'failure', isPassed: false, messages: untold }] : []),
  ].filter(({ messages }) => messages > 0);
}

function toMoment(text: string): string | undefined {
  const time = Date.parse(text);
  return Number.isNaN(time) ? undefined : new Date(time).toISOString();
}

function cut(value: string): string {
  return value.trim().slice(0, MAX_WORD).toWellFormed();
}
