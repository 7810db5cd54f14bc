/** The mta with its own Postgres and Redis; api and DNS are played by this process. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Settings } from '../../config/schema.ts';
import { nodeBinary, projectRoot } from '../../deploy/local/installation.ts';
import { runProgram } from '../../deploy/local/programs.ts';
import { createLogger } from '../../lib/log.ts';
import { startDnsServer } from '../../sandbox/dns-server.ts';
import { createZone } from '../../sandbox/zone.ts';
import { readProcesses, selectTree, sumCpuSeconds } from '../measure/processes.ts';
import { startApi } from '../world/api.ts';
import { type Child, startChild } from '../world/children.ts';
import { waitUntil } from '../world/wait.ts';
import { startPostgres, startRedis } from './databases.ts';
import type { MailServer } from './mail-server.ts';

const START_TIMEOUT_MS = 60_000;

export interface PosternOptions {
  settings: Settings;
  /** PEM, what its mail is signed with */
  privateKey: string;
  /** Where CPU profiles of the mta's processes go */
  profileDirectory?: string | undefined;
}

export interface Postern extends MailServer {
  /** Stops what goes on while the mail server is stopped and started. */
  close(): Promise<void>;
}

export async function createPostern(options: PosternOptions): Promise<Postern> {
  const { settings } = options;
  const { mta, sandbox } = settings;
  const dns = await startDnsServer({
    host: sandbox.host,
    port: sandbox.dnsPort,
    zone: createZone({
      hostname: settings.hostname,
      address: '127.0.0.1',
      findDkimRecord: async () => ({ ok: false, reason: 'not_found' }),
    }),
    log: createLogger('bench', { level: 'error' }),
  });
  const api = await startApi({
    port: settings.api.port,
    serviceToken: settings.secrets.serviceToken,
    privateKey: options.privateKey,
  });
  let running: Running | undefined;
  let reportedBefore = 0;

  return {
    name: 'postern',
    intakePort: mta.intakePort,
    async start() {
      reportedBefore = api.events.delivered;
      running = await startAll(options);
    },
    async stop() {
      // Last started first: the mta finishes what is under way.
      await running?.mta.stop('SIGTERM');
      await running?.redis.stop('SIGTERM');
      await running?.postgres.stop('SIGINT');
      running = undefined;
    },
    readCpuSeconds: () => (running ? readCpuSeconds(running) : {}),
    settle: (messages) =>
      waitUntil('all events to be reported', () => api.events.delivered - reportedBefore >= messages),
    close: async () => void (await Promise.all([dns.close(), api.close()])),
  };
}

interface Running {
  postgres: Child;
  redis: Child;
  mta: Child;
}

async function startAll({ settings, profileDirectory }: PosternOptions): Promise<Running> {
  const postgres = await startPostgres(settings);
  const redis = await startRedis(settings);
  await runProgram(settings.directory, ['mta/queue/migrate.ts'], new AbortController().signal);
  const mta = startMta(settings, 'bench/servers/open-mta.ts', profileDirectory);
  await waitForHealth(settings, mta);
  return { postgres, redis, mta };
}

/** @param program the mta's own start file, or that of a variant */
export function startMta(settings: Settings, program: string, profileDirectory?: string): Child {
  if (profileDirectory) mkdirSync(profileDirectory, { recursive: true });
  return startChild({
    command: nodeBinary,
    parameters: [join(projectRoot, program)],
    directory: projectRoot,
    variables: {
      POSTERN_DIRECTORY: settings.directory,
      NODE_ENV: 'production',
      ...(profileDirectory && { NODE_OPTIONS: `--cpu-prof --cpu-prof-dir=${profileDirectory}` }),
    },
    logFile: join(settings.directory, 'log/mta.log'),
  });
}

/** @throws when the mta has ended, or is not healthy within a minute */
export async function waitForHealth(settings: Settings, mta: Child): Promise<void> {
  let end: number | string | undefined;
  void mta.ended.then((code) => {
    end = code;
  });
  const url = `http://127.0.0.1:${settings.mta.controlPort}/health`;
  await waitUntil(
    'a healthy mta',
    async () => {
      if (end !== undefined) throw new Error(`the mta ended (${end}) at its start: see log/mta.log`);
      return (await fetch(url).catch(() => undefined))?.status === 200;
    },
    { timeoutMs: START_TIMEOUT_MS },
  );
}

function readCpuSeconds({ postgres, redis, mta }: Running): Record<string, number> {
  const processes = readProcesses();
  const members = selectTree(processes, mta.pid);
  const role = (name: string) =>
    sumCpuSeconds(members.filter(({ pid, title }) => pid !== mta.pid && title.includes(name)));
  return {
    master: sumCpuSeconds(members.filter(({ pid }) => pid === mta.pid)),
    receiver: role('receiver'),
    sender: role('sender'),
    postgres: sumCpuSeconds(selectTree(processes, postgres.pid)),
    redis: sumCpuSeconds(selectTree(processes, redis.pid)),
  };
}
