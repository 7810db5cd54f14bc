/**
 * Hosts by the OpenSSH binary: its configuration, known hosts and agents are the operator's. One connection a host is
 * shared by all commands (ControlMaster). Scripts go as one quoted word and hold no secret: what is secret goes by stdin.
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { quote } from '../commands/shell.ts';
import type { Inventory } from '../inventory.ts';
import { DeployFailure } from './failure.ts';

const CONNECT_SECONDS = 15;
/** After four silent ones the connection is given up. */
const ALIVE_SECONDS = 15;
/** npm on a slow line, the longest of all */
const COMMAND_TIMEOUT_MS = 20 * 60_000;
/** What ssh says when it is its own failure and not the command's (ssh(1)) */
const SSH_FAILED = 255;

export interface RemoteHost {
  name: string;
  /** @returns what the script wrote to stdout; throws DeployFailure with its last words where it failed */
  run(script: string, input?: Readable): Promise<string>;
  /** Starts a script that goes on until `end`: its stdin is the sign that we are there. */
  hold(script: string): RunningScript;
}

export interface RunningScript {
  /** The first line, or undefined where it ended without one */
  firstLine: Promise<string | undefined>;
  ended: Promise<{ code: number | null; errors: string }>;
  beat(): void;
  end(): Promise<void>;
}

export interface Connections {
  open(name: string): RemoteHost;
  close(): Promise<void>;
}

export function openConnections({ ssh }: Pick<Inventory, 'ssh'>): Connections {
  // Short: a socket's path has 107 bytes (unix(7)), and ssh adds 57.
  const directory = mkdtempSync(join(tmpdir(), 'postern-'));
  const options = createOptions(ssh, join(directory, '%C'));
  const opened = new Set<string>();
  const start = (name: string, script: string, { hasInput = false, timeoutMs = COMMAND_TIMEOUT_MS } = {}) => {
    opened.add(name);
    const command = [...(ssh.sudo ? ['sudo', '-n'] : []), 'sh', '-c', quote(script)].join(' ');
    // A group of its own: Ctrl-C is for the deployment, which lets a phase end.
    return spawn('ssh', [...options, '--', name, command], {
      stdio: [hasInput ? 'pipe' : 'ignore', 'pipe', 'pipe'],
      detached: true,
      timeout: timeoutMs,
    });
  };
  return {
    open: (name) => ({
      name,
      async run(script, input) {
        const child = start(name, script, { hasInput: input !== undefined });
        const [output, errors, code] = await Promise.all([
          collect(child.stdout),
          collect(child.stderr),
          waitForEnd(child),
          // A host that stops reading says why by itself.
          input && child.stdin ? pipeline(input, child.stdin).catch(() => {}) : undefined,
        ]);
        if (code === 0) return output;
        throw new DeployFailure(`${name}: ${explain(code, errors || output)}`);
      },
      hold: (script) => holdScript(start(name, script, { hasInput: true, timeoutMs: 0 })),
    }),
    async close() {
      await Promise.all([...opened].map((name) => endMaster(name, options)));
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

function createOptions({ user, configFile }: Inventory['ssh'], controlPath: string): string[] {
  const settings = {
    BatchMode: 'yes',
    ConnectTimeout: CONNECT_SECONDS,
    ServerAliveInterval: ALIVE_SECONDS,
    ServerAliveCountMax: 4,
    ControlMaster: 'auto',
    ControlPath: controlPath,
    ControlPersist: 60,
    RequestTTY: 'no',
    LogLevel: 'ERROR',
  };
  return [
    ...(configFile ? ['-F', configFile] : []),
    ...(user ? ['-l', user] : []),
    ...Object.entries(settings).flatMap(([name, value]) => ['-o', `${name}=${value}`]),
  ];
}

type Child = ReturnType<typeof spawn>;

function holdScript(child: Child): RunningScript {
  const ended = Promise.all([collect(child.stderr), waitForEnd(child)]).then(([errors, code]) => ({
    code,
    errors,
  }));
  const first = Promise.withResolvers<string | undefined>();
  let output = '';
  child.stdout?.on('data', (chunk: Buffer) => {
    output += chunk;
    if (output.includes('\n')) first.resolve(output.split('\n')[0]);
  });
  ended.then(() => first.resolve(undefined), first.reject);
  child.stdin?.on('error', () => {}); // it has ended, which `ended` tells
  return {
    firstLine: first.promise,
    ended,
    beat: () => void child.stdin?.write('\n'),
    async end() {
      child.stdin?.end();
      await ended;
    },
  };
}

function waitForEnd(child: Child): Promise<number | null> {
  const { promise, resolve, reject } = Promise.withResolvers<number | null>();
  child.once('error', (error: NodeJS.ErrnoException) =>
    reject(error.code === 'ENOENT' ? new DeployFailure('ssh is not installed here') : error),
  );
  child.once('close', resolve);
  return promise;
}

async function collect(stream: Readable | null): Promise<string> {
  let text = '';
  for await (const chunk of stream ?? []) text += chunk;
  return text;
}

/** Its last words, which say the most. */
function explain(code: number | null, words: string): string {
  const said = words.trim().split('\n').slice(-15).join('\n');
  if (code === SSH_FAILED) return `ssh failed: ${said}`;
  if (code === null) return `did not end within ${COMMAND_TIMEOUT_MS / 60_000} minutes\n${said}`;
  return said || `ended with code ${code}`;
}

async function endMaster(name: string, options: string[]): Promise<void> {
  const child = spawn('ssh', [...options, '-O', 'exit', '--', name], { stdio: 'ignore' });
  await waitForEnd(child).catch(() => {}); // none was there
}
