/** Processes that a benchmark starts. None outlives it: they are killed when it ends, however it ends. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { isAlive } from '../../deploy/local/processes.ts';

const STOP_TIMEOUT_MS = 20_000;

export interface Program {
  command: string;
  parameters: string[];
  directory: string;
  /** Nothing else is inherited but PATH. */
  variables?: Record<string, string>;
  /** Where its output goes, added at the end. */
  logFile: string;
}

export interface Child {
  pid: number;
  /** Resolves with the exit code, or the signal's name. */
  ended: Promise<number | string>;
  /** Sends the signal and waits; SIGKILL to its process group after 20 s. */
  stop(signal: NodeJS.Signals): Promise<void>;
}

const living = new Set<number>();

/** Starts a program in a process group of its own, so that Ctrl-C reaches the benchmark alone. */
export function startChild({ command, parameters, directory, variables, logFile }: Program): Child {
  const log = openSync(logFile, 'a');
  const child = spawn(command, parameters, {
    cwd: directory,
    env: { PATH: process.env.PATH ?? '', ...variables },
    stdio: ['ignore', log, log],
    detached: true,
  });
  closeSync(log);
  const pid = endWithUs(child);
  return {
    pid,
    ended: waitForEnd(child),
    async stop(signal) {
      if (!isAlive(pid)) return;
      process.kill(pid, signal);
      const timer = setTimeout(() => killGroup(pid), STOP_TIMEOUT_MS);
      await this.ended;
      clearTimeout(timer);
    },
  };
}

/** @param child started with `detached`. @returns its pid; throws when it could not be started */
export function endWithUs(child: ChildProcess): number {
  const { pid } = child;
  if (pid === undefined) throw new Error(`${child.spawnfile} cannot be started`);
  living.add(pid);
  child.once('exit', () => living.delete(pid));
  return pid;
}

/** For a daemon that left the group of the process that started it. @returns forgets it: it has ended */
export function endGroupWithUs(pid: number): () => void {
  living.add(pid);
  return () => void living.delete(pid);
}

async function waitForEnd(child: ChildProcess): Promise<number | string> {
  const [code, signal] = await once(child, 'exit');
  return code ?? signal;
}

function killGroup(pid: number): void {
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // gone already
  }
}

process.once('exit', () => {
  for (const pid of living) killGroup(pid);
});
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.once(signal, () => process.exit(130));
}
