/** Postfix, its load generator and OpenDKIM: Debian's packages, installed where we may. */
import { existsSync } from 'node:fs';
import { runCommand } from './commands.ts';

const PACKAGES = ['postfix', 'opendkim'];
const PROGRAMS = ['postfix', 'smtp-source', 'smtp-sink', 'opendkim'].map((name) => `/usr/sbin/${name}`);

/** @throws with the command to run, where it cannot install them */
export async function ensurePostfix(): Promise<void> {
  if (PROGRAMS.every(existsSync)) return;
  const command = ['apt-get', 'install', '-q', '-y', '--no-install-recommends', ...PACKAGES];
  if (process.getuid?.() !== 0) throw new Error(`Postfix is missing. Run: sudo ${command.join(' ')}`);
  const variables = { DEBIAN_FRONTEND: 'noninteractive' };
  await runCommand('apt-get', ['update', '-q'], variables);
  await runCommand('apt-get', command.slice(1), variables);
}

/** The user that Postfix' daemons run as. */
export async function findPostfixAccount(): Promise<{ uid: number; gid: number }> {
  const [uid, gid] = await Promise.all(['-u', '-g'].map((flag) => runCommand('id', [flag, 'postfix'])));
  return { uid: Number(uid), gid: Number(gid) };
}
