/**
 * bin/test: types and style, then a stack of its own under var/test, then mocha, then everything is stopped again,
 * also after a failure or Ctrl-C. The last line is always `N passed, N failed`.
 *
 * The tests find the stack by POSTERN_TEST_STACK (a file with the JSON object of `bin/up --json`),
 * POSTERN_TEST_POSTGRES_URL, POSTERN_TEST_REDIS_URL and POSTERN_DIRECTORY.
 */
import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Settings } from '../../config/schema.ts';
import { ensurePackage } from '../../deploy/local/debian-packages.ts';
import { describeStack, prepareDemo } from '../../deploy/local/demo.ts';
import { locateInstallation, projectRoot } from '../../deploy/local/installation.ts';
import { abortOnInterrupt } from '../../deploy/local/interrupt.ts';
import { openPm2 } from '../../deploy/local/pm2.ts';
import { removeData } from '../../deploy/local/postgres-location.ts';
import { writePrivateFile } from '../../deploy/local/private-file.ts';
import { startStack, stopStack } from '../../deploy/local/stack.ts';
import { createSteps, StepFailure, type Steps } from '../../deploy/local/steps.ts';
import { planTests } from './lanes.ts';
import { FAILED, formatResult, type TestResult } from './result.ts';
import { runMocha } from './run-mocha.ts';
import { runProgram } from './run-program.ts';
import { writeTestSettings } from './test-installation.ts';
import { readWarnings } from './warnings.ts';

const HELP = `Usage: bin/test [--keep] [--no-check] [mocha options] [files or directories]

Runs the tests of the named files or directories, or all of them, against a stack of their own. The tests of the running
stack (*.acceptance.test.ts) and all others run beside each other; each block of output belongs to one suite.

  --keep      leave the stack running, and use the one that an earlier --keep left
  --no-check  skip the types and the linter

POSTERN_TEST_FULL=1 has cases that take minutes (DU-4, DU-9) take them; otherwise they are scaled down to seconds.

Examples:
  bin/test
  bin/test test/gateway
  bin/test --keep --no-check test/acceptance --grep SM-2
  POSTERN_TEST_FULL=1 bin/test test/acceptance --grep "DU-4|DU-9"
`;

const directory = join(projectRoot, 'var/test');
const interrupted = abortOnInterrupt();
const installation = locateInstallation(directory);
const stackFile = join(directory, 'stack.json');

async function main(parameters: string[]): Promise<TestResult> {
  const keep = parameters.includes('--keep');
  const rest = parameters.filter((parameter) => parameter !== '--keep' && parameter !== '--no-check');
  if (!parameters.includes('--no-check') && !(await check())) return FAILED;

  try {
    const settings = await prepareStack(keep);
    const result = await runMocha(planTests(rest), { settings, stackFile, signal: interrupted });
    if (result.failed > 0 && !interrupted.aborted) explainFailure(result);
    return result;
  } catch (error) {
    console.error(error instanceof StepFailure ? error.message : error);
    return FAILED;
  } finally {
    if (!keep || interrupted.aborted) await stopStack(directory);
  }
}

/** What somebody needs who has only the end of the output. */
function explainFailure({ failures }: TestResult): void {
  console.log('What the processes of the stack warned of last:');
  for (const line of readWarnings(installation.logDirectory)) console.log(`  ${line}`);
  console.log('What failed:');
  for (const failure of failures) console.log(`  ${failure}`);
}

async function check(): Promise<boolean> {
  for (const [name, ...parameters] of [
    ['tsc', '--noEmit'],
    ['biome', 'check', '.'],
  ] as const) {
    const code = await runProgram(join(projectRoot, 'node_modules/.bin', name), parameters, {
      signal: interrupted,
    });
    if (code !== 0) return false;
  }
  return true;
}

async function prepareStack(keep: boolean): Promise<Settings> {
  const steps = createSteps(console.log, interrupted);
  const isReusable = keep && existsSync(stackFile) && openPm2(installation).isRunning();
  if (!isReusable) {
    await stopStack(directory);
    removeData(installation.postgresDirectory);
    rmSync(directory, { recursive: true, force: true });
    await writeTestSettings(installation.settingsFile, {
      hasRspamd: await isInstalled('rspamd', 'rspamd', steps),
    });
    await isInstalled('clamav-daemon', 'clamd', steps);
    await isInstalled('python3-dkim', 'dkimverify', steps);
    await isInstalled('pebble', 'pebble', steps);
    await isInstalled('openssh-server', 'sshd', steps); // two lanes at a time cannot install
  }
  const { settings } = await startStack(directory, steps);
  await steps.run('demo organization, domain and token', async () => {
    const { demo } = await prepareDemo(settings, interrupted);
    writePrivateFile(stackFile, JSON.stringify(describeStack(settings, demo), null, 2));
  });
  return settings;
}

/** False: it cannot be had here, and the tests that need it are skipped. */
async function isInstalled(name: string, program: string, steps: Steps): Promise<boolean> {
  try {
    const instead = `do without the tests that need ${program}`;
    await steps.run(`${program} is installed`, () =>
      ensurePackage(name, { program, instead, write: steps.note }),
    );
    return true;
  } catch (error) {
    if (!(error instanceof StepFailure)) throw error;
    console.log(error.message);
    return false;
  }
}

const parameters = process.argv.slice(2);
if (parameters.includes('--help')) {
  process.stdout.write(HELP);
} else {
  const result = await main(parameters);
  console.log(formatResult(result));
  process.exitCode = result.failed > 0 ? 1 : 0;
}
