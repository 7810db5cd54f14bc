/** What receives: Postern's inbound process with the api, a Postgres and a Redis, and a DNS that is this process. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';
import type { Settings } from '../../config/schema.ts';
import { nodeBinary, projectRoot } from '../../deploy/local/installation.ts';
import { createLogger } from '../../lib/log.ts';
import { startDnsServer } from '../../sandbox/dns-server.ts';
import { createZone, type FindDkimRecord } from '../../sandbox/zone.ts';
import { readProcesses, selectTree } from '../measure/processes.ts';
import { startChild } from '../world/children.ts';
import { SENDER_DOMAIN } from '../world/names.ts';
import { waitUntil } from '../world/wait.ts';
import { type ApiServer, startApiServer } from './api-server.ts';
import type { MailServer } from './mail-server.ts';

/** What a route of the receiving domain keeps (target store): nothing but receiving is measured. */
export const RECIPIENT = `all@${SENDER_DOMAIN}`;

const START_TIMEOUT_MS = 120_000;

export interface Receiver extends Pick<MailServer, 'name' | 'intakePort' | 'listProcesses'> {
  start(): Promise<void>;
  stop(): Promise<void>;
  /** @param accepted since the last look. @throws when not so many are kept, or one did not pass its checks */
  verify(accepted: number): Promise<void>;
}

export async function createInbound(options: {
  settings: Settings;
  findDkimRecord: FindDkimRecord;
  /** Where CPU profiles of the processes go */
  profileDirectory?: string | undefined;
}): Promise<Receiver & { close(): Promise<void> }> {
  const { settings, findDkimRecord, profileDirectory } = options;
  const { sandbox, hostname, inbound } = settings;
  if (profileDirectory) mkdirSync(profileDirectory, { recursive: true });
  const dns = await startDnsServer({
    host: sandbox.host,
    port: sandbox.dnsPort,
    zone: createZone({ hostname, address: '127.0.0.1', findDkimRecord }),
    log: createLogger('bench', { level: 'error' }),
  });
  const api = await startApiServer(settings, { hasWorker: false, profileDirectory });
  await createRoute(api);
  const child = startChild({
    command: nodeBinary,
    parameters: [join(projectRoot, 'inbound/start.ts')],
    directory: projectRoot,
    variables: {
      POSTERN_DIRECTORY: settings.directory,
      NODE_ENV: 'production',
      ...(profileDirectory && { NODE_OPTIONS: `--cpu-prof --cpu-prof-dir=${profileDirectory}` }),
    },
    logFile: join(settings.directory, 'log/inbound.log'),
  });
  const health = `http://127.0.0.1:${inbound.monitorPort}/health`;
  await waitUntil('the inbound server', () => isHealthy(health), { timeoutMs: START_TIMEOUT_MS });
  let known = 0;
  return {
    name: 'postern',
    intakePort: inbound.port,
    // It waits while the other is measured, and uses no CPU then.
    start: async () => {},
    stop: async () => {},
    listProcesses() {
      const processes = readProcesses();
      const receivers = selectTree(processes, child.pid);
      return {
        master: receivers.filter(({ pid }) => pid === child.pid),
        ...Object.fromEntries(
          receivers
            .filter(({ pid }) => pid !== child.pid)
            .map((worker, index) => [`worker ${index + 1}`, [worker]]),
        ),
        ...Object.fromEntries(
          Object.entries(api.pids).map(([role, pid]) => [role, selectTree(processes, pid)]),
        ),
      };
    },
    async verify(accepted) {
      known += accepted;
      await verifyKept(settings, known);
    },
    async close() {
      await child.stop('SIGTERM');
      await api.stop();
      await dns.close();
    },
  };
}

async function isHealthy(url: string): Promise<boolean> {
  return fetch(url).then(
    ({ ok }) => ok,
    () => false,
  );
}

async function createRoute({ url, token }: ApiServer): Promise<void> {
  const response = await fetch(`${url}/api/v1/inbound_routes`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'mailpace-server-token': token },
    body: JSON.stringify({ address: RECIPIENT, target: 'store' }),
  });
  if (response.status !== 201) throw new Error(`no route: ${response.status} ${await response.text()}`);
}

async function verifyKept({ database }: Settings, accepted: number): Promise<void> {
  const client = new pg.Client(database.url);
  await client.connect();
  const { rows } = await client.query<{ kept: number; passed: number }>(
    `select count(*)::int as kept,
            count(*) filter (where authentication -> 'spf' ->> 'result' = 'pass'
                               and authentication -> 'dkim' -> 0 ->> 'result' = 'pass'
                               and authentication -> 'dmarc' ->> 'result' = 'pass')::int as passed
       from inbound_messages`,
  );
  await client.end();
  const [{ kept, passed } = { kept: 0, passed: 0 }] = rows;
  if (kept !== accepted || passed !== accepted) {
    throw new Error(`${accepted} were accepted, ${kept} are kept, ${passed} passed SPF, DKIM and DMARC`);
  }
}
