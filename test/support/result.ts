/** What a test run came to. */
export interface TestResult {
  passed: number;
  failed: number;
  skipped: number;
}

/** The last line of bin/test. */
export function formatResult({ passed, failed, skipped }: TestResult): string {
  return `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`;
}
