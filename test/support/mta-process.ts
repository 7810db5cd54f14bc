/**
 * The real mta (mta/start.ts) as a child of the test, in a small world of its own: directory, ports, queue database
 * behind a proxy, DNS, a recipients' server that does as it is told, and the api's side of its RPC. Its processes can
 * be killed one by one.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { closeSync, mkdirSync, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { stringify } from 'smol-toml';
import { readSettings } from '../../config/load.ts';
import type { Settings } from '../../config/schema.ts';
import { nodeBinary, projectRoot } from '../../deploy/local/installation.ts';
import { isAlive, waitUntilGone } from '../../deploy/local/processes.ts';
import { createLogger } from '../../lib/log.ts';
import { invalidationChannel } from '../../lib/rpc/cache-key.ts';
import { startDnsServer } from '../../sandbox/dns-server.ts';
import type { Zone, ZoneAnswer } from '../../sandbox/zone.ts';
import { findFreePorts } from './free-ports.ts';
import { type HandOver, IntakeSession } from './intake-session.ts';
import { waitFor } from './mail.ts';
import { type MtaApi, startMtaApi } from './mta-api.ts';
import { type TestDatabase, testRedisUrl } from './postgres.ts';
import { findChildOf } from './processes.ts';
import { createQueueDatabase } from './queue.ts';
import { type ScriptedSink, startScriptedSink } from './scripted-sink.ts';
import { startTcpProxy, type TcpProxy } from './tcp-proxy.ts';

const START_DEADLINE_MS = 60_000;
const EXIT_DEADLINE_MS = 30_000;
const LOOPBACK = '127.0.0.1';

export type Role = 'master' | 'receiver' | 'sender';

export interface MtaProcess {
  readonly pid: number;
  /** Resolves when mail is taken and sent. */
  start(): Promise<void>;
  /** SIGKILL. Resolves when the process is gone; the master's children end with it. */
  kill(role: Role): Promise<void>;
  /** A signal to the master. @returns the exit code, or the signal that ended it */
  signal(...names: NodeJS.Signals[]): Promise<number | string>;
  find(role: Role): number;
  /** The intake lets us in and there is a sender: after a child was killed, its successor. */
  waitUntilReady(): Promise<void>;
  isRunning(): boolean;
}

export interface MtaWorld {
  settings: Settings;
  /** Not through the proxy. */
  database: TestDatabase;
  /** In front of the queue's Postgres. */
  postgres: TcpProxy;
  sink: ScriptedSink;
  api: MtaApi;
  mta: MtaProcess;
  /** What the mta knows of pools it asks for again; others use its Redis, too. */
  forgetPools(): Promise<void>;
  /** Gives the MX of a domain an address of its own. */
  setAddress(domain: string, address: string): void;
  /** A message that no other has been like. */
  newMessage(changes?: Partial<HandOver>): HandOver;
  /** Another mta on the same queue, with the same instance id unless the settings say otherwise. */
  startSecond(): Promise<ChildProcess>;
  /** Another mta on the same queue, under an instance id of its own; it is ready. */
  startInstance(instanceId: string): Promise<Settings>;
  close(): Promise<void>;
}

type Sections = Record<string, Record<string, unknown>>;

export interface WorldOptions {
  /** Settings that differ from the defaults. */
  sections?: Sections;
  /** Production: no address of this machine is connected to, not even the recipients' server of the test. */
  environment?: 'test' | 'production';
  /** What the DNS says instead; undefined: as otherwise. */
  answer?: (name: string, type: string) => ZoneAnswer | undefined;
  /** For the environment of its processes. */
  variables?: Record<string, string>;
  /** In place of a database of the shared Postgres; the world drops it. */
  database?: TestDatabase;
}

/** Leases of 5 s and retries after a second, unless the sections say otherwise. The mta is not started yet. */
export async function createMtaWorld(prefix: string, options: WorldOptions = {}): Promise<MtaWorld> {
  const database = options.database ?? (await createQueueDatabase(prefix));
  const { hostname, port } = new URL(database.url);
  const postgres = await startTcpProxy({ host: hostname, port: Number(port) });
  const sink = await startScriptedSink();
  const addresses = new Map<string, string>();
  const log = createLogger('test', { level: 'silent' });
  const dns = await startDnsServer({
    host: LOOPBACK,
    port: 0,
    zone: createZone(addresses, options.answer),
    log,
  });
  const secrets = createSecrets();
  const api = await startMtaApi(secrets.POSTERN_SERVICE_TOKEN);
  const directory = mkdtempSync(join(tmpdir(), 'postern-test-'));

  const write = async (name: string, instanceId = 'test'): Promise<Settings> => {
    const [intake, http, queueServer, control] = await findFreePorts(4);
    const queueUrl = Object.assign(new URL(database.url), {
      hostname: LOOPBACK,
      port: String(postgres.port),
    });
    return writeInstallation(
      join(directory, name),
      secrets,
      {
        mta: {
          ...{ intakePort: intake, apiPort: http, queueServerPort: queueServer, controlPort: control },
          ...{ nameservers: [`${LOOPBACK}:${dns.port}`], remotePort: sink.port },
        },
        sandbox: { dnsPort: dns.port, smtpPort: sink.port },
        api: { url: `http://${LOOPBACK}:${api.port}` },
        redis: { url: testRedisUrl() },
        queue: { url: queueUrl.href, leaseSeconds: 5, retryDelaysSeconds: [1] },
      },
      options,
      instanceId,
    );
  };
  const settings = await write('first');
  const variables = options.variables ?? {};
  const mta = createMtaProcess(settings, variables);
  // Keys are cached in a Redis that others use too.
  const domain = `${prefix.replaceAll('_', '-')}-${randomBytes(4).toString('hex')}.test`;
  let messages = 0;
  const seconds: ChildProcess[] = [];
  const instances: MtaProcess[] = [];

  return {
    settings,
    database,
    postgres,
    sink,
    api,
    mta,
    setAddress: (name, address) => void addresses.set(name, address),
    async forgetPools() {
      const redis = new Redis(testRedisUrl());
      for (const key of await redis.keys('postern:rpc:*:findSendingPools:*'))
        await redis.multi().del(key).publish(invalidationChannel, key).exec();
      await redis.quit();
    },
    newMessage(changes = {}) {
      const messageId = ++messages;
      return { messageId, domain, to: [`r${messageId}@one.test`], body: `Hello ${messageId}`, ...changes };
    },
    async startSecond() {
      const child = spawnMta(await write(`second-${seconds.length}`), variables);
      seconds.push(child);
      return child;
    },
    async startInstance(instanceId) {
      const own = await write(instanceId, instanceId);
      const instance = createMtaProcess(own, variables);
      instances.push(instance);
      await instance.start();
      return own;
    },
    async close() {
      for (const child of seconds) child.kill('SIGKILL');
      for (const instance of instances) await instance.kill('master');
      await mta.kill('master');
      await Promise.all([sink.close(), dns.close(), api.close(), postgres.close()]);
      await database.drop();
      if (!process.env.POSTERN_TEST_KEEP) rmSync(directory, { recursive: true, force: true });
    },
  };
}

/** Everybody has a mail server: on the address that was set for the domain, or on 127.0.0.1. */
function createZone(addresses: ReadonlyMap<string, string>, answer: WorldOptions['answer']): Zone {
  return {
    hostname: 'postern.test',
    async answer(name, type) {
      const domain = name.toLowerCase().replace(/\.$/, '');
      const special = answer?.(domain, type);
      if (special) return special;
      if (type === 'MX') {
        return { status: 'found', records: [{ type: 'MX', priority: 10, exchange: `mx.${domain}` }] };
      }
      const address = addresses.get(domain.replace(/^mx\./, '')) ?? LOOPBACK;
      return { status: 'found', records: type === 'A' ? [{ type: 'A', address }] : [] };
    },
  };
}

function createSecrets() {
  return {
    POSTERN_SECRET_KEY: randomBytes(32).toString('base64'),
    POSTERN_SERVICE_TOKEN: randomBytes(24).toString('hex'),
    POSTERN_INTAKE_PASSWORD: randomBytes(24).toString('hex'),
  };
}

function writeInstallation(
  directory: string,
  secrets: ReturnType<typeof createSecrets>,
  sections: Sections,
  { sections: changes = {}, environment = 'test' }: WorldOptions,
  instanceId = 'test',
): Settings {
  mkdirSync(directory, { recursive: true });
  const merged: Sections = { ...sections };
  for (const [name, section] of Object.entries(changes)) merged[name] = { ...sections[name], ...section };
  const general = { environment, instanceId, hostname: 'postern.test' };
  writeFileSync(join(directory, 'postern.toml'), stringify({ ...general, ...merged }));
  const lines = Object.entries(secrets).map(([name, value]) => `${name}=${value}\n`);
  writeFileSync(join(directory, 'postern.env'), lines.join(''), { mode: 0o600 });
  const result = readSettings({ POSTERN_DIRECTORY: directory });
  if (!result.ok) throw new Error(result.problems.join('; '));
  return result.settings;
}

function spawnMta({ directory }: Settings, variables: Record<string, string>): ChildProcess {
  const log = openSync(join(directory, 'mta.log'), 'a');
  const { PATH = '' } = process.env;
  const child = spawn(nodeBinary, [join(projectRoot, 'mta/start.ts')], {
    cwd: projectRoot,
    env: { PATH, POSTERN_DIRECTORY: directory, NODE_ENV: 'production', ...variables },
    stdio: ['ignore', log, log],
  });
  closeSync(log);
  return child;
}

function createMtaProcess(settings: Settings, variables: Record<string, string>): MtaProcess {
  let child: ChildProcess | undefined;

  const pidOf = () => {
    if (child?.pid === undefined) throw new Error('the mta is not running');
    return child.pid;
  };
  const find = (role: Role) => (role === 'master' ? pidOf() : findChildOf(pidOf(), role));
  // Whoever waited for the pid to go may be here before Node has heard of the exit.
  const isRunning = () =>
    child?.pid !== undefined && child.exitCode === null && child.signalCode === null && isAlive(child.pid);

  async function waitUntilReady(): Promise<void> {
    await waitFor(
      'the mta to be ready',
      async () => {
        if (!isRunning()) throw new Error(`the mta ended: see ${settings.directory}/mta.log`);
        find('sender');
        const health = await fetch(`http://${LOOPBACK}:${settings.mta.controlPort}/health`);
        if (health.status !== 200) return undefined;
        (await IntakeSession.open(settings)).close();
        return true;
      },
      START_DEADLINE_MS,
    );
  }

  return {
    get pid() {
      return pidOf();
    },
    async start() {
      if (isRunning()) return;
      child = spawnMta(settings, variables);
      await waitUntilReady();
    },
    async kill(role) {
      if (!isRunning()) return;
      const ending = role === 'master' ? familyOf(pidOf()) : [find(role)];
      process.kill(find(role), 'SIGKILL');
      if (!(await waitUntilGone(ending, EXIT_DEADLINE_MS))) throw new Error(`${role} outlived SIGKILL`);
    },
    async signal(...names) {
      const running = child;
      if (!running) throw new Error('the mta is not running');
      const family = familyOf(pidOf());
      const exit = once(running, 'exit');
      for (const name of names) running.kill(name);
      const [code, signal] = await exit;
      if (!(await waitUntilGone(family, EXIT_DEADLINE_MS))) throw new Error('a child outlived the mta');
      return code ?? signal;
    },
    find,
    waitUntilReady,
    isRunning,
  };
}

/** The master and those of its children that live. */
function familyOf(master: number): number[] {
  const children = (['receiver', 'sender'] as const).flatMap((role) => {
    try {
      return [findChildOf(master, role)];
    } catch {
      return []; // it has none at the moment
    }
  });
  return [master, ...children].filter(isAlive);
}
