/** A program of the project as a child of the test, with settings of the test's own. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { stringify } from 'smol-toml';
import { environmentVariables } from '../../config/environment.ts';
import type { Settings } from '../../config/schema.ts';
import { nodeBinary, projectRoot } from '../../deploy/local/installation.ts';

export interface Program {
  kill(signal: NodeJS.Signals): void;
  /** The exit code, or the signal */
  exited: Promise<number | string>;
  /** What it wrote so far to stdout and stderr */
  output(): string;
  /** Resolves when the condition holds. @throws when the program ended before */
  waitFor(condition: () => boolean): Promise<void>;
}

/** @param settings all of them; `directory` is where it works */
export function startProgram(path: string, parameters: string[], settings: Settings): Program {
  const { secrets, ...rest } = settings;
  const directory = mkdtempSync(join(tmpdir(), 'postern-program-'));
  const file = join(directory, 'postern.toml');
  writeFileSync(file, stringify(JSON.parse(JSON.stringify(rest)) as object));
  const variables = Object.entries(environmentVariables).flatMap(([variable, [section, key]]) =>
    section === 'secrets' ? [[variable, secrets[key as keyof typeof secrets]]] : [],
  );
  const child: ChildProcess = spawn(nodeBinary, [join(projectRoot, path), ...parameters], {
    cwd: projectRoot,
    env: {
      PATH: process.env.PATH,
      POSTERN_CONFIG: file,
      POSTERN_DIRECTORY: settings.directory,
      ...(Object.fromEntries(variables) as Record<string, string>),
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let text = '';
  for (const stream of [child.stdout, child.stderr])
    stream?.on('data', (chunk: Buffer) => {
      text += chunk.toString();
    });
  const exited = once(child, 'close').then(([code, signal]) => {
    rmSync(directory, { recursive: true });
    return (code ?? signal) as number | string;
  });
  return {
    kill: (signal) => void child.kill(signal),
    exited,
    output: () => text,
    async waitFor(condition) {
      while (!condition()) {
        if (child.exitCode !== null) throw new Error(`it ended: ${text}`);
        await sleep(20);
      }
    },
  };
}
