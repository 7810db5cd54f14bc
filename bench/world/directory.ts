/** Where a benchmark keeps its files, ports and secrets: nothing of an installation is touched. */
import { randomInt } from 'node:crypto';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { explainTakenPort } from '../../deploy/local/ports.ts';
import { removeData } from '../../deploy/local/postgres-location.ts';

const TRIES = 50;

/**
 * A new directory, deleted when the process ends. Others may pass through it: Postfix and Postgres run as users
 * of their own.
 * @param parent decides which disk is measured
 */
export function makeDirectory(parent = tmpdir()): string {
  const directory = mkdtempSync(join(parent, 'postern-bench-'));
  chmodSync(directory, 0o711);
  process.once('exit', () => {
    if (process.exitCode) {
      process.stderr.write(`The logs are kept in ${directory}\n`);
      return;
    }
    removeData(join(directory, 'postern/postgres'));
    rmSync(directory, { recursive: true, force: true });
  });
  return directory;
}

/** A block of free ports, below those that Linux hands out to outgoing connections (32768). */
export async function findFreePorts(count: number): Promise<number[]> {
  for (let attempt = 0; attempt < TRIES; attempt++) {
    const first = randomInt(20_000, 32_000 - count);
    const ports = Array.from({ length: count }, (_, index) => first + index);
    const taken = await Promise.all(
      ports.map((port) => explainTakenPort({ process: 'bench', host: '127.0.0.1', port, transport: 'tcp' })),
    );
    if (taken.every((reason) => reason === undefined)) return ports;
  }
  throw new Error('there is no block of free ports');
}
