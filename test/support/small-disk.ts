/** A disk that is full when a test wants it to be: a tmpfs with the queue's tables on it. Needs root. */
import { spawnSync } from 'node:child_process';
import { closeSync, mkdirSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ensureAccount } from '../../deploy/local/postgres-location.ts';
import type { TestDatabase } from './postgres.ts';

const SIZE = '16m';
/** Postgres needs a few dozen: one a file. */
const INODES = 300;
const TABLES = ['messages', 'message_chunks', 'deliveries', 'delivery_events', 'intakes'];

export interface SmallDisk {
  directory: string;
  fill(): void;
  /** Space is left, but no file can be made. */
  fillInodes(): void;
  free(): void;
  /** After the server has ended. */
  unmount(): void;
}

export type SmallDiskResult = { ok: true; disk: SmallDisk } | { ok: false; reason: string };

/** Mounts it and moves the tables of the queue there. */
export async function moveToSmallDisk({ pool }: TestDatabase): Promise<SmallDiskResult> {
  const mounted = mountSmallDisk();
  if (!mounted.ok) return mounted;
  const { directory } = mounted.disk;
  await pool.query(`create tablespace small location '${directory}'`);
  for (const table of TABLES) await pool.query(`alter table ${table} set tablespace small`);
  return mounted;
}

/** Mounts it, for the account that Postgres runs as. */
export function mountSmallDisk(): SmallDiskResult {
  const account = ensureAccount();
  if (!account) return { ok: false, reason: 'only root can mount a tmpfs' };
  const directory = mkdtempSync(join(tmpdir(), 'postern-test-disk-'));
  const owner = `size=${SIZE},nr_inodes=${INODES},uid=${account.uid},gid=${account.gid},mode=700`;
  const mount = spawnSync('mount', ['-t', 'tmpfs', '-o', owner, 'postern-test', directory], {
    encoding: 'utf8',
  });
  if (mount.status !== 0) {
    rmSync(directory, { recursive: true });
    return { ok: false, reason: `mount: ${mount.error?.message ?? mount.stderr.trim()}` };
  }
  const ballast = join(directory, 'ballast');
  mkdirSync(ballast);
  return {
    ok: true,
    disk: {
      directory,
      fill: () => writeUntilFull(join(ballast, 'file')),
      fillInodes: () => makeFilesUntilFull(ballast),
      free() {
        rmSync(ballast, { recursive: true, force: true });
        mkdirSync(ballast);
      },
      unmount() {
        spawnSync('umount', [directory]);
        rmSync(directory, { recursive: true, force: true });
      },
    },
  };
}

function writeUntilFull(file: string): void {
  const handle = openSync(file, 'a');
  const block = Buffer.alloc(65_536);
  untilFull(() => writeSync(handle, block));
  closeSync(handle);
}

function makeFilesUntilFull(directory: string): void {
  let number = 0;
  untilFull(() => closeSync(openSync(join(directory, String(number++)), 'w')));
}

function untilFull(take: () => void): void {
  try {
    for (;;) take();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
  }
}
