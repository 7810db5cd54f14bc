/**
 * Starts and stops the whole of an installation on this machine, for bin/up, bin/down and bin/test.
 *
 * Starting again is harmless: what runs is left alone, what is down is started. When a step fails, what this run
 * started is stopped again, and what ran before runs on.
 */
import { mkdirSync } from 'node:fs';
import { readSettings } from '../../config/load.ts';
import type { Settings } from '../../config/schema.ts';
import { loadSandboxAuthority } from '../../lib/sandbox-authority.ts';
import { checkDatabases, createDatabases, migrateDatabases, waitForRedis } from './databases.ts';
import { ensurePackage, isOnPath } from './debian-packages.ts';
import { completeEnvironmentFile } from './environment-file.ts';
import { listHealthEndpoints } from './health.ts';
import { type Installation, locateInstallation } from './installation.ts';
import { readLastLines } from './logs.ts';
import { openPm2, type Pm2 } from './pm2.ts';
import { explainTakenPort, listPorts } from './ports.ts';
import { describeProcess, findOwnProcesses, terminateProcesses } from './processes.ts';
import { requireHealth } from './require-health.ts';
import { findOwnPostgres, findOwnRedisPort, findOwnRspamd } from './servers.ts';
import { createSettingsFile } from './settings-file.ts';
import { StepFailure, type Steps } from './steps.ts';

const HEALTH_DEADLINE_MS = 90_000;
/** Those that need the servers end before them. */
const SERVICES = ['gateway', 'inbound', 'worker', 'api', 'mta', 'rspamd', 'sandbox'];

export interface Stack {
  settings: Settings;
  /** Stops what this run started, and leaves alone what ran before. */
  undo(): Promise<void>;
}

/** Brings everything up. Throws StepFailure with the reason, after nothing half started is left. */
export async function startStack(directory: string, steps: Steps): Promise<Stack> {
  const installation = locateInstallation(directory);
  const settings = await steps.run('settings', () => prepareSettings(installation));
  const pm2 = openPm2(installation);
  const environment = { ...process.env };
  const postgres = findOwnPostgres(settings, environment);
  const redisPort = findOwnRedisPort(settings, environment);
  if (redisPort !== undefined)
    await steps.run('redis-server is installed', () =>
      ensurePackage('redis-server', { instead: 'set REDIS_URL to a Redis of your own', write: steps.note }),
    );

  const run = await beginRun(installation, pm2);
  try {
    await steps.run('ports are free', () => checkPorts(settings, run.isOnline));
    const servers = [...(postgres ? ['postgres'] : []), ...(redisPort === undefined ? [] : ['redis'])];
    // It takes ten seconds to come up: meanwhile the others do.
    if (findOwnRspamd(settings, environment)) await run.start(['rspamd']);
    await steps.run('postgres and redis', () =>
      withLogs(installation, servers, async () => {
        await run.start(servers);
        if (postgres) await createDatabases(postgres, steps.signal);
        await checkDatabases([settings.database.url, settings.queue.url], steps.signal);
        await waitForRedis(settings.redis.url, steps.signal);
      }),
    );
    await steps.run('migrations', () => migrateDatabases(settings, steps.signal));
    await steps.run('services are started', () => run.start(SERVICES.filter((name) => name !== 'rspamd')));
    await steps.run('services are healthy', () =>
      requireHealth(listHealthEndpoints(settings), {
        ...{ installation, pm2, deadlineMs: HEALTH_DEADLINE_MS },
        ...{ signal: steps.signal, note: steps.note },
      }),
    );
  } catch (error) {
    await run.undo();
    throw error;
  }
  return { settings, undo: run.undo };
}

/**
 * Stops everything of the directory: services, servers, the pm2 daemon, and orphans of a daemon that was killed.
 * @returns what could not be stopped, for people; empty when nothing is left
 */
export async function stopStack(directory: string): Promise<string[]> {
  const installation = locateInstallation(directory);
  const pm2 = openPm2(installation);
  if (pm2.isRunning()) await stopOnline(pm2, SERVICES);
  await pm2.kill();
  await terminateProcesses(findOwnProcesses(directory));
  return findOwnProcesses(directory).map(describeProcess);
}

async function prepareSettings(installation: Installation): Promise<Settings> {
  const { directory, environmentFile, logDirectory, redisDirectory, rspamdDirectory } = installation;
  for (const path of [directory, logDirectory, redisDirectory, rspamdDirectory])
    mkdirSync(path, { recursive: true });
  completeEnvironmentFile(environmentFile, process.env);
  if (process.env.POSTERN_ENV !== 'production')
    createSettingsFile(installation.settingsFile, { hasRspamd: isOnPath('rspamd') });
  const result = readSettings({ ...process.env, POSTERN_DIRECTORY: directory });
  if (!result.ok)
    throw new StepFailure(['the configuration has problems:', ...result.problems].join('\n  - '));
  if (result.settings.environment === 'production') {
    throw new StepFailure(
      'bin/up is for development and tests: it makes secrets and sends mail to a sandbox',
    );
  }
  await loadSandboxAuthority(directory); // before those start that trust it
  return result.settings;
}

interface Run {
  isOnline(name: string): boolean;
  start(names: string[]): Promise<void>;
  undo(): Promise<void>;
}

/** Remembers what ran before, after the orphans of a killed daemon are gone. */
async function beginRun({ directory }: Installation, pm2: Pm2): Promise<Run> {
  const wasRunning = pm2.isRunning();
  if (!wasRunning) await terminateProcesses(findOwnProcesses(directory));
  const before = await pm2.list();
  const online = new Set(before.filter(({ status }) => status === 'online').map(({ name }) => name));
  const started: string[] = [];
  return {
    isOnline: (name) => online.has(name),
    async start(names) {
      const missing = names.filter((name) => !online.has(name));
      started.push(...missing);
      await pm2.start(missing);
    },
    async undo() {
      await stopOnline(
        pm2,
        started.filter((name) => SERVICES.includes(name)),
      );
      await stopOnline(pm2, started);
      if (wasRunning) return;
      await pm2.kill();
      await terminateProcesses(findOwnProcesses(directory)); // children that outlived theirs, as initdb does
    },
  };
}

async function stopOnline(pm2: Pm2, names: string[]): Promise<void> {
  const known = new Set((await pm2.list()).map(({ name }) => name));
  await pm2.remove(names.filter((name) => known.has(name)));
}

async function checkPorts(settings: Settings, isOnline: (process: string) => boolean): Promise<void> {
  const taken = await listTakenPorts(settings, isOnline);
  if (taken.length === 0) return;
  throw new StepFailure(
    [...taken, `Stop what holds them, or choose other ports in ${settings.directory}/postern.toml.`].join(
      '\n',
    ),
  );
}

async function listTakenPorts(settings: Settings, isOnline: (process: string) => boolean): Promise<string[]> {
  const wanted = listPorts(settings, process.env).filter((port) => !isOnline(port.process));
  const reasons = await Promise.all(wanted.map(explainTakenPort));
  return wanted.flatMap((port, index) =>
    reasons[index] ? [`${port.transport} port ${port.port} (${port.process}): ${reasons[index]}`] : [],
  );
}

/** A failure of the action gets the ends of the log files of these processes. */
async function withLogs(
  installation: Installation,
  names: string[],
  action: () => Promise<void>,
): Promise<void> {
  try {
    await action();
  } catch (error) {
    const logs = names.map((name) => `The end of ${name}.log:\n${readLastLines(installation, name)}`);
    throw new StepFailure([(error as Error).message, ...logs].join('\n'), { cause: error });
  }
}
