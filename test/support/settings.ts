/** Settings for a test: the defaults, valid secrets, and what the test changes. */
import { randomBytes } from 'node:crypto';
import { readSettings } from '../../config/load.ts';
import type { Settings } from '../../config/schema.ts';

export type Changes = {
  [Section in keyof Settings]?: Settings[Section] extends object
    ? Partial<Settings[Section]>
    : Settings[Section];
};

export function createTestSettings(changes: Changes = {}): Settings {
  const result = readSettings({
    POSTERN_ENV: 'test',
    POSTERN_DIRECTORY: '/nonexistent',
    POSTERN_SECRET_KEY: randomBytes(32).toString('base64'),
    POSTERN_SERVICE_TOKEN: randomBytes(24).toString('hex'),
    POSTERN_INTAKE_PASSWORD: randomBytes(24).toString('hex'),
    POSTERN_LOG_LEVEL: 'silent',
  });
  if (!result.ok) throw new Error(result.problems.join('; '));
  const settings = structuredClone(result.settings) as Record<string, unknown>;
  for (const [section, change] of Object.entries(changes)) {
    const existing = settings[section];
    settings[section] = typeof change === 'object' ? { ...(existing as object), ...change } : change;
  }
  return settings as Settings;
}
