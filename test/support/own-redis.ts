/** A Redis that a test may hurt. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { findFreePorts } from './free-ports.ts';

export interface OwnRedis {
  url: string;
  /** SIGSTOP and SIGCONT */
  signal(name: NodeJS.Signals): void;
  /** SIGKILL; what it has not saved is gone. */
  kill(): Promise<void>;
  /** Loads what was saved. */
  restart(): Promise<void>;
  stop(): Promise<void>;
}

export async function startOwnRedis(): Promise<OwnRedis> {
  const directory = await mkdtemp(join(tmpdir(), 'postern-redis-'));
  const [port = 0] = await findFreePorts(1);
  const url = `redis://127.0.0.1:${port}/0`;
  const options = ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--dir', directory];
  let child: ChildProcess;

  async function start(): Promise<void> {
    child = spawn('redis-server', options, { stdio: 'ignore' });
    const probe = new Redis(url, { retryStrategy: () => 50, maxRetriesPerRequest: null });
    probe.on('error', () => {});
    await probe.ping();
    probe.disconnect();
  }
  async function kill(): Promise<void> {
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill('SIGKILL');
    await once(child, 'exit');
  }

  await start();
  return {
    url,
    signal: (name) => void child.kill(name),
    kill,
    restart: start,
    async stop() {
      await kill();
      await rm(directory, { recursive: true, force: true });
    },
  };
}
