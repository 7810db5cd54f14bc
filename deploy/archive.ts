/** What is deployed: the files of one revision of git, as they are in the commit. */
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { DeployFailure } from './remote/failure.ts';

const TIMEOUT_MS = 120_000;

export interface Archive {
  /** tar.gz */
  file: string;
  bytes: number;
  remove(): void;
}

/** @returns the full id of the commit. Throws DeployFailure where the checkout has no such revision. */
export async function findRevision(source: string, revision: string): Promise<string> {
  return (await git(source, ['rev-parse', '--verify', '--end-of-options', `${revision}^{commit}`])).trim();
}

/** Changes that no commit has are not deployed, which is worth a word. */
export async function hasUncommittedChanges(source: string): Promise<boolean> {
  return (await git(source, ['status', '--porcelain', '--untracked-files=no'])).trim() !== '';
}

export async function archiveRevision(source: string, revision: string): Promise<Archive> {
  const directory = mkdtempSync(join(tmpdir(), 'postern-release-'));
  const file = join(directory, 'release.tar.gz');
  const remove = () => rmSync(directory, { recursive: true, force: true });
  try {
    await git(source, ['archive', '--format=tar.gz', '-1', `--output=${file}`, revision]);
  } catch (error) {
    remove();
    throw error;
  }
  return { file, bytes: statSync(file).size, remove };
}

async function git(source: string, parameters: string[]): Promise<string> {
  try {
    const { stdout } = await promisify(execFile)('git', ['-C', source, ...parameters], {
      timeout: TIMEOUT_MS,
    });
    return stdout;
  } catch (error) {
    const { stderr, message } = error as Error & { stderr?: string };
    throw new DeployFailure(`git ${parameters[0]} in ${source}: ${stderr?.trim() || message}`);
  }
}
