/**
 * The modules of ZoneMTA that we call or stand in for, and the little of their shape that we rely on. ZoneMTA is
 * CommonJS without types; this is the one place where it is required and its types are stated.
 */

import type { ChildProcess } from 'node:child_process';
import type { EventEmitter } from 'node:events';
import { createRequire } from 'node:module';
import type { Readable } from 'node:stream';
import type { AttemptFacts, Claim, MessageIdentity } from '../lib/delivery.ts';

const require = createRequire(import.meta.url);
/** For packages that ZoneMTA has, in its version of them. */
const requireOfZoneMta = createRequire(require.resolve('@zone-eu/zone-mta/package.json'));

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
  /** Set by plugins/suppression: why it is not made. */
  suppressionReason?: string;
  /** Set by plugins/source-address: where it is tried from. */
  source?: { ipv4?: { address: string } | undefined; ipv6?: { address: string } | undefined };
  /** Set by plugins/source-address: greylisted, and so tried from this address again. */
  pinnedAddress?: string;
  /** Set by plugins/source-address: it is due again at once, from another address. */
  isForAnotherAddress?: boolean;
  [key: string]: unknown;
}

export interface PluginLoader {
  context: 'main' | 'receiver' | 'sender';
  queue: unknown;
  plugins: { path: string }[];
  loaded: { path: string }[];
  load(done: () => void): void;
}

export interface PluginHandler extends PluginLoader {
  /** By name */
  hooks: Map<string, unknown[]>;
  analyzers: Set<unknown>;
  rewriters: Set<unknown>;
  streamers: Set<unknown>;
  runHooks(name: string, given: unknown[]): Promise<void>;
}

/** mailsplit's Headers, of which `getList` gives the lines. */
export interface MailHeaders {
  getList(): unknown[];
}

/** A message on its way from a session into the queue. */
export interface DroppedEnvelope {
  id: string;
  headers?: MailHeaders | unknown[];
  /** Set by our plugins (lib/mta-types.ts) */
  replyNote?: string;
  [key: string]: unknown;
}

/** lib/mail-drop.js */
export type MailDropConstructor = new (
  queue: unknown,
) => {
  queue: unknown;
  add(envelope: DroppedEnvelope, source: Readable, callback: Callback): void;
};

/** The constructor of lib/sender.js: works through deliveries one by one, from the moment it is made. */
export type SenderConstructor = new (
  clientId: string,
  connectionId: number,
  zone: unknown,
  sendCommand: SendCommand,
  queue: unknown,
  connectionPool: unknown,
) => ZoneMtaSender;

/** Of a zone's settings, those that decide how a connection is opened. */
export interface ConnectionSettings {
  host?: string;
  port?: number;
  secure?: boolean;
  preferIPv6?: boolean;
  ignoreTLS?: boolean;
}

interface ZoneMtaSender extends EventEmitter {
  readonly zone: ConnectionSettings;
  getConnection(delivery: SenderDelivery, callback: Callback): void;
}

/** lib/plugins.js: the plugin handler of this process, made before any queue is. */
export function pluginHandler(): PluginHandler {
  return (require('@zone-eu/zone-mta/lib/plugins') as { handler: PluginHandler }).handler;
}

/** ZoneMTA's own Sender, for the one that stands in for it (mta/queue/sender.ts): preload.ts lets that one through. */
export function zoneMtaSender(): SenderConstructor {
  return require('@zone-eu/zone-mta/lib/sender.js?original') as SenderConstructor;
}

/** ZoneMTA's own MailDrop, for the one that stands in for it (mta/queue/mail-drop.ts). */
export function zoneMtaMailDrop(): MailDropConstructor {
  return require('@zone-eu/zone-mta/lib/mail-drop.js?original') as MailDropConstructor;
}

/** @param block the root header of a message, with the empty line behind it */
export function createHeaders(block: Buffer): MailHeaders {
  const { Headers } = requireOfZoneMta('@zone-eu/mailsplit') as {
    Headers: new (block: Buffer) => MailHeaders;
  };
  return new Headers(block);
}

interface BodyHash {
  update(bytes: Buffer): void;
  digest(encoding: 'base64'): string;
}

/** The hash of a body as DKIM signs it (RFC 6376 3.4), base64. */
export function hashBody(canonicalization: 'relaxed', algorithm: 'sha256', body: Buffer): string {
  const { dkimBody } = requireOfZoneMta('mailauth/lib/dkim/body') as {
    dkimBody(canonicalization: string, algorithm: string): BodyHash;
  };
  const bodyHash = dkimBody(canonicalization, algorithm);
  bodyHash.update(body);
  return bodyHash.digest('base64');
}

export type SmtpConnectionOptions = Record<string, unknown>;

export interface SmtpEnvelope {
  from: string;
  to: string | string[];
  /** Bytes of the message */
  size?: number;
  use8BitMime?: boolean;
}

/** nodemailer's SMTPConnection: what the one that stands in for it (mta/smtp-connection.ts) touches. */
export type SmtpConnectionConstructor = new (options: SmtpConnectionOptions) => SmtpConnection;

type SmtpCallback = (error: Error | null, result?: unknown) => void;

interface SmtpConnection extends EventEmitter {
  _socket: { cork(): void; uncork(): void };
  readonly secure: boolean;
  /** While STARTTLS is under way */
  readonly upgrading?: boolean;
  readonly _destroyed: boolean;
  /** What the server's reply to EHLO offers */
  _supportedExtensions: string[];
  /** Bytes, of SIZE; 0: it names none */
  _maxAllowedSize: number;
  /** Replies that came and were not looked at yet, their lines joined; the last may be incomplete. */
  _responseQueue: string[];
  _responsePartial: boolean;
  /** The beginning of a line */
  _remainder: string;
  /** The message, as long as not all of it is with the socket */
  _currentDataStream: unknown;
  connect(callback: () => void): void;
  send(envelope: SmtpEnvelope, message: unknown, callback: SmtpCallback): void;
  _createSendStream(callback: (error: Error | null, response?: string) => void): unknown;
  _sendCommand(command: string, logged?: string): void;
  _onData(chunk: Buffer): void;
  _processResponse(): void;
  /** Ends the connection, with an event */
  _onError(error: Error, code: string, reply: string | false, command: string): void;
  _destroy(): void;
  _actionMAIL(reply: string, callback: SmtpCallback): void;
  _actionRCPT(reply: string, callback: SmtpCallback): void;
  _actionDATA(reply: string, callback: SmtpCallback): void;
  _actionSMTPStream(reply: string, callback: SmtpCallback): void;
  /** Why no recipient of the envelope is left; null: there are some */
  _envelopeError(reply: string): Error | null;
}

export function smtpConnection(): SmtpConnectionConstructor {
  return require('nodemailer/lib/smtp-connection?original') as SmtpConnectionConstructor;
}

/** What ZoneMTA asks of mx-connect, as far as the one that stands in for it (mta/mx-connect.ts) looks at it. */
export interface MxOptions {
  target: string;
  dnsOptions?: Record<string, unknown>;
  /** Addresses that were of no use in this attempt */
  ignoreMXHosts?: string[];
  /** Of the last of them */
  mxLastError?: Error | false;
  maxConnectTime?: number;
}

export type MxConnect = (options: MxOptions) => Promise<unknown>;

export function mxConnect(): MxConnect {
  return requireOfZoneMta('mx-connect?original') as MxConnect;
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
  const MailDrop = require('@zone-eu/zone-mta/lib/mail-drop') as MailDropConstructor;
  return new MailDrop(queue);
}

/** Runs ZoneMTA's master in this process. */
export function startZoneMta(): void {
  require('@zone-eu/zone-mta');
}
