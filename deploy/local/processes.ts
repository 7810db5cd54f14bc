/**
 * The processes of an installation as the kernel sees them (/proc, Linux; elsewhere nothing is found). pm2 knows
 * its own children only while its daemon lives: after a kill -9 of the daemon they run on, unknown to the next one.
 */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { locateInstallation } from './installation.ts';

const POLL_MS = 100;

/** Every process that pm2 started for this directory and, below it, its children. Its daemon is not among them. */
export function findOwnProcesses(directory: string): number[] {
  const mark = `PM2_HOME=${locateInstallation(directory).pm2Home}`;
  return listProcesses().filter((pid) => {
    const variables = readEnvironment(pid);
    return variables.includes(mark) && variables.some((variable) => variable.startsWith('pm_id='));
  });
}

export interface OwnProcess {
  /** In ecosystem.config.cjs */
  name: string;
  pid: number;
  /** The project that it was started from */
  workingDirectory: string;
}

/** What pm2 started for this directory, without the children of those. */
export function listOwnProcesses(directory: string): OwnProcess[] {
  const pids = new Set(findOwnProcesses(directory));
  return [...pids]
    .filter((pid) => !pids.has(readParent(pid)))
    .map((pid) => ({
      pid,
      name:
        readEnvironment(pid)
          .find((variable) => variable.startsWith('name='))
          ?.slice('name='.length) ?? '',
      workingDirectory: readLink(`/proc/${pid}/cwd`),
    }));
}

/** Processes whose working directory is this one: with Postgres, the server and all of its children. */
export function findProcessesIn(workingDirectory: string): number[] {
  return listProcesses().filter((pid) => readLink(`/proc/${pid}/cwd`) === workingDirectory);
}

/** SIGINT (for Postgres, the fast shutdown), and SIGKILL for what is left after the deadline. */
export async function terminateProcesses(pids: number[], { deadlineMs = 20_000 } = {}): Promise<void> {
  signal(pids, 'SIGINT');
  if (await waitUntilGone(pids, deadlineMs)) return;
  signal(pids.filter(isAlive), 'SIGKILL');
  await waitUntilGone(pids, deadlineMs);
}

export async function waitUntilGone(pids: number[], deadlineMs: number): Promise<boolean> {
  const deadline = Date.now() + deadlineMs;
  while (pids.some(isAlive)) {
    if (Date.now() > deadline) return false;
    await sleep(POLL_MS);
  }
  return true;
}

/** A zombie is dead: containers often run without anybody to reap it. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
  return !/^State:\s+Z/m.test(read(`/proc/${pid}/status`));
}

/** `1234 (nginx)`, for people. */
export function describeProcess(pid: number): string {
  return `${pid} (${read(`/proc/${pid}/comm`).trim() || 'unknown'})`;
}

export function listProcesses(): number[] {
  try {
    return readdirSync('/proc')
      .filter((name) => /^\d+$/.test(name))
      .map(Number)
      .filter(isAlive);
  } catch {
    return []; // no /proc: not Linux
  }
}

function signal(pids: number[], name: NodeJS.Signals): void {
  for (const pid of pids) {
    try {
      process.kill(pid, name);
    } catch {
      // gone in the meantime, or not ours to signal: the caller looks again
    }
  }
}

function readParent(pid: number): number {
  return Number(/^PPid:\s+(\d+)/m.exec(read(`/proc/${pid}/status`))?.[1]);
}

function readEnvironment(pid: number): string[] {
  return read(`/proc/${pid}/environ`).split('\0');
}

// Any process may end between the listing and the look, and those of other users are closed to us.
function read(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}

function readLink(file: string): string {
  try {
    return readlinkSync(file);
  } catch {
    return '';
  }
}
