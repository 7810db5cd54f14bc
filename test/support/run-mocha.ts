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
  const [only] = lanes;
  if (!only) {
    console.error('There are no such tests.');
    return FAILED;
  }
  if (lanes.length === 1)
    return runLane(only, ['--reporter-option', 'live=true', ...options], run, serversOf(run.settings));
  return addResults(
    await Promise.all(
      lanes.map(async (lane) => {
        const servers = lane.kind === 'own' ? await startServers() : serversOf(run.settings);
        try {
          return await runLane(lane, options, run, servers);
        } finally {
          await servers.stop();
        }
      }),
    ),
  );
}

/** Those of the stack: good for a lane that has them for itself. */
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

async function runLane(
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
