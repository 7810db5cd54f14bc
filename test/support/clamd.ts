/** A real clamd of a test's own, with one signature in its database: EICAR's test file (https://www.eicar.org). */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import type { Context } from 'mocha';
import { isOnPath } from '../../deploy/local/debian-packages.ts';
import { waitFor } from './mail.ts';

/** In two pieces, so that no scanner takes this file for it. */
export const EICAR = ['X5O!P%@AP[4\\PZX54(P^)7CC)7}$EICAR-STAND', 'ARD-ANTIVIRUS-TEST-FILE!$H+H*'].join('');
export const SIGNATURE = 'Postern.Test.Eicar.UNOFFICIAL';
export const MAX_BYTES = 4_000_000;

export interface TestClamd {
  socket: string;
  stop(): Promise<void>;
  close(): Promise<void>;
}

/** Skips, with the reason, where Debian's package could not be installed (test/support/run.ts). */
export function requireClamd(context: Context): void {
  if (isOnPath('clamd')) return;
  console.log('    skipped: clamd is not installed');
  context.skip();
}

export async function startClamd(): Promise<TestClamd> {
  const directory = mkdtempSync(join(tmpdir(), 'postern-clamd-'));
  const socket = join(directory, 'clamd.sock');
  const signature = Buffer.from(EICAR).toString('hex');
  writeFileSync(join(directory, 'test.ndb'), `Postern.Test.Eicar:0:*:${signature}\n`);
  const settings = {
    ...{ DatabaseDirectory: directory, LocalSocket: socket, Foreground: 'yes', User: userInfo().username },
    ...{ StreamMaxLength: MAX_BYTES, SelfCheck: 3600, ConcurrentDatabaseReload: 'no' },
  };
  const lines = Object.entries(settings).map(([name, value]) => `${name} ${value}\n`);
  writeFileSync(join(directory, 'clamd.conf'), lines.join(''));
  const child = spawn('clamd', ['-c', join(directory, 'clamd.conf')], { stdio: 'ignore' });
  await waitFor('clamd', async () => existsSync(socket) || undefined, 20_000);
  return {
    socket,
    stop: () => end(child),
    async close() {
      await end(child);
      rmSync(directory, { recursive: true });
    },
  };
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exit = once(child, 'exit');
  child.kill('SIGKILL'); // it takes seconds to stop in order
  await exit;
}
