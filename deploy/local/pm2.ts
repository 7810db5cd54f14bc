/**
 * pm2 with a home of this installation's own, by its command line. The daemon runs on the project's Node 24 and sees
 * none of the caller's environment but what Postern reads: pm2 hands its own environment on to every process.
 */
import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { environmentVariables } from '../../config/environment.ts';
import { type Installation, nodeBinary, projectRoot } from './installation.ts';
import { isAlive, terminateProcesses, waitUntilGone } from './processes.ts';
import { StepFailure } from './steps.ts';

const COMMAND_TIMEOUT_MS = 120_000;
/** sun_path holds 108 bytes (unix(7)); the longest socket of pm2 is interactor.sock. */
const MAX_SOCKET_PATH_BYTES = 107;
const HANDED_ON = [
  'PATH',
  'HOME',
  'LANG',
  'TZ',
  'TMPDIR',
  'POSTERN_CONFIG',
  ...Object.keys(environmentVariables),
];

export interface Pm2Process {
  name: string;
  pid: number;
  /** online, stopped, errored, waiting restart, … */
  status: string;
  restarts: number;
}

export interface Pm2 {
  isRunning(): boolean;
  /** Empty, and no daemon is started, where none runs. */
  list(): Promise<Pm2Process[]>;
  start(names: string[]): Promise<void>;
  remove(names: string[]): Promise<void>;
  /** Stops the daemon and what is left of its processes. */
  kill(): Promise<void>;
}

export function openPm2(installation: Installation): Pm2 {
  const { pm2Home } = installation;
  if (Buffer.byteLength(join(pm2Home, 'interactor.sock')) > MAX_SOCKET_PATH_BYTES) {
    throw new StepFailure(`${pm2Home} is too long a path for pm2's sockets: choose a shorter --directory`);
  }
  const run = (...parameters: string[]) => runPm2(installation, parameters);
  const daemon = () => readDaemonPid(join(pm2Home, 'pm2.pid'));
  const isRunning = () => daemon() !== undefined;
  return {
    isRunning,
    async list() {
      return isRunning() ? parseList(await run('jlist')) : [];
    },
    async start(names) {
      if (names.length > 0)
        await run('start', join(projectRoot, 'ecosystem.config.cjs'), '--only', names.join(','));
    },
    async remove(names) {
      if (names.length > 0) await run('delete', ...names);
    },
    async kill() {
      const pid = daemon();
      if (pid === undefined) return;
      await run('kill');
      if (!(await waitUntilGone([pid], 5_000))) await terminateProcesses([pid]);
    },
  };
}

function runPm2({ directory, pm2Home }: Installation, parameters: string[]): Promise<string> {
  const env: Record<string, string> = { PM2_DISCRETE_MODE: 'true', PM2_NO_INTERACTION: 'true' };
  for (const name of HANDED_ON) if (process.env[name] !== undefined) env[name] = process.env[name];
  env.PATH = [dirname(nodeBinary), env.PATH].join(delimiter);
  Object.assign(env, { PM2_HOME: pm2Home, POSTERN_DIRECTORY: directory, PM2_CONCURRENT_ACTIONS: '8' });

  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const child = spawn(nodeBinary, [join(projectRoot, 'node_modules/pm2/bin/pm2'), ...parameters], {
    cwd: projectRoot,
    env,
    // A group of its own: Ctrl-C is for bin/up, which then undoes what it began.
    detached: true,
    timeout: COMMAND_TIMEOUT_MS,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  let errors = '';
  child.stdout.on('data', (chunk: Buffer) => {
    output += chunk;
  });
  child.stderr.on('data', (chunk: Buffer) => {
    errors += chunk;
  });
  child.once('error', reject);
  child.once('close', (code) => {
    if (code === 0) resolve(output);
    else reject(new StepFailure(`pm2 ${parameters[0]} failed (${code}):\n${(errors || output).trim()}`));
  });
  return promise;
}

/** The pid file may be of a daemon that was killed, and its number by now another process's. */
function readDaemonPid(file: string): number | undefined {
  if (!existsSync(file)) return undefined;
  const pid = Number.parseInt(readFileSync(file, 'utf8'), 10);
  if (!Number.isInteger(pid) || !isAlive(pid)) return undefined;
  const commandLine = `/proc/${pid}/cmdline`;
  const isDaemon = !existsSync(commandLine) || readFileSync(commandLine, 'utf8').includes('God Daemon');
  return isDaemon ? pid : undefined;
}

/** pm2 may print notices before the one line of JSON. */
function parseList(output: string): Pm2Process[] {
  const line = output.split('\n').findLast((text) => text.startsWith('['));
  const list = JSON.parse(line ?? '[]') as {
    name: string;
    pid?: number;
    pm2_env: { status: string; restart_time: number };
  }[];
  return list.map(({ name, pid, pm2_env }) => ({
    name,
    pid: pid ?? 0,
    status: pm2_env.status,
    restarts: pm2_env.restart_time,
  }));
}
