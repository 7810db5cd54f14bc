/** Mocha for each lane of a run (lanes.ts), with what its tests find in the environment. */
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Settings } from '../../config/schema.ts';
import { nodeBinary, projectRoot } from '../../deploy/local/installation.ts';
import type { Lane, TestPlan } from './lanes.ts';
import { startPostgresServer } from './own-postgres.ts';
import { startOwnRedis } from './own-redis.ts';
import { addResults, FAILED, type TestResult } from './result.ts';
import { runProgram } from './run-program.ts';

interface Servers {
  postgresUrl: string;
  redisUrl: string;
  stop(): Promise<void>;
}

export interface MochaRun {
  settings: Settings;
  stackFile: string;
  signal: AbortSignal;
}

export async function runMocha({ lanes, options }: TestPlan, run: MochaRun): Promise<TestResult> {
  if (lanes.length === 0) {
    console.error('There are no such tests.');
    return FAILED;
  }
  const live = lanes.length === 1 ? ['--reporter-option', 'live=true'] : [];
  const rows = [lanes.filter(({ kind }) => kind !== 'rest'), lanes.filter(({ kind }) => kind === 'rest')];
  const results = await Promise.all(
    rows.map(async (row) => {
      const done: TestResult[] = [];
      for (const lane of row) done.push(await runLane(lane, [...live, ...options], run));
      return done;
    }),
  );
  return addResults(results.flat());
}

async function runLane(lane: Lane, options: readonly string[], run: MochaRun): Promise<TestResult> {
  const servers = lane.kind === 'stack' ? serversOf(run.settings) : await startServers();
  try {
    return await runFiles(lane, options, run, servers);
  } finally {
    await servers.stop();
  }
}

/** The stack's own: its tests look into them. */
function serversOf({ database, redis }: Settings): Servers {
  const server = Object.assign(new URL(database.url), { pathname: '/postgres' });
  return { postgresUrl: server.href, redisUrl: redis.url, stop: async () => {} };
}

async function startServers(): Promise<Servers> {
  const [postgres, redis] = await Promise.all([startPostgresServer(), startOwnRedis()]);
  return {
    postgresUrl: postgres.url,
    redisUrl: redis.url,
    async stop() {
      await Promise.all([postgres.remove(), redis.stop()]);
    },
  };
}

async function runFiles(
  { kind, files }: Lane,
  options: readonly string[],
  { settings: { directory }, stackFile, signal }: MochaRun,
  { postgresUrl, redisUrl }: Servers,
): Promise<TestResult> {
  const resultFile = join(directory, `result-${kind}.json`);
  rmSync(resultFile, { force: true });
  const mocha = join(projectRoot, 'node_modules/mocha/bin/mocha.js');
  const reporter = ['--reporter', 'test/support/reporter.ts'];
  const code = await runProgram(nodeBinary, [mocha, '--forbid-only', ...reporter, ...options, ...files], {
    signal,
    variables: {
      POSTERN_DIRECTORY: directory,
      POSTERN_TEST_POSTGRES_URL: postgresUrl,
      POSTERN_TEST_REDIS_URL: redisUrl,
      POSTERN_TEST_RESULT: resultFile,
      POSTERN_TEST_STACK: stackFile,
    },
  });
  if (!existsSync(resultFile)) return FAILED; // mocha did not get as far as its end
  const result = JSON.parse(readFileSync(resultFile, 'utf8')) as TestResult;
  return code !== 0 && result.failed === 0 ? { ...result, failed: 1 } : result;
}
