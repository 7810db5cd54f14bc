/**
 * A recipient's SMTP server that does what a test says at each stage: another reply, a long silence, a closed
 * connection. Without a word from the script it takes everything. It keeps a record of what arrived. STARTTLS is there
 * when a script offers and accepts it.
 */
import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import { createSecureContext, TLSSocket } from 'node:tls';
import type { Certificate } from '../../lib/certificate.ts';
import { portOf } from '../../sandbox/port.ts';

/** `dot`: the message is complete; its reply says whether it is taken. */
export type Stage =
  | 'connect'
  | 'ehlo'
  | 'starttls'
  | 'helo'
  | 'mail'
  | 'rcpt'
  | 'data'
  | 'dot'
  | 'rset'
  | 'quit'
  | 'other';

export interface Moment {
  stage: Stage;
  /** As the client sent it; empty: the greeting, or the end of the message. */
  command: string;
  /** Empty before RCPT. */
  recipient: string;
  /** Where the client connected to: tells destinations apart before a recipient is named. */
  address: string;
  /** Where it came from */
  client: string;
  /** Number of the connection, from 1 */
  connection: number;
  isTls: boolean;
  /** ms since the epoch */
  at: number;
}

/** In place of a reply: the connection is closed without one. */
export const DROP = Symbol('drop');
export type Reaction = string | typeof DROP | undefined;
/** A reply of 220 to STARTTLS begins TLS, however it goes on; after this one the client's hello is answered in plaintext. */
export const GARBAGE = '220 2.0.0 Ready or not';
/** A promise that does not resolve holds the client at this stage. */
export type Script = (moment: Moment) => Reaction | Promise<Reaction>;

export interface Arrival {
  recipient: string;
  connection: number;
  isTls: boolean;
  /** Without the final dot; dot-stuffing undone. */
  data: Buffer;
  /** Whether our 250 was written. */
  isAccepted: boolean;
}

export interface ScriptedSink {
  port: number;
  script: Script;
  /** For STARTTLS */
  certificate: Certificate | undefined;
  /** Everything that clients did, in order. */
  readonly moments: Moment[];
  readonly arrivals: Arrival[];
  /** How often mail to the recipient was taken. */
  copies(recipient: string): number;
  /** Connections that are open. */
  readonly connections: number;
  /** Ends the open connections, as a server does with idle ones. */
  dropConnections(): void;
  /** Forgets what arrived, and the script. */
  reset(): void;
  close(): Promise<void>;
}

const DEFAULTS: Record<Stage, string> = {
  connect: '220 sink.test ESMTP',
  ehlo: '250-sink.test\r\n250-8BITMIME\r\n250 SMTPUTF8',
  starttls: '502 5.5.1 There is no TLS',
  helo: '250 sink.test',
  mail: '250 2.1.0 OK',
  rcpt: '250 2.1.5 OK',
  data: '354 Go ahead',
  dot: '250 2.0.0 OK',
  rset: '250 2.0.0 OK',
  quit: '221 2.0.0 Bye',
  other: '500 5.5.1 Unknown command',
};

const END_OF_DATA = Buffer.from('\r\n.\r\n');

/** Listens on every address of loopback (127.0.0.0/8), so that destinations can have one each. */
export async function startScriptedSink(): Promise<ScriptedSink> {
  const sockets = new Set<Socket>();
  let count = 0;
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {}); // a killed client: 'close' follows
    socket.once('close', () => sockets.delete(socket));
    void new Session(socket, ++count, sink).run();
  });
  const sink = {
    port: 0,
    script: (() => undefined) as Script,
    certificate: undefined as Certificate | undefined,
    moments: [] as Moment[],
    arrivals: [] as Arrival[],
    copies: (recipient: string) =>
      sink.arrivals.filter((arrival) => arrival.isAccepted && arrival.recipient === recipient).length,
    get connections() {
      return sockets.size;
    },
    dropConnections() {
      for (const socket of sockets) socket.destroy();
    },
    reset() {
      sink.script = () => undefined;
      sink.moments.length = 0;
      sink.arrivals.length = 0;
    },
    async close() {
      sink.dropConnections();
      server.close();
      await once(server, 'close');
    },
  };
  server.listen(0, '0.0.0.0');
  await once(server, 'listening');
  sink.port = portOf(server);
  return sink;
}

class Session {
  #socket: Socket;
  readonly #number: number;
  readonly #sink: ScriptedSink;
  readonly #address: string;
  readonly #client: string;
  #reader: Reader;
  #recipient = '';

  constructor(socket: Socket, number: number, sink: ScriptedSink) {
    this.#socket = socket;
    this.#number = number;
    this.#sink = sink;
    this.#address = socket.localAddress ?? '';
    this.#client = socket.remoteAddress ?? '';
    this.#reader = new Reader(socket);
  }

  async run(): Promise<void> {
    let reply = await this.#react('connect');
    while (reply !== DROP) {
      const line = await this.#reader.readUntil(Buffer.from('\r\n'));
      if (!line) return;
      const stage = stageOf(line.toString('latin1'));
      if (stage === 'rcpt') this.#recipient = /<([^>]*)>/.exec(line.toString('latin1'))?.[1] ?? '';
      reply = await this.#react(stage, line.toString('latin1'));
      if (stage === 'quit') this.#socket.end();
      if (stage === 'starttls' && String(reply).startsWith('220')) this.#secure(reply === GARBAGE);
      if (stage === 'data' && typeof reply === 'string' && reply.startsWith('354'))
        reply = await this.#receive();
    }
  }

  #secure(isBroken: boolean): void {
    const plain = this.#socket;
    if (isBroken) return void plain.once('data', () => plain.write(`${DEFAULTS.other}\r\n`));
    plain.removeAllListeners('data');
    const secureContext = createSecureContext(this.#sink.certificate);
    this.#socket = new TLSSocket(plain, { isServer: true, secureContext });
    this.#socket.on('error', () => plain.destroy());
    this.#reader = new Reader(this.#socket);
  }

  async #receive(): Promise<string | typeof DROP> {
    const data = await this.#reader.readUntil(END_OF_DATA);
    if (!data) return DROP;
    const arrival: Arrival = {
      recipient: this.#recipient,
      connection: this.#number,
      isTls: this.#socket instanceof TLSSocket,
      data: Buffer.from(data.toString('latin1').replaceAll('\r\n..', '\r\n.'), 'latin1'),
      isAccepted: false,
    };
    this.#sink.arrivals.push(arrival);
    return this.#react('dot', '', arrival);
  }

  async #react(stage: Stage, command = '', arrival?: Arrival): Promise<string | typeof DROP> {
    const moment = {
      stage,
      command,
      recipient: this.#recipient,
      address: this.#address,
      client: this.#client,
      connection: this.#number,
      isTls: this.#socket instanceof TLSSocket,
      at: Date.now(),
    };
    this.#sink.moments.push(moment);
    const reply = (await this.#sink.script(moment)) ?? DEFAULTS[stage];
    if (reply === DROP || this.#socket.destroyed) {
      this.#socket.destroy();
      return DROP;
    }
    if (arrival && reply.startsWith('2')) arrival.isAccepted = true;
    this.#socket.write(`${reply}\r\n`);
    if (stage === 'dot' || stage === 'rset') this.#recipient = '';
    return reply;
  }
}

function stageOf(line: string): Stage {
  const verb = line.slice(0, 4).toLowerCase();
  if (/^starttls$/i.test(line)) return 'starttls';
  const verbs = ['ehlo', 'helo', 'mail', 'rcpt', 'data', 'rset', 'quit'] as const;
  return verbs.find((stage) => stage === verb) ?? 'other';
}

/** Cuts a socket's bytes at a terminator. */
class Reader {
  readonly #socket: Socket;
  #bytes: Buffer = Buffer.alloc(0);
  #wake: () => void = () => {};

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('data', (chunk: Buffer) => {
      this.#bytes = Buffer.concat([this.#bytes, chunk]);
      this.#wake();
    });
    socket.once('close', () => this.#wake());
  }

  /** @returns what stands before the terminator; undefined when the connection ended */
  async readUntil(terminator: Buffer): Promise<Buffer | undefined> {
    for (;;) {
      const end = this.#bytes.indexOf(terminator);
      if (end !== -1) {
        const found = this.#bytes.subarray(0, end);
        this.#bytes = this.#bytes.subarray(end + terminator.length);
        return found;
      }
      if (this.#socket.destroyed) return undefined;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }
}
