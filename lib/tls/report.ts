/** The report of a day to one domain (RFC 8460 4.4), of what the mta counted. */
import type { TlsResult } from './results.ts';

export interface CountedResult extends TlsResult {
  count: number;
}

export interface ReportOptions {
  /** As 2026-01-31, UTC */
  day: string;
  id: string;
  organizationName: string;
  contact: string;
}

/** @param results of one domain, one at least */
export function createTlsReport(
  results: readonly CountedResult[],
  { day, id, organizationName, contact }: ReportOptions,
): object {
  const policies = Map.groupBy(results, ({ policyType, policy }) => JSON.stringify([policyType, policy]));
  return {
    'organization-name': organizationName,
    'date-range': { 'start-datetime': `${day}T00:00:00Z`, 'end-datetime': `${day}T23:59:59Z` },
    'contact-info': contact,
    'report-id': id,
    policies: [...policies.values()].map(describePolicy),
  };
}

function describePolicy(results: readonly CountedResult[]): object {
  const [first] = results;
  const failures = results.filter(({ resultType }) => resultType !== 'success');
  const total = sum(results);
  return {
    policy: {
      'policy-type': first?.policyType,
      'policy-domain': first?.domain,
      ...(first && first.policy.length > 0 && { 'policy-string': first.policy, 'mx-host': first.mxPatterns }),
    },
    summary: {
      'total-successful-session-count': total - sum(failures),
      'total-failure-session-count': sum(failures),
    },
    'failure-details': failures.map(({ resultType, mx, sendingIp, count }) => ({
      'result-type': resultType,
      'sending-mta-ip': sendingIp,
      'receiving-mx-hostname': mx,
      'failed-session-count': count,
    })),
  };
}

function sum(results: readonly CountedResult[]): number {
  return results.reduce((total, { count }) => total + count, 0);
}
