/** Where the parts of one installation lie. Everything a run writes is under its directory. */
import { createHash } from 'node:crypto';
import { join, resolve } from 'node:path';

/** The root of the project: this file is deploy/local/installation.ts. */
export const projectRoot = resolve(import.meta.dirname, '../..');

/** The Node 24 that npm brought. pm2 needs it by its absolute path. */
export const nodeBinary = join(projectRoot, 'node_modules/node/bin/node');

export interface Installation {
  directory: string;
  /** KEY=VALUE lines with the secrets, mode 0600; read by config/load.ts */
  environmentFile: string;
  /** Settings that differ from the defaults; may be absent */
  settingsFile: string;
  /** Demo organization, domain and tokens, mode 0600 */
  demoFile: string;
  logDirectory: string;
  postgresDirectory: string;
  redisDirectory: string;
  rspamdDirectory: string;
  pm2Home: string;
}

export function locateInstallation(directory: string): Installation {
  const root = resolve(directory);
  return {
    directory: root,
    environmentFile: join(root, 'postern.env'),
    settingsFile: join(root, 'postern.toml'),
    demoFile: join(root, 'demo.json'),
    logDirectory: join(root, 'log'),
    postgresDirectory: join(root, 'postgres'),
    redisDirectory: join(root, 'redis'),
    rspamdDirectory: join(root, 'rspamd'),
    pm2Home: join(root, 'pm2'),
  };
}

/** Tells installations apart outside their own directories. */
export function shortDigest(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 12);
}
