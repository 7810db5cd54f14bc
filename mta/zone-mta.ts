/**
 * The modules of ZoneMTA that we call or stand in for, and the little of their shape that we rely on. ZoneMTA is
 * CommonJS without types; this is the one place where it is required and its types are stated.
 */

import type { ChildProcess } from 'node:child_process';
import type { EventEmitter } from 'node:events';
import { createRequire } from 'node:module';
import type { AttemptFacts, Claim, MessageIdentity } from '../lib/delivery.ts';

const require = createRequire(import.meta.url);

export type Callback<T = unknown> = (error: Error | null, result?: T) => void;
export type SendCommand = (
  command: { cmd: string; [key: string]: unknown } | string,
  callback: Callback,
) => void;

/** A delivery in a sender process: the claimed row, the envelope, and what ZoneMTA adds on the way. */
export interface SenderDelivery {
  id: string;
  seq: string;
  domain: string;
  recipient: string;
  from: string;
  to: string[];
  sendingZone: string;
  sessionId: string;
  _lock: string;
  _deferred?: { count: number };
  postern: MessageIdentity;
  claim: Claim;
  attempt?: AttemptFacts;
  status?: { delivered: boolean; response?: string };
  skipBounce?: boolean;
  [key: string]: unknown;
}

export interface PluginHandler {
  context: 'main' | 'receiver' | 'sender';
  queue: unknown;
  plugins: { path: string }[];
  loaded: { path: string }[];
  load(done: () => void): void;
}

/** The constructor of lib/sender.js: works through deliveries one by one, from the moment it is made. */
export type SenderConstructor = new (
  clientId: string,
  connectionId: number,
  zone: unknown,
  sendCommand: SendCommand,
  queue: unknown,
  connectionPool: unknown,
) => EventEmitter;

/** lib/plugins.js: the plugin handler of this process, made before any queue is. */
export function pluginHandler(): PluginHandler {
  return (require('@zone-eu/zone-mta/lib/plugins') as { handler: PluginHandler }).handler;
}

/** ZoneMTA's own Sender, for the one that stands in for it (mta/queue/sender.ts): preload.ts lets that one through. */
export function zoneMtaSender(): SenderConstructor {
  return require('@zone-eu/zone-mta/lib/sender.js?original') as SenderConstructor;
}

/** lib/ttl-cache.js: what GETCACHE and SETCACHE of the queue server speak to. */
export interface TtlCache {
  data: Map<string, unknown>;
  sorted: unknown[];
  get(key: string): unknown;
  set(key: string, value: unknown, ttl: number, onExpired?: (value: unknown) => void): void;
  remove(key: string): void;
  flush(): void;
}

/** lib/sending-zone.js: the zones of the master, each with the sender processes that it has forked. */
export interface SendingZone {
  name: string;
  disabled?: boolean;
  children: Set<ChildProcess>;
}

export function sendingZones(): SendingZone[] {
  const { list } = require('@zone-eu/zone-mta/lib/sending-zone') as { list(): Map<string, SendingZone> };
  return [...list().values()].filter((zone) => !zone.disabled);
}

export function createTtlCache(): TtlCache {
  const Cache = require('@zone-eu/zone-mta/lib/ttl-cache') as new () => TtlCache;
  return new Cache();
}

export function createSequence(): { get(): string } {
  const SeqIndex = require('@zone-eu/seq-index') as new () => { get(): string };
  return new SeqIndex();
}

export function createMailDrop(queue: unknown): unknown {
  const MailDrop = require('@zone-eu/zone-mta/lib/mail-drop') as new (queue: unknown) => unknown;
  return new MailDrop(queue);
}

/** Runs ZoneMTA's master in this process. */
export function startZoneMta(): void {
  require('@zone-eu/zone-mta');
}
