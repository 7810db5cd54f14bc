/** What npm cannot bring comes from Debian's packages: installed where we may, asked for where not. */
import { spawn, spawnSync } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { StepFailure } from './steps.ts';

/**
 * Resolves when the package's program is on the PATH.
 * @param program of the package's name where nothing is said
 * @param instead how one does without it, for the failure's text
 */
export async function ensurePackage(
  name: string,
  { program = name, instead, write }: { program?: string; instead: string; write: (text: string) => void },
): Promise<void> {
  if (isOnPath(program)) return;
  const prefix = findRootPrefix();
  if (!isOnPath('apt-get') || !prefix) {
    throw new StepFailure(
      `${name} is not installed and cannot be installed from here. Run\n` +
        `    sudo apt-get update && sudo apt-get install -y ${name}\n` +
        `or ${instead}, then start again.`,
    );
  }
  await runApt([...prefix, 'apt-get', 'update', '-q'], write);
  // Where systemd runs, Debian starts one on its usual port: ours has a port of its own and does not mind.
  await runApt([...prefix, 'env', 'DEBIAN_FRONTEND=noninteractive', ...INSTALL, name], write);
  if (!isOnPath(program))
    throw new StepFailure(`apt-get installed ${name}, but ${program} is not on the PATH`);
}

const INSTALL = ['apt-get', 'install', '-q', '-y', '--no-install-recommends'];

/** The words that make a command run as root without a question; undefined where there are none. */
function findRootPrefix(): string[] | undefined {
  if (process.getuid?.() === 0) return [];
  return spawnSync('sudo', ['-n', 'true']).status === 0 ? ['sudo', '-n'] : undefined;
}

export function isOnPath(program: string): boolean {
  return (process.env.PATH ?? '').split(delimiter).some((directory) => {
    try {
      accessSync(join(directory, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

async function runApt([program = '', ...parameters]: string[], write: (text: string) => void): Promise<void> {
  const child = spawn(program, parameters, { stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  const collect = (chunk: Buffer) => {
    output += chunk;
    const line = String(chunk).trim().split('\n').at(-1);
    if (line) write(line);
  };
  child.stdout.on('data', collect);
  child.stderr.on('data', collect);
  const { promise, resolve, reject } = Promise.withResolvers<number | null>();
  child.once('error', reject).once('close', resolve);
  const code = await promise;
  if (code !== 0) {
    throw new StepFailure(`${[program, ...parameters].join(' ')} failed (${code}):\n${lastLines(output)}`);
  }
}

function lastLines(text: string): string {
  return text.trim().split('\n').slice(-15).join('\n');
}
