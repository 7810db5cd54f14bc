/**
 * A project that is deployed in a moment: its node is a shell script that writes down which release was started, and says
 * of a release with a file RED that it is not well. What deploys it is the real thing, over a real sshd.
 */
import { execFileSync } from 'node:child_process';
import { chmodSync, copyFileSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { stringify } from 'smol-toml';
import { projectRoot } from '../../deploy/local/installation.ts';
import { commitAll } from './git.ts';
import type { SshHost } from './ssh-host.ts';

const NODE = `#!/bin/sh
case $1 in
  bin/postern.ts) if [ -e WRONG ]; then echo 'the configuration has problems' >&2; exit 78; fi ;;
  deploy/host/restart.ts) basename "$PWD" >"$3/running" ;;
  deploy/host/verify.ts) if [ -e RED ]; then echo 'api answers 503' >&2; exit 1; fi ;;
esac
echo done
`;

export interface DeployFixture {
  root: string;
  inventoryFile: string;
  source: string;
  /** A commit in which the file has the text, or is not there */
  commit(file: string, text: string | undefined): void;
  /** The release that was started last */
  running(): string;
  /** A hook; undefined: none */
  setHook(name: string, body: string | undefined): void;
}

export function createDeployFixture(host: SshHost, hosts = [host.name]): DeployFixture {
  const root = join(host.directory, 'p');
  const source = join(host.directory, 'source');
  const inventoryFile = join(host.directory, 'deploy.toml');
  for (const path of [join(root, 'releases'), join(root, 'shared')]) mkdirSync(path, { recursive: true });
  writeFileSync(join(root, 'shared/postern.env'), '', { mode: 0o600 });
  const write = (file: string, text: string, mode = 0o644) => {
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, text);
    chmodSync(file, mode);
  };
  for (const file of [
    join(source, 'package-lock.json'),
    join(root, 'packages/node_modules/.installed-lock.json'),
  ])
    write(file, '{}');
  write(join(root, 'packages/node_modules/node/bin/node'), NODE, 0o755);
  write(join(source, 'deploy/local/install-packages'), '', 0o755);
  copyFileSync(
    join(projectRoot, 'deploy/local/install-packages'),
    join(source, 'deploy/local/install-packages'),
  );
  execFileSync('git', ['init', '-q', source]);
  commitAll(source, 'First');
  write(
    inventoryFile,
    stringify({
      ...{ root, minFreeMegabytes: 1, keepReleases: 2, ssh: { configFile: host.configFile } },
      hosts: hosts.map((name) => ({ name, roles: ['api', 'mta'] })),
    }),
  );
  return {
    ...{ root, inventoryFile, source },
    commit(file, text) {
      if (text === undefined) rmSync(join(source, file), { force: true });
      else write(join(source, file), text);
      commitAll(source, `Change ${file}`);
    },
    running() {
      const file = join(root, 'shared/running');
      return existsSync(file) ? readFileSync(file, 'utf8').trim() : '';
    },
    setHook(name, body) {
      const file = join(host.directory, 'hooks', name);
      if (body === undefined) rmSync(file, { force: true });
      else write(file, `#!/bin/sh\n${body}\n`, 0o755);
    },
  };
}
