import type { Command } from 'commander';
import { Redis } from 'ioredis';
import pg from 'pg';
import type { Settings } from '../../config/schema.ts';
import { explainRed, listHealthEndpoints } from '../../deploy/local/health.ts';
import { createControlApi } from '../control-api.ts';
import { examine, type Facts, type Finding } from '../doctor.ts';
import { clean } from '../text.ts';
import { runCommand } from './context.ts';

const TIMEOUT_MS = 3_000;

export function addDoctorCommand(program: Command): void {
  program
    .command('doctor')
    .description('Examines the installation, and says what to do. Exit code 1 when something is wrong.')
    .action((_options, command: Command) =>
      runCommand(command, async ({ settings, print }) => {
        const findings = examine(await gatherFacts(settings()));
        print(findings, findings.map(format).join('\n'));
        if (findings.some(({ isWell }) => !isWell)) process.exitCode = 1;
      }),
    );
}

async function gatherFacts(settings: Settings): Promise<Facts> {
  const { database, queue, redis } = settings;
  const [processes, servers, diagnosis] = await Promise.all([
    Promise.all(
      listHealthEndpoints(settings).map(
        async (endpoint) => [endpoint.name, await explainRed(endpoint)] as const,
      ),
    ),
    Promise.all([
      explain('app database', () => askPostgres(database.url)),
      ...(queue.backend === 'postgres' ? [explain('queue database', () => askPostgres(queue.url))] : []),
      explain('redis', () => askRedis(redis.url)),
    ]),
    createControlApi(settings).readDiagnosis(),
  ]);
  return {
    processes: new Map(processes),
    servers: new Map(servers),
    diagnosis: diagnosis.ok ? diagnosis.value : `${diagnosis.reason}.`,
  };
}

async function explain(
  name: string,
  ask: () => Promise<void>,
): Promise<readonly [string, string | undefined]> {
  try {
    await ask();
    return [name, undefined];
  } catch (error) {
    const { message, code } = error as Error & { code?: string };
    return [name, `It does not answer: ${message || code}.`];
  }
}

async function askPostgres(url: string): Promise<void> {
  const client = new pg.Client({
    connectionString: url,
    connectionTimeoutMillis: TIMEOUT_MS,
    query_timeout: TIMEOUT_MS,
    application_name: 'postern-doctor',
  });
  client.on('error', () => {}); // shows in the query that is under way
  await client.connect();
  try {
    await client.query('select 1');
  } finally {
    await client.end();
  }
}

async function askRedis(url: string): Promise<void> {
  const redis = new Redis(url, {
    ...{ lazyConnect: true, retryStrategy: null },
    ...{ connectTimeout: TIMEOUT_MS, commandTimeout: TIMEOUT_MS },
  });
  redis.on('error', () => {}); // reported by connect() and ping()
  try {
    await redis.connect();
    await redis.ping();
  } finally {
    redis.disconnect();
  }
}

function format({ check, isWell, detail, remedy }: Finding): string {
  const line = `${isWell ? 'ok   ' : 'WRONG'}  ${check.padEnd(20)} ${clean(detail)}`;
  return remedy ? `${line}\n${' '.repeat(28)}${remedy}` : line;
}
