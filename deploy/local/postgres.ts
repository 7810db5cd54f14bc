/**
 * The embedded Postgres as a process of pm2: prepares the data folder and then becomes the server (execve), so that
 * there is no wrapper which could die and leave the server behind, and a kill -9 hits Postgres itself.
 *
 * Stops by SIGINT (what pm2 sends): Postgres' fast shutdown. SIGTERM is its smart shutdown, which waits for clients.
 * After a kill -9 pm2 starts it again; what is left of the old server is waited for, or stopped where it still
 * lives, before the new one touches the data. Listens on loopback only. Never deletes data.
 *
 * Settings: database.url and queue.url (port, user, password), directory; see postgres-location.ts for where
 * the data lies. Durability is the promise (design section 8): fsync and synchronous_commit are on.
 */
import { spawnSync } from 'node:child_process';
import {
  chownSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadSettings } from '../../config/load.ts';
import { locateInstallation } from './installation.ts';
import {
  type Account,
  ensureAccount,
  locateBinaries,
  locateData,
  makeOwnedDirectory,
  nameOfPartial,
} from './postgres-location.ts';
import { findProcessesIn, isAlive, terminateProcesses, waitUntilGone } from './processes.ts';
import { findOwnPostgres, type OwnPostgres } from './servers.ts';

const MAX_CONNECTIONS = 200;
const PREDECESSOR_TIMEOUT_MS = 30_000;

async function main(): Promise<void> {
  const settings = loadSettings();
  const server = findOwnPostgres(settings, process.env);
  if (!server)
    throw new Error('DATABASE_URL and QUEUE_DATABASE_URL are set: there is no Postgres of ours to run');
  const account = ensureAccount();
  const binaries = locateBinaries(account);
  const data = locateData(locateInstallation(settings.directory).postgresDirectory, account);
  if (!existsSync(join(data, 'PG_VERSION'))) await initializeData(data, binaries, server, account);
  await outliveFormerServer(data);
  becomeServer(data, binaries, server, account);
}

/**
 * In a folder beside it first: an initdb that was cut short leaves nothing that looks like data. Where it was we that
 * were killed, it may still be at work.
 */
async function initializeData(
  data: string,
  binaries: string,
  server: OwnPostgres,
  account?: Account,
): Promise<void> {
  const partial = nameOfPartial(data);
  if (existsSync(partial)) await terminateProcesses(findProcessesIn(realpathSync(partial)));
  rmSync(partial, { recursive: true, force: true });
  makeOwnedDirectory(partial, account);
  const secrets = mkdtempSync(join(tmpdir(), 'postern-'));
  const passwordFile = join(secrets, 'password');
  writeFileSync(passwordFile, server.password, { mode: 0o600 });
  if (account) for (const path of [secrets, passwordFile]) chownSync(path, account.uid, account.gid);
  try {
    const { status, stderr, error } = spawnSync(
      join(binaries, 'bin/initdb'),
      [
        '-D',
        partial,
        '-U',
        server.user,
        '--pwfile',
        passwordFile,
        '--auth',
        'scram-sha-256',
        '-E',
        'UTF8',
        '--locale=C',
      ],
      { ...account, cwd: partial, encoding: 'utf8' },
    );
    if (status !== 0) throw new Error(`initdb failed: ${error?.message ?? stderr}`);
  } finally {
    rmSync(secrets, { recursive: true, force: true });
  }
  renameSync(partial, data);
}

/**
 * Two servers on one data folder would destroy it, and the pid in postmaster.pid may by now be a zombie or somebody
 * else: so look at who has the folder as working directory, as every Postgres process does.
 */
async function outliveFormerServer(data: string): Promise<void> {
  const pidFile = join(data, 'postmaster.pid');
  if (process.platform !== 'linux' || !existsSync(pidFile)) return;
  const former = findProcessesIn(realpathSync(data));
  const postmaster = Number.parseInt(readFileSync(pidFile, 'utf8'), 10);
  if (former.includes(postmaster) && isAlive(postmaster)) process.kill(postmaster, 'SIGINT');
  if (!(await waitUntilGone(former, PREDECESSOR_TIMEOUT_MS))) {
    throw new Error(`a former Postgres still runs on ${data}: ${former.filter(isAlive).join(', ')}`);
  }
  rmSync(pidFile, { force: true });
}

function becomeServer(data: string, binaries: string, server: OwnPostgres, account?: Account): never {
  const postgres = join(binaries, 'bin/postgres');
  const options = [
    ['listen_addresses', '127.0.0.1'],
    ['port', String(server.port)],
    ['unix_socket_directories', ''],
    ['max_connections', String(MAX_CONNECTIONS)],
    ['fsync', 'on'],
    ['synchronous_commit', 'on'],
    ['log_checkpoints', 'off'],
  ].flatMap(([name, value]) => ['-c', `${name}=${value}`]);
  if (account) {
    process.setgroups?.([account.gid]);
    process.setgid?.(account.gid);
    process.setuid?.(account.uid);
  }
  process.chdir(data); // the folder we came from may be closed to the account
  if (!process.execve) throw new Error('this Node.js cannot replace a process (process.execve)');
  return process.execve(postgres, [postgres, '-D', data, ...options], keepMarks());
}

/** The variables by which processes.ts finds us; no secret goes on to the server. */
function keepMarks(): Record<string, string> {
  const { PATH = '', PM2_HOME = '', pm_id = '' } = process.env;
  return { PATH, PM2_HOME, pm_id, LC_ALL: 'C' };
}

try {
  await main();
} catch (error) {
  process.stderr.write(`postgres: ${(error as Error).message}\n`);
  process.exit(1);
}
