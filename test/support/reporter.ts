/**
 * Mocha's spec reporter, with `N passed, N failed` at its end, and a watch for what tests leave open: mocha runs
 * without --exit, so that a leaked handle keeps the process alive; ten seconds after the last test that is an error.
 *
 * With POSTERN_TEST_RESULT the totals go to that file and bin/test prints the line, after it has cleaned up. Without
 * the option `live`, what is printed during a suite comes at its end, in one block: other tests print meanwhile.
 */
import { writeFileSync } from 'node:fs';
import { format } from 'node:util';
import Mocha from 'mocha';
import { formatResult, type TestResult } from './result.ts';

const LEAK_DEADLINE_MS = 10_000;

class PosternReporter extends Mocha.reporters.Spec {
  constructor(runner: Mocha.Runner, options: Mocha.MochaOptions) {
    const isShared = process.env.POSTERN_TEST_RESULT && !options.reporterOptions?.live;
    if (isShared) printInBlocks(runner);
    super(runner, options);
    const failures: string[] = [];
    runner.on('fail', (test, error: Error) => failures.push(`${test.fullTitle()}: ${error.message}`));
    runner.once('end', () => {
      const { passes, failures: failed, pending } = this.stats;
      const result = { passed: passes, failed, skipped: pending, failures };
      report(result);
      // Unref'd: it fires only if something else keeps the process alive.
      setTimeout(() => failForLeak(result), LEAK_DEADLINE_MS).unref();
    });
  }
}

function printInBlocks(runner: Mocha.Runner): void {
  let block = '';
  const flush = () => {
    process.stdout.write(block);
    block = '';
  };
  console.log = Mocha.reporters.Base.consoleLog = (...values: unknown[]) => {
    block += `${format(...values)}\n`;
  };
  runner.on('suite end', (suite) => {
    if (suite.parent?.root) flush();
  });
  process.once('exit', flush);
}

function failForLeak(result: TestResult): never {
  const resources = process.getActiveResourcesInfo().join(', ');
  const failure = `A test left something open; ${LEAK_DEADLINE_MS / 1000} s after the last one: ${resources}`;
  console.error(failure);
  report({ ...result, failed: result.failed + 1, failures: [...result.failures, failure] });
  process.exit(1);
}

function report(result: TestResult): void {
  const file = process.env.POSTERN_TEST_RESULT;
  if (file) writeFileSync(file, JSON.stringify(result));
  else console.log(formatResult(result));
}

// Mocha loads a reporter by require(), which takes this name for the whole module.
export { PosternReporter as 'module.exports' };
