/** The mta with its own Postgres and Redis; api and DNS are played by this process. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Settings } from '../../config/schema.ts';
import { nodeBinary, projectRoot } from '../../deploy/local/installation.ts';
import { type ProcessFacts, readProcesses, selectTree } from '../measure/processes.ts';
import { type Child, startChild } from '../world/children.ts';
import { startSurroundings } from '../world/surroundings.ts';
import { waitUntil } from '../world/wait.ts';
import { prepareQueue, startPostgres, startRedis } from './databases.ts';
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
  const surroundings = await startSurroundings(options);
  const { events } = surroundings.api;
  let running: Running | undefined;

  return {
    name: 'postern',
    intakePort: settings.mta.intakePort,
    async start() {
      running = await startAll(options);
    },
    async stop() {
      // Last started first: the mta finishes what is under way.
      await running?.mta.stop('SIGTERM');
      await running?.redis.stop('SIGTERM');
      await running?.postgres.stop('SIGINT');
      running = undefined;
    },
    listProcesses: () => (running ? listProcesses(running) : {}),
    countReported: () => events.delivered,
    settle: (reported) => waitUntil('all events to be reported', () => events.delivered >= reported),
    close: surroundings.close,
  };
}

interface Running {
  postgres: Child;
  redis: Child;
  mta: Child;
}

async function startAll({ settings, profileDirectory }: PosternOptions): Promise<Running> {
  const postgres = startPostgres(settings);
  const redis = await startRedis(settings);
  await prepareQueue(settings);
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

/** @param mta when given, its end ends the wait. @throws when it is not healthy within a minute */
export async function waitForHealth(settings: Settings, mta?: Child): Promise<void> {
  let end: number | string | undefined;
  void mta?.ended.then((code) => {
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

function listProcesses({ postgres, redis, mta }: Running): Record<string, ProcessFacts[]> {
  const processes = readProcesses();
  const members = selectTree(processes, mta.pid);
  const children = (role: string) =>
    members.filter(({ pid, title }) => pid !== mta.pid && title.includes(role));
  return {
    master: members.filter(({ pid }) => pid === mta.pid),
    receiver: children('receiver'),
    sender: children('sender'),
    postgres: selectTree(processes, postgres.pid),
    redis: selectTree(processes, redis.pid),
  };
}
