/** The arguments of ZoneMTA's hooks as our plugins see them: the parts that they use. */
import type { X509Certificate } from 'node:crypto';
import type { Readable } from 'node:stream';
import type { AttemptFacts, Claim, EventOutbox, MessageIdentity } from './delivery.ts';
import type { Source } from './pools/choose.ts';

/** mailsplit's Headers: lines top to bottom, `line` is the raw field with its folds, one character a byte. */
export interface Headers {
  getList(): { key: string; line: string }[];
  getFirst(key: string): string;
  hasHeader(key: string): boolean;
  remove(key: string): void;
  addFormatted(key: string, line: string | Buffer, index?: number): void;
}

/** Of a delivery, in a sender */
export interface SentHeaders extends Headers {
  /** The header as it is sent, with the empty line behind it */
  build(): Buffer;
}

export interface Session {
  id: string;
  user?: string;
  remoteAddress: string;
}

export interface Envelope {
  id: string;
  from: string;
  to: string[];
  headers: Headers;
  postern?: MessageIdentity;
  /** What the reply to the worker says behind "queued": one line of ASCII. */
  replyNote?: string;
}

export interface LocalAddress {
  address: string;
  /** Said in EHLO */
  name: string;
}

export interface Delivery {
  id: string;
  seq: string;
  recipient: string;
  from: string;
  envelope: { from: string; to: string };
  headers: SentHeaders;
  /** Bytes of the body as it is stored and sent */
  bodySize?: number;
  dkim?: { bodyHash?: string };
  postern: MessageIdentity;
  claim: Claim;
  attempt?: AttemptFacts;
  /** Of the recipient, A-labels */
  domain: string;
  /** Hosts in place of the domain's MX */
  mx?: { exchange: string; priority: number }[];
  /** Set by plugins/tls-policy: connections are shared among equals (mta/queue/connection-key.ts). */
  tlsTerms?: 'opportunistic' | 'verified';
  localAddress?: string;
  mxHostname?: string;
  /** How often it was deferred; absent at the first attempt. */
  _deferred?: { count: number };
  zoneAddress?: LocalAddress;
  zoneAddressIPv4?: LocalAddress;
  zoneAddressIPv6?: LocalAddress;
  dnsOptions?: { ignoreIPv6?: boolean; preferIPv6?: boolean };
  /** Set by plugins/source-address: from where, to which site, and how many other addresses there are. */
  source?: Source & { site: string; alternatives: number };
  /** It was greylisted there: it comes back from this address (mta/queue/endings.ts). */
  pinnedAddress?: string;
  /** The address was refused, not the mail: due again at once, from another (mta/queue/sender.ts). */
  isForAnotherAddress?: boolean;
  skipBounce?: boolean;
  /** Not to be made; ZoneMTA releases it instead. */
  isSuppressed?: boolean;
  suppressionReason?: string;
}

/** nodemailer's SMTPConnection, as mta/smtp-connection.ts has it. */
export interface Connection {
  secure?: boolean;
  /** Of the message that is sent next */
  messageBytes?: number;
  options: { host?: string; servername?: string; localAddress?: string };
  _socket?: {
    getProtocol?(): string | null;
    getCipher?(): { name: string; standardName?: string };
    authorized?: boolean;
    authorizationError?: Error | string | null;
    getPeerX509Certificate?(): X509Certificate | undefined;
    localAddress?: string;
  };
}

export interface DeliveryError extends Error {
  /** Of Node, where there was no reply */
  code?: string;
  response?: string;
  /** Decides instead of ZoneMTA's bounce rules */
  action?: 'defer' | 'reject';
  mxHost?: string;
}

/** A session of the intake's smtp-server. */
export interface SmtpConnection {
  session: { envelope: { mailFrom: unknown } };
  send(code: number, text: string): void;
  close(): void;
  /** Sends the greeting. */
  connectionReady(): void;
}

export interface SmtpInterface {
  /** To the master */
  sendCommand(command: unknown, callback: (error: unknown, result?: unknown) => void): void;
  server: {
    connections: Set<SmtpConnection>;
    connect(socket: unknown, options: unknown): void;
  };
}

export interface Plugin {
  addHook(name: 'smtp:init', hook: (smtp: SmtpInterface) => Promise<void>): void;
  addHook(
    name: 'smtp:auth',
    hook: (auth: { username: string; password: string }, session: Session) => Promise<void>,
  ): void;
  addHook(
    name: 'smtp:mail_from',
    hook: (address: { address: string }, session: Session) => Promise<void>,
  ): void;
  addHook(name: 'message:headers' | 'message:queue', hook: (envelope: Envelope) => Promise<void>): void;
  /**
   * Run by mta/queue/mail-drop.ts: after `message:headers` with a message that is in memory; with a long one, as a stream,
   * before them, while it comes in.
   */
  addHook(
    name: 'message:content',
    hook: (envelope: Envelope, content: Buffer | Readable) => Promise<void>,
  ): void;
  addHook(name: 'sender:fetch', hook: (delivery: Delivery) => Promise<void>): void;
  addHook(
    name: 'sender:connection' | 'sender:headers',
    hook: (delivery: Delivery, connection: Connection) => Promise<void>,
  ): void;
  addHook(
    name: 'sender:connect',
    hook: (delivery: Delivery, options: { host?: string; localAddress?: string }) => Promise<void>,
  ): void;
  /** Behind the commit of the ending */
  addHook(name: 'sender:delivered', hook: (delivery: Delivery) => Promise<void>): void;
  addHook(
    name: 'sender:responseError',
    hook: (delivery: Delivery, connection: Connection | false, error: DeliveryError) => Promise<void>,
  ): void;
  getQueue(): { outbox: EventOutbox };
}
