/** The api, with Postgres and Redis, and a domain that may send. */
import { join } from 'node:path';
import Type from 'typebox';
import Value from 'typebox/value';
import type { Settings } from '../../config/schema.ts';
import { createDatabases, migrateDatabases } from '../../deploy/local/databases.ts';
import { nodeBinary, projectRoot } from '../../deploy/local/installation.ts';
import { findOwnPostgres } from '../../deploy/local/servers.ts';
import { type Child, startChild } from '../world/children.ts';
import { SENDER_DOMAIN } from '../world/names.ts';
import { waitUntil } from '../world/wait.ts';
import { runCommand } from './commands.ts';
import { startPostgres, startRedis } from './databases.ts';

const NEVER = new AbortController().signal;
const START_TIMEOUT_MS = 120_000;

export interface ApiServer {
  url: string;
  settings: Settings;
  /** Of the sending domain */
  token: string;
  /** Of the organization that has the domains */
  organizationToken: string;
  /** One more that counts as verified */
  createDomain(name: string): Promise<SendingDomain>;
  /** By what they are: their process ids */
  pids: Record<'api' | 'postgres' | 'redis', number>;
  stop(): Promise<void>;
}

export interface SendingDomain {
  id: number;
  name: string;
  token: string;
}

export async function startApiServer(
  settings: Settings,
  { hasWorker, profileDirectory }: { hasWorker: boolean; profileDirectory?: string | undefined },
): Promise<ApiServer> {
  const server = findOwnPostgres(settings, {});
  if (!server) throw new Error('the URL of the database is not one of loopback');
  const postgres = startPostgres(settings);
  const redis = await startRedis(settings);
  await createDatabases(server, NEVER);
  await migrateDatabases(settings, NEVER);
  const { organizationId, organizationToken } = await createOrganization(settings);
  const createDomain = (name: string) => createSendingDomain(settings, organizationId, name);
  const { token } = await createDomain(SENDER_DOMAIN);
  const api = startProgram(settings, 'api', 'api/server.ts', profileDirectory);
  const worker = hasWorker ? startProgram(settings, 'worker', 'api/worker.ts') : undefined;
  await waitUntil('the api', () => isHealthy(settings.api.url), { timeoutMs: START_TIMEOUT_MS });
  return {
    url: settings.api.url,
    settings,
    token,
    organizationToken,
    createDomain,
    pids: { api: api.pid, postgres: postgres.pid, redis: redis.pid },
    async stop() {
      await worker?.stop('SIGTERM');
      await api.stop('SIGTERM');
      await redis.stop('SIGTERM');
      await postgres.stop('SIGINT');
    },
  };
}

function startProgram(settings: Settings, name: string, file: string, profileDirectory?: string): Child {
  return startChild({
    command: nodeBinary,
    parameters: [join(projectRoot, file)],
    directory: projectRoot,
    variables: {
      POSTERN_DIRECTORY: settings.directory,
      NODE_ENV: 'production',
      ...(profileDirectory && { NODE_OPTIONS: `--cpu-prof --cpu-prof-dir=${profileDirectory}` }),
    },
    logFile: join(settings.directory, `log/${name}.log`),
  });
}

async function createOrganization(settings: Settings) {
  const schema = Type.Object({ organizationId: Type.Integer(), organizationToken: Type.String() });
  return Value.Parse(schema, await operate(settings, 'create-organization', '--name', 'bench'));
}

async function createSendingDomain(
  settings: Settings,
  organizationId: number,
  name: string,
): Promise<SendingDomain> {
  await operate(settings, 'create-domain', '--organization', String(organizationId), '--name', name);
  const created = await operate(settings, 'create-token', '--domain', name);
  const { domainId: id, token } = Value.Parse(
    Type.Object({ domainId: Type.Integer(), token: Type.String() }),
    created,
  );
  return { id, name, token };
}

async function operate({ directory }: Settings, ...parameters: string[]): Promise<unknown> {
  const command = [join(projectRoot, 'api/console.ts'), ...parameters];
  return JSON.parse(await runCommand(nodeBinary, command, { POSTERN_DIRECTORY: directory }));
}

async function isHealthy(url: string): Promise<boolean> {
  return fetch(`${url}/health`).then(
    ({ status }) => status === 200,
    () => false,
  );
}
