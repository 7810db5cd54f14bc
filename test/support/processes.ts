/** The processes of the running test stack: to kill, stop and start them as an operator or a crash would. */
import { readFileSync } from 'node:fs';
import { readSettings } from '../../config/load.ts';
import type { Settings } from '../../config/schema.ts';
import { explainRed, listHealthEndpoints } from '../../deploy/local/health.ts';
import { locateInstallation } from '../../deploy/local/installation.ts';
import { openPm2 } from '../../deploy/local/pm2.ts';
import { listProcesses } from '../../deploy/local/processes.ts';
import { waitFor } from './mail.ts';

export function installationDirectory(): string {
  const value = process.env.POSTERN_DIRECTORY;
  if (!value) throw new Error('POSTERN_DIRECTORY is not set: run the tests by bin/test');
  return value;
}

export function stackSettings(): Settings {
  const result = readSettings({ POSTERN_DIRECTORY: installationDirectory() });
  if (!result.ok) throw new Error(result.problems.join('; '));
  return result.settings;
}

const pm2 = () => openPm2(locateInstallation(installationDirectory()));

/** The pid of a process of ecosystem.config.cjs. */
export async function findPid(name: string): Promise<number> {
  const found = (await pm2().list()).find((process) => process.name === name && process.status === 'online');
  if (!found) throw new Error(`${name} is not running`);
  return found.pid;
}

/** A child of the mta, by its role in ZoneMTA. */
export async function findMtaChild(role: 'receiver' | 'sender'): Promise<number> {
  return findChildOf(await findPid('mta'), role);
}

/** A child of a process whose pid is known. @param role in its title */
export function findChildOf(parent: number, role: string): number {
  const pid = listProcesses().find(
    (candidate) => parentOf(candidate) === parent && titleOf(candidate).includes(role),
  );
  if (pid === undefined) throw new Error(`process ${parent} has no ${role}`);
  return pid;
}

export async function stopProcess(name: string): Promise<void> {
  await pm2().remove([name]);
}

export async function startProcess(name: string, { waitsForHealth = true } = {}): Promise<void> {
  await pm2().start([name]);
  if (waitsForHealth) await waitUntilHealthy();
}

/** Every `/health` is green. */
export async function waitUntilHealthy(): Promise<void> {
  const endpoints = listHealthEndpoints(stackSettings());
  await waitFor(
    'a healthy stack',
    async () => {
      const reasons = await Promise.all(endpoints.map(explainRed));
      const red = endpoints.filter((_, index) => reasons[index] !== undefined);
      if (red.length > 0) throw new Error(`red: ${red.map(({ name }) => name).join(', ')}`);
      return true;
    },
    60_000,
  );
}

function parentOf(pid: number): number {
  return Number(/^PPid:\s+(\d+)/m.exec(read(`/proc/${pid}/status`))?.[1]);
}

function titleOf(pid: number): string {
  return read(`/proc/${pid}/cmdline`).replaceAll('\0', ' ');
}

function read(file: string): string {
  try {
    return readFileSync(file, 'latin1');
  } catch {
    return ''; // ended meanwhile
  }
}
