/** The settings as the hosts will read them, for what setup derives from them: the ports of the firewall. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readSettings } from '../../config/load.ts';
import type { Settings } from '../../config/schema.ts';
import { DeployFailure } from '../remote/failure.ts';
import type { InstallationFiles } from './environment.ts';

/** Throws DeployFailure with every problem: sooner than on the first host. */
export function readSetupSettings({ settings = '', environment }: InstallationFiles): Settings {
  const directory = mkdtempSync(join(tmpdir(), 'postern-settings-'));
  try {
    writeFileSync(join(directory, 'postern.toml'), settings);
    writeFileSync(join(directory, 'postern.env'), environment, { mode: 0o600 });
    const result = readSettings({ POSTERN_DIRECTORY: directory });
    if (result.ok) return result.settings;
    throw new DeployFailure(['the settings have problems:', ...result.problems].join('\n  - '));
  } finally {
    rmSync(directory, { recursive: true });
  }
}
