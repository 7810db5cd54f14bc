/** Counts what came of TLS, for the domains that ask for reports (RFC 8460): by day, in Redis; the api reports it. */
import type { Connection, Delivery } from '../mta-types.ts';
import type { TlsMemory } from './memory.ts';
import { dayOf, encodeResult, formatPolicy, type ResultType, resultsKey } from './results.ts';
import type { StsPolicy } from './sts-policy.ts';
import { findViolation, type TlsFacts, type Violation } from './violation.ts';

/** The api reports the day before. */
const RESULT_LIFE_SECONDS = 4 * 86_400;

/** Each connection once, by the recipient's policy alone: what the sender asks for is none of the domain's business. */
export function createResultCounter({
  wantsReports,
  memory,
}: {
  wantsReports: (domain: string) => Promise<boolean>;
  memory: Pick<TlsMemory, 'count'>;
}) {
  const counted = new WeakSet<Connection>();

  return async (
    delivery: Delivery,
    connection: Connection,
    policy: StsPolicy | undefined,
    facts: TlsFacts,
  ): Promise<void> => {
    const { domain } = delivery;
    if (counted.has(connection)) return;
    counted.add(connection);
    if (!(await wantsReports(domain))) return;
    const hasSts = policy !== undefined && policy.mode !== 'none';
    const strict = {
      isRequired: false,
      policy: hasSts ? { ...policy, mode: 'enforce' as const } : undefined,
    };
    const violation = findViolation(strict, facts) ?? (facts.version === null ? 'noTls' : undefined);
    const hasTlsa = facts.dane !== undefined && facts.dane !== 'none';
    const result = {
      domain,
      policyType: hasTlsa ? ('tlsa' as const) : hasSts ? ('sts' as const) : ('no-policy-found' as const),
      policy: hasSts && !hasTlsa ? formatPolicy(policy) : [],
      mxPatterns: hasSts && !hasTlsa ? policy.mx : [],
      resultType: violation
        ? nameResult(violation, connection._socket?.authorizationError)
        : ('success' as const),
      mx: facts.mx,
      sendingIp: delivery.localAddress ?? '',
    };
    await memory.count(resultsKey(dayOf(new Date())), encodeResult(result), RESULT_LIFE_SECONDS);
  };
}

/** RFC 8460 4.3 */
function nameResult(violation: Violation, problem: Error | string | null | undefined): ResultType {
  if (violation === 'noTls') return 'starttls-not-supported';
  if (violation === 'noTlsa') return 'dnssec-invalid';
  if (violation !== 'badCertificate') return 'validation-failure';
  const text = String(problem);
  if (text.includes('ALTNAME')) return 'certificate-host-mismatch';
  return text.includes('EXPIRED') ? 'certificate-expired' : 'certificate-not-trusted';
}
