/** What a test run came to. */
export interface TestResult {
  passed: number;
  failed: number;
  skipped: number;
}

export const FAILED: TestResult = { passed: 0, failed: 1, skipped: 0 };

export function addResults(results: readonly TestResult[]): TestResult {
  const sum = { passed: 0, failed: 0, skipped: 0 };
  for (const { passed, failed, skipped } of results) {
    sum.passed += passed;
    sum.failed += failed;
    sum.skipped += skipped;
  }
  return sum;
}

/** The last line of bin/test. */
export function formatResult({ passed, failed, skipped }: TestResult): string {
  return `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`;
}
