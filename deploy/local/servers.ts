/**
 * Which database servers this installation runs itself: those whose URL nobody set. The variables DATABASE_URL,
 * QUEUE_DATABASE_URL, REDIS_URL and RSPAMD_URL (in the environment or postern.env) name servers of the operator's own;
 * without them the URL of the settings says on which loopback port ours listens.
 */
import { existsSync, readFileSync } from 'node:fs';
import { parseEnv } from 'node:util';
import type { Settings } from '../../config/schema.ts';
import { locateInstallation } from './installation.ts';

type Environment = Readonly<Record<string, string | undefined>>;

export interface OwnPostgres {
  port: number;
  user: string;
  password: string;
  /** Databases to create, by name */
  databases: string[];
}

/** The Postgres that is ours to run, or undefined where both databases are the operator's. */
export function findOwnPostgres(settings: Settings, environment: Environment): OwnPostgres | undefined {
  const variables = readVariables(settings.directory, environment);
  const urls = [
    variables.DATABASE_URL ? undefined : settings.database.url,
    variables.QUEUE_DATABASE_URL ? undefined : settings.queue.url,
  ].flatMap((url) => (url && isLoopback(url) ? [new URL(url)] : []));
  const [first] = urls;
  if (!first) return undefined;
  return {
    port: Number(first.port || 5432),
    user: decodeURIComponent(first.username),
    password: decodeURIComponent(first.password),
    databases: [...new Set(urls.map((url) => decodeURIComponent(url.pathname.slice(1))))],
  };
}

/** The port of the Redis that is ours to run, or undefined where it is the operator's. */
export function findOwnRedisPort(settings: Settings, environment: Environment): number | undefined {
  const { REDIS_URL } = readVariables(settings.directory, environment);
  if (REDIS_URL || !isLoopback(settings.redis.url)) return undefined;
  return Number(new URL(settings.redis.url).port || 6379);
}

export interface OwnRspamd {
  /** Of the normal worker, which checks */
  port: number;
  /** Of the controller, which learns */
  controllerPort: number;
}

/** The rspamd that is ours to run, or undefined where there is none, or the operator's. Never in production. */
export function findOwnRspamd(settings: Settings, environment: Environment): OwnRspamd | undefined {
  const { engine, url, controllerUrl } = settings.spam;
  const { RSPAMD_URL } = readVariables(settings.directory, environment);
  if (engine === 'none' || RSPAMD_URL || settings.environment === 'production' || !isLoopback(url)) {
    return undefined;
  }
  return { port: Number(new URL(url).port), controllerPort: Number(new URL(controllerUrl).port) };
}

function readVariables(directory: string, environment: Environment): Environment {
  const file = locateInstallation(directory).environmentFile;
  return { ...(existsSync(file) ? parseEnv(readFileSync(file, 'utf8')) : {}), ...environment };
}

function isLoopback(url: string): boolean {
  return ['127.0.0.1', 'localhost', '[::1]'].includes(new URL(url).hostname);
}
