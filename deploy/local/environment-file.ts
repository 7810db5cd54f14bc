/**
 * postern.env: the secrets of an installation, made on the first run, and the host facts that were in the
 * environment then, so that every later start finds the same servers. Never overwrites a line that is there.
 */
import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { parseEnv } from 'node:util';
import { writePrivateFile } from './private-file.ts';

type Environment = Readonly<Record<string, string | undefined>>;

const HEADER = `# Secrets and host facts of this installation, one KEY=VALUE a line, read by config/load.ts.
# Keep it private and keep a copy: without POSTERN_SECRET_KEY the DKIM keys in the database cannot be read.
`;
const HOST_FACTS = [
  'DATABASE_URL',
  'QUEUE_DATABASE_URL',
  'REDIS_URL',
  'POSTERN_HOSTNAME',
  'POSTERN_INSTANCE_ID',
  'POSTERN_STORAGE_ACCESS_KEY_ID',
  'POSTERN_STORAGE_SECRET_KEY',
];

const SECRETS: Record<string, () => string> = {
  POSTERN_SECRET_KEY: () => randomBytes(32).toString('base64'),
  POSTERN_SERVICE_TOKEN: () => randomBytes(32).toString('hex'),
  POSTERN_INTAKE_PASSWORD: () => randomBytes(24).toString('hex'),
};

/** @returns whether anything was added */
export function completeEnvironmentFile(file: string, environment: Environment): boolean {
  const existing = existsSync(file) ? readFileSync(file, 'utf8') : HEADER;
  const known = parseEnv(existing);
  const lines: string[] = [];
  for (const [name, make] of Object.entries(SECRETS)) {
    if (!known[name] && !environment[name]) lines.push(`${name}=${make()}`);
  }
  for (const name of HOST_FACTS) {
    const value = environment[name];
    if (value && !(name in known)) lines.push(`${name}=${quote(value)}`);
  }
  if (lines.length === 0) return false;
  writePrivateFile(file, `${existing.replace(/\n*$/, '\n')}${lines.join('\n')}\n`);
  return true;
}

/** parseEnv knows three quotes and no escapes; an unquoted # begins a comment. */
function quote(value: string): string {
  const mark = ["'", '"', '`'].find((candidate) => !value.includes(candidate));
  if (!mark || value.includes('\n')) throw new Error(`postern.env cannot hold this value: ${value}`);
  return `${mark}${value}${mark}`;
}
