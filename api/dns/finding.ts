/** What is wrong with a record, told apart so that people know what to do about it. */
import type { LookupResult } from './lookup.ts';

export type FindingStatus =
  | 'ok'
  /** There is none. */
  | 'missing'
  /** There is one, with another value. */
  | 'different'
  /** There are several where only one counts. */
  | 'several'
  /** It cannot be read. */
  | 'syntax'
  /** The name servers did not answer, or answered with an error: nothing can be said. */
  | 'timeout'
  | 'failed';

export interface Finding {
  status: FindingStatus;
  /** What the DNS has */
  found: string[];
  /** What is wrong, and what to do; null where all is well */
  problem: string | null;
  remedy: string | null;
}

/** The finding of a look-up that brought nothing. @param missing what it means that there is no record */
export function findAbsence(
  result: Extract<LookupResult, { ok: false }>,
  missing: { problem: string; remedy: string },
): Finding {
  if (result.reason === 'missing') return { status: 'missing', found: [], ...missing };
  if (result.reason === 'timeout') {
    return {
      status: 'timeout',
      found: [],
      problem: "The domain's name servers did not answer in time",
      remedy: 'Try again; if it stays so, ask who runs the name servers',
    };
  }
  return {
    status: 'failed',
    found: [],
    problem: "The domain's name servers answered with an error",
    remedy: 'Check the delegation of the domain and its DNSSEC signatures',
  };
}

export function isWell(found: string[]): Finding {
  return { status: 'ok', found, problem: null, remedy: null };
}

export function isWrong(
  status: FindingStatus,
  found: string[],
  { problem, remedy }: { problem: string; remedy: string },
): Finding {
  return { status, found, problem, remedy };
}
