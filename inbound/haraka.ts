/**
 * The modules of Haraka that we call or put something around, and the little of their shape that we rely on. Haraka is
 * CommonJS without types; this is the one place where it is required and its types are stated.
 *
 * It reads its settings while it is loaded, from the folder that the variable HARAKA names: set that first.
 */
import type { EventEmitter } from 'node:events';
import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);

/** What a hook says (haraka-constants) */
export const verdicts = {
  goOn: 900,
  deny: 902,
  denySoft: 903,
  denyDisconnect: 904,
  ok: 906,
  denySoftDisconnect: 909,
} as const;

/** Where a connection is (haraka-constants) */
export const states = { command: 1, loop: 2, data: 3, pauseData: 6, disconnecting: 99 } as const;

export interface HarakaAddress {
  /** Whole address without angle brackets; empty for the null reverse-path */
  address: string;
  user: string | null;
  host: string | null;
}

export interface Results {
  get(plugin: string): Record<string, unknown> | undefined;
}

export interface Transaction {
  uuid: string;
  mail_from: HarakaAddress;
  rcpt_to: HarakaAddress[];
  notes: { data_line_length_exceeded?: boolean };
  results: Results;
  /** Nothing of the message is kept for plugins that would read it. */
  discard_data: boolean;
  /** Deletes a file at its end, also one that it has not written. */
  message_stream: { destroy(): void };
}

export interface HarakaConnection {
  uuid: string;
  state: number;
  remote: { ip: string; host: string | null; is_private: boolean };
  local: { host: string };
  hello: { host: string | null };
  client: EventEmitter & { destroy(): void; targetsocket?: { writableLength?: number } };
  transaction: Transaction | null;
  capabilities: string[];
  errors: number;
  awaiting_data_reply: boolean;
  respond(code: number, text: unknown, then?: () => void): unknown;
  disconnect(): void;
  accumulate_data(line: Buffer | string): void;
}

interface ConnectionClass {
  prototype: HarakaConnection & { cmd_internalcmd?: unknown };
  /** Called once for each connection, before anything else happens to it */
  setupClient(connection: HarakaConnection): void;
}

export type Next = (verdict?: number, text?: string) => void;

/** `this` of a plugin's register() */
export interface HarakaPlugin {
  name: string;
  register_hook(hook: string, method: string, priority?: number): void;
}

interface Server {
  createServer(): void;
  stopListeners(): void;
}

interface TlsSocket {
  tls_valid?: boolean;
  certsByHost: { set(path: string, value: unknown): void };
  load_tls_ini(): void;
  load_default_opts(): void;
}

export function harakaConnection(): ConnectionClass {
  return (require('Haraka/connection.js') as { Connection: ConnectionClass }).Connection;
}

export function harakaServer(): Server {
  return require('Haraka/server.js') as Server;
}

export function harakaTls(): TlsSocket {
  return require('Haraka/tls_socket.js') as TlsSocket;
}
