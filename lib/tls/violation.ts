/** Whether a connection meets the terms of a delivery: pure, of the terms and of what the connection is. */
import { allowsMx, type StsPolicy } from './sts-policy.ts';

const MODERN = new Set(['TLSv1.2', 'TLSv1.3']);

export type Violation = 'noTls' | 'badCertificate' | 'oldTls' | 'foreignMx' | 'noTlsa' | 'tlsaMismatch';

export interface TlsTerms {
  /** By the sender */
  isRequired: boolean;
  /** Of the recipient's domain */
  policy?: StsPolicy | undefined;
}

/** `unusable`: there are records, none of which can be used: TLS is a must, whatever the certificate (RFC 7672 2.2). */
export type DaneResult = 'none' | 'unknown' | 'unusable' | 'matched' | 'mismatched';

export interface TlsFacts {
  /** Undefined: nobody looked. */
  dane?: DaneResult | undefined;
  /** Lower case */
  mx: string;
  /** `TLSv1.3`; null: none */
  version: string | null;
  isAuthorized: boolean;
}

/** Undefined: the connection meets the terms. */
export function findViolation({ isRequired, policy }: TlsTerms, facts: TlsFacts): Violation | undefined {
  const { dane = 'none' } = facts;
  if (dane === 'unknown') return 'noTlsa';
  if (dane !== 'none' && facts.version === null) return 'noTls';
  if (dane === 'mismatched') return 'tlsaMismatch';
  if (dane === 'matched') return undefined; // RFC 8461 2: MTA-STS does not override it
  const isEnforced = policy?.mode === 'enforce';
  if (!isRequired && !isEnforced) return undefined;
  if (isEnforced && !allowsMx(policy, facts.mx)) return 'foreignMx';
  if (facts.version === null) return 'noTls';
  if (!MODERN.has(facts.version)) return 'oldTls';
  return facts.isAuthorized ? undefined : 'badCertificate';
}
