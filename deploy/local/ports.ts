/** The ports of an installation: which process needs which, whether they are free, and who sits on them. */
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { createServer } from 'node:net';
import type { Settings } from '../../config/schema.ts';
import { describeProcess, listProcesses } from './processes.ts';
import { findOwnPostgres, findOwnRedisPort, findOwnRspamd } from './servers.ts';

type Environment = Readonly<Record<string, string | undefined>>;

export interface Port {
  /** Name of the process in ecosystem.config.cjs */
  process: string;
  host: string;
  port: number;
  transport: 'tcp' | 'udp';
}

/** Every port that the processes of this installation listen on. */
export function listPorts(settings: Settings, environment: Environment): Port[] {
  const { api, worker, gateway, mta, inbound, sandbox } = settings;
  const loopback = '127.0.0.1';
  const rspamd = findOwnRspamd(settings, environment);
  const tcp = (process: string, host: string, ...ports: (number | undefined)[]): Port[] =>
    ports.flatMap((port) => (port === undefined ? [] : [{ process, host, port, transport: 'tcp' as const }]));
  return [
    ...tcp('postgres', loopback, findOwnPostgres(settings, environment)?.port),
    ...tcp('redis', loopback, findOwnRedisPort(settings, environment)),
    ...tcp('rspamd', loopback, rspamd?.port, rspamd?.controllerPort),
    ...tcp('api', api.host, api.port),
    ...tcp('worker', loopback, worker.port),
    ...tcp('gateway', gateway.host, gateway.starttlsPort, gateway.tlsPort, gateway.alternativePort),
    ...tcp('gateway', loopback, gateway.monitorPort),
    ...tcp('mta', mta.intakeHost, mta.intakePort),
    ...tcp('mta', loopback, mta.apiPort, mta.queueServerPort, mta.controlPort),
    ...tcp('inbound', inbound.host, inbound.port),
    ...tcp('inbound', loopback, inbound.monitorPort),
    ...tcp('sandbox', sandbox.host, sandbox.dnsPort, sandbox.smtpPort, sandbox.httpPort, sandbox.httpsPort),
    { process: 'sandbox', host: sandbox.host, port: sandbox.dnsPort, transport: 'udp' },
  ];
}

/** The reason why the port cannot be had, with the holder where /proc tells; undefined where it is free. */
export async function explainTakenPort({ host, port, transport }: Port): Promise<string | undefined> {
  const code = await tryToBind(host, port, transport);
  if (!code) return undefined;
  if (code !== 'EADDRINUSE') return code;
  const holder = findHolder(port, transport);
  return holder === undefined
    ? 'is taken by a process of another user'
    : `is taken by ${describeProcess(holder)}`;
}

async function tryToBind(host: string, port: number, transport: 'tcp' | 'udp'): Promise<string | undefined> {
  const server = transport === 'tcp' ? createServer() : createSocket(host.includes(':') ? 'udp6' : 'udp4');
  const listening = once(server, 'listening');
  try {
    if ('bind' in server) server.bind({ port, address: host, exclusive: true });
    else server.listen({ port, host, exclusive: true });
    await listening;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? String(error);
  }
  const closed = once(server, 'close');
  server.close();
  await closed;
  return undefined;
}

/** The process that listens on the port, by its socket's inode (proc_net_tcp(5)). */
function findHolder(port: number, transport: 'tcp' | 'udp'): number | undefined {
  const sockets = new Set([transport, `${transport}6`].flatMap((table) => listSockets(table, port)));
  return sockets.size === 0 ? undefined : listProcesses().find((pid) => holdsOne(pid, sockets));
}

function listSockets(table: string, port: number): string[] {
  const LISTEN = '0A';
  const UNCONNECTED = '07'; // how a bound UDP socket is shown
  const suffix = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  return readOrEmpty(`/proc/net/${table}`)
    .split('\n')
    .slice(1)
    .map((line) => line.trim().split(/\s+/))
    .filter(([, local, , state]) => local?.endsWith(suffix) && (state === LISTEN || state === UNCONNECTED))
    .map((fields) => `socket:[${fields[9]}]`);
}

function holdsOne(pid: number, sockets: ReadonlySet<string>): boolean {
  try {
    return readdirSync(`/proc/${pid}/fd`).some((fd) => sockets.has(readlinkSync(`/proc/${pid}/fd/${fd}`)));
  } catch {
    return false; // ended in the meantime, or another user's
  }
}

function readOrEmpty(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return ''; // no /proc, or no IPv6
  }
}
