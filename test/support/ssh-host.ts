/** A host to deploy to: this machine, by an sshd of the test's own on a loopback port, with keys that nobody else has. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir, userInfo } from 'node:os';
import { dirname, join } from 'node:path';
import { ensurePackage } from '../../deploy/local/debian-packages.ts';
import { nodeBinary } from '../../deploy/local/installation.ts';
import { findFreePorts } from './free-ports.ts';
import { waitFor } from './mail.ts';

const SSHD = '/usr/sbin/sshd';
const instead = 'do without the tests of deployments';

export interface SshHost {
  /** Of all its files; root of a deployment may lie in it */
  directory: string;
  /** A Host of configFile */
  name: string;
  /** ssh_config(5), for -F */
  configFile: string;
  /** Ends sshd; sessions go on. */
  stop(): Promise<void>;
}

/** @param names by which the one sshd is known */
export async function startSshHost(names: readonly string[]): Promise<SshHost> {
  await ensurePackage('openssh-client', { program: 'ssh', instead, write: () => {} });
  if (!existsSync(SSHD)) await ensurePackage('openssh-server', { program: 'sshd', instead, write: () => {} });
  // Short: the sockets of pm2 lie in it.
  const directory = mkdtempSync(join(tmpdir(), 'pd-'));
  for (const key of ['host_key', 'client_key'])
    execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', join(directory, key)]);
  const [port = 0] = await findFreePorts(1);
  writeFileSync(join(directory, 'sshd_config'), sshdConfig(directory, port));
  const configFile = join(directory, 'ssh_config');
  writeFileSync(configFile, sshConfig(directory, port, names));
  const child = await startSshd(directory, port);
  return {
    directory,
    name: names[0] ?? '',
    configFile,
    async stop() {
      child.kill('SIGTERM');
      if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

function sshdConfig(directory: string, port: number): string {
  return [
    `Port ${port}`,
    'ListenAddress 127.0.0.1',
    `HostKey ${join(directory, 'host_key')}`,
    `AuthorizedKeysFile ${join(directory, 'client_key.pub')}`,
    `PidFile ${join(directory, 'sshd.pid')}`,
    'PasswordAuthentication no',
    'KbdInteractiveAuthentication no',
    'UsePAM no',
    'StrictModes no', // the directory is below /tmp
    'PermitRootLogin prohibit-password',
    // Not what whoever runs the tests has in their .bashrc
    `SetEnv HOME=${directory} PATH=${dirname(nodeBinary)}:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin`,
    '',
  ].join('\n');
}

function sshConfig(directory: string, port: number, names: readonly string[]): string {
  return [
    `Host ${names.join(' ')}`,
    '  HostName 127.0.0.1',
    `  Port ${port}`,
    `  User ${userInfo().username}`,
    `  IdentityFile ${join(directory, 'client_key')}`,
    '  IdentitiesOnly yes',
    `  UserKnownHostsFile ${join(directory, 'known_hosts')}`,
    '  StrictHostKeyChecking accept-new',
    '',
  ].join('\n');
}

async function startSshd(directory: string, port: number): Promise<ChildProcess> {
  // Debian's own service makes it; sshd as root does not start without.
  if (process.getuid?.() === 0) mkdirSync('/run/sshd', { recursive: true });
  const child = spawn(SSHD, ['-D', '-e', '-f', join(directory, 'sshd_config')], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let said = '';
  child.stderr?.on('data', (chunk: Buffer) => {
    said += chunk;
  });
  await waitFor('sshd to listen', async () => {
    if (child.exitCode !== null) throw new Error(`sshd ended: ${said}`);
    const socket = connect(port, '127.0.0.1');
    await once(socket, 'connect');
    socket.destroy();
    return true;
  });
  return child;
}
