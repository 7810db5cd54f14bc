/** The settings and secrets of a host: those beside the inventory, and what is the host's own. */
import { copyFileSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseEnv } from 'node:util';
import { parse as parseToml } from 'smol-toml';
import type { InventoryHost } from '../inventory.ts';
import { completeEnvironmentFile } from '../local/environment-file.ts';
import { DeployFailure } from '../remote/failure.ts';

export interface InstallationFiles {
  /** postern.toml; undefined where there is none beside the inventory: then the host's stays */
  settings?: string;
  /** postern.env, with all secrets */
  environment: string;
}

/**
 * Makes postern.env beside the inventory, or the secrets that it lacks. Throws DeployFailure.
 * @param options.isTrial leaves the directory alone; the secrets are then not to be used
 */
export function readInstallationFiles(
  directory: string,
  { isTrial = false }: { isTrial?: boolean } = {},
): InstallationFiles {
  const environmentFile = join(directory, 'postern.env');
  if (existsSync(environmentFile)) requirePrivate(environmentFile);
  const environment = isTrial ? completeCopy(environmentFile) : complete(environmentFile);
  return { environment, ...readSettingsFile(directory) };
}

function complete(file: string): string {
  completeEnvironmentFile(file, {});
  return readFileSync(file, 'utf8');
}

function completeCopy(file: string): string {
  const scratch = mkdtempSync(join(tmpdir(), 'postern-trial-'));
  try {
    const copy = join(scratch, 'postern.env');
    if (existsSync(file)) copyFileSync(file, copy);
    return complete(copy);
  } finally {
    rmSync(scratch, { recursive: true });
  }
}

function readSettingsFile(directory: string): Pick<InstallationFiles, 'settings'> {
  const file = join(directory, 'postern.toml');
  return existsSync(file) ? { settings: readFileSync(file, 'utf8') } : {};
}

/** Those of one host: lines of postern.<host>.env beside the inventory win. Throws DeployFailure. */
export function readHostFiles(directory: string, host: string, files: InstallationFiles): InstallationFiles {
  const file = join(directory, `postern.${host}.env`);
  if (!existsSync(file)) return files;
  requirePrivate(file);
  return { ...files, environment: `${files.environment.trimEnd()}\n${readFileSync(file, 'utf8')}` };
}

/** With what makes the host itself, where the file leaves it open. It is production, unless something else is said. */
export function environmentOf(
  { name, hostname }: InventoryHost,
  { settings = '', environment }: InstallationFiles,
): string {
  const known = parseEnv(environment);
  const own: Record<string, string | undefined> = {
    POSTERN_ENV: 'environment' in parseToml(settings) ? undefined : 'production',
    POSTERN_INSTANCE_ID: name
      .toLowerCase()
      .replaceAll(/[^a-z0-9-]/g, '-')
      .slice(0, 40),
    POSTERN_HOSTNAME: hostname,
  };
  const lines = Object.entries(own).flatMap(([key, value]) =>
    value === undefined || key in known ? [] : [`${key}=${value}`],
  );
  return [environment.trimEnd(), ...lines, ''].join('\n');
}

function requirePrivate(file: string): void {
  if ((statSync(file).mode & 0o077) !== 0)
    throw new DeployFailure(`${file} can be read by others: chmod 600 it`);
}
