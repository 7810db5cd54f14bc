import type { Command } from 'commander';
import { Redis } from 'ioredis';
import pg from 'pg';
import type { CheckOptions } from '../../api/addresses/check.ts';
import { checkOptionsOf } from '../../api/jobs/check-addresses.ts';
import type { Settings } from '../../config/schema.ts';
import { explainRed, listHealthEndpoints } from '../../deploy/local/health.ts';
import { createControlApi } from '../control-api.ts';
import { examine, type Facts } from '../doctor/examine.ts';
import { type Finding, finding } from '../doctor/finding.ts';
import { checkCertificates, checkClock, checkDisks, directoriesOf } from '../doctor/host.ts';
import { checkAddresses, checkDkimRecords, checkPort25, checkServiceToken } from '../doctor/outside.ts';
import { clean } from '../text.ts';
import { runCommand } from './context.ts';

const TIMEOUT_MS = 3_000;
/** Statements of the doctor; a busy database answers late, and is not down. */
const QUERY_TIMEOUT_MS = 15_000;
const NTP_PORT = 123;
const NTP_SERVER = 'pool.ntp.org';

export function addDoctorCommand(program: Command): void {
  program
    .command('doctor')
    .description('Examines the installation, and says what to do. Exit code 1 when something is wrong.')
    .option(
      '--ntp <host[:port]>',
      `a server of time to compare the clock with (in production: ${NTP_SERVER})`,
    )
    .action(({ ntp }: { ntp?: string }, command: Command) =>
      runCommand(command, async ({ settings, print }) => {
        const findings = await diagnose(settings(), ntp);
        print(findings, findings.map(format).join('\n'));
        if (findings.some(({ isWell }) => !isWell)) process.exitCode = 1;
      }),
    );
}

/** From what everything stands on to what stands on it. */
async function diagnose(settings: Settings, ntp: string | undefined): Promise<Finding[]> {
  const [clock, certificates, facts, token, outside] = await Promise.all([
    checkClock(timeServerOf(settings, ntp)),
    checkCertificates(settings),
    gatherFacts(settings),
    checkServiceToken(settings),
    lookOutside(settings),
  ]);
  return [checkDisks(directoriesOf(settings)), clock, ...certificates, ...examine(facts), token, ...outside];
}

/** Outside production nobody beyond this machine is asked. */
function timeServerOf(
  { environment }: Settings,
  ntp: string | undefined,
): { host: string; port: number } | undefined {
  const named = ntp ?? (environment === 'production' ? NTP_SERVER : undefined);
  if (!named) return undefined;
  const [host = '', port] = named.split(':');
  return { host, port: Number(port ?? NTP_PORT) };
}

async function lookOutside(settings: Settings): Promise<Finding[]> {
  const options = checkOptionsOf(settings);
  const [published, port25] = await Promise.all([
    checkPublished(settings, options),
    checkPort25(options.probe),
  ]);
  return [...published, port25];
}

/** What the app database has of domains and addresses, as the DNS has it. */
async function checkPublished(settings: Settings, options: CheckOptions): Promise<Finding[]> {
  const pool = new pg.Pool({
    connectionString: settings.database.url,
    max: 1,
    connectionTimeoutMillis: TIMEOUT_MS,
    query_timeout: QUERY_TIMEOUT_MS,
    application_name: 'postern-doctor',
  });
  pool.on('error', () => {}); // shows in the next query
  try {
    return [await checkDkimRecords(pool, options.nameservers), ...(await checkAddresses(pool, options))];
  } catch (error) {
    const { message, code } = error as Error & { code?: string };
    return [
      finding(
        'DKIM records, addresses',
        `Not looked at: ${message || code}.`,
        '',
        'See what the app database lacks, above.',
      ),
    ];
  } finally {
    await pool.end();
  }
}

async function gatherFacts(settings: Settings): Promise<Facts> {
  const { database, queue, redis } = settings;
  const control = createControlApi(settings);
  const [processes, servers, diagnosis, summary] = await Promise.all([
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
    control.readDiagnosis(),
    control.readSummary(),
  ]);
  return {
    processes: new Map(processes),
    servers: new Map(servers),
    diagnosis: diagnosis.ok ? diagnosis.value : `${diagnosis.reason}.`,
    zones: summary.ok ? summary.value.zone : undefined,
  };
}

/** @returns the name, and why it does not answer; undefined: it does */
export async function explain(
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

export async function askRedis(url: string): Promise<void> {
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
