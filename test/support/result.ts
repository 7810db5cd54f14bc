/** What a test run came to. */
export interface TestResult {
  passed: number;
  failed: number;
  skipped: number;
  /** Of each failed test, its name and what was wrong */
  failures: string[];
}

/** There was nothing to count: the tests did not get to their end. */
export const FAILED: TestResult = { passed: 0, failed: 1, skipped: 0, failures: [] };

export function addResults(results: readonly TestResult[]): TestResult {
  const sum: TestResult = { passed: 0, failed: 0, skipped: 0, failures: [] };
  for (const { passed, failed, skipped, failures } of results) {
    sum.passed += passed;
    sum.failed += failed;
    sum.skipped += skipped;
    sum.failures.push(...failures);
  }
  return sum;
}

/** The last line of bin/test. */
export function formatResult({ passed, failed, skipped }: Omit<TestResult, 'failures'>): string {
  return `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`;
}
