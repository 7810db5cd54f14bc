/** A session with the mta's intake, byte by byte, as the worker holds it: to be cut anywhere. */
import { once } from 'node:events';
import { createConnection, type Socket } from 'node:net';
import type { Settings } from '../../config/schema.ts';
import { waitFor } from './mail.ts';

export interface HandOver {
  /** The api's id of the message */
  messageId: number;
  domain: string;
  to: string[];
  /** Lines end in CRLF; no line may begin with a dot. */
  body: string;
  priority?: number;
  /** What is asked of TLS */
  tls?: 'required';
}

const ACCEPT_DEADLINE_MS = 60_000;

export class IntakeSession {
  readonly #socket: Socket;
  #text = '';
  #wake: () => void = () => {};

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.setNoDelay(true);
    socket.on('data', (chunk: Buffer) => {
      this.#text += chunk.toString('latin1');
      this.#wake();
    });
    socket.on('error', () => {}); // 'close' follows
    socket.once('close', () => this.#wake());
  }

  /** Greeted and authenticated. Throws when the mta does not let us in. */
  static async open({ mta, secrets }: Settings): Promise<IntakeSession> {
    const socket = createConnection({ host: '127.0.0.1', port: mta.intakePort });
    const session = new IntakeSession(socket);
    await once(socket, 'connect');
    try {
      expect(await session.readReply(), '220');
      expect(await session.command('EHLO worker.test'), '250');
      const credential = Buffer.from(`\0worker\0${secrets.intakePassword}`).toString('base64');
      expect(await session.command(`AUTH PLAIN ${credential}`), '235');
    } catch (error) {
      session.close();
      throw error;
    }
    return session;
  }

  /** Up to and with the 354. */
  async begin({ to }: Pick<HandOver, 'to'>): Promise<void> {
    expect(await this.command('MAIL FROM:<s@sender.test>'), '250');
    for (const recipient of to) expect(await this.command(`RCPT TO:<${recipient}>`), '250');
    expect(await this.command('DATA'), '354');
  }

  /** The whole message. @returns the reply to its end */
  async send(message: HandOver): Promise<string> {
    await this.begin(message);
    this.write(`${format(message)}\r\n.\r\n`);
    return this.readReply();
  }

  write(text: string): void {
    this.#socket.write(text, 'latin1');
  }

  async command(line: string): Promise<string> {
    this.write(`${line}\r\n`);
    return this.readReply();
  }

  /** The last line of the next reply. Throws when the connection ends instead. */
  async readReply(): Promise<string> {
    for (;;) {
      const end = /^\d{3}(?: .*)?\r\n/m.exec(this.#text);
      if (end) {
        this.#text = this.#text.slice(end.index + end[0].length);
        return end[0].trim();
      }
      if (this.#socket.destroyed) throw new Error('the intake closed the connection');
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  close(): void {
    this.#socket.destroy();
  }
}

/** The message as the worker composes it. */
export function format({ messageId, domain, to, body, priority, tls }: HandOver): string {
  return [
    `X-Postern-Message: ${messageId}`,
    'X-Postern-Organization: 1',
    `X-Postern-Domain: ${domain}`,
    ...(priority === undefined ? [] : [`X-Postern-Priority: ${priority}`]),
    ...(tls === undefined ? [] : [`X-Postern-TLS: ${tls}`]),
    `From: s@${domain}`,
    `To: ${to[0] ?? ''}`,
    `Subject: ${messageId}`,
    `Message-ID: <${messageId}@${domain}>`,
    '',
    body,
  ].join('\r\n');
}

/** One try on a connection of its own. @returns the reply; throws when there is none */
export async function handOver(settings: Settings, message: HandOver): Promise<string> {
  const session = await IntakeSession.open(settings);
  try {
    return await session.send(message);
  } finally {
    session.close();
  }
}

/** Offers the message until it is accepted, as the worker does. */
export async function handOverUntilAccepted(settings: Settings, message: HandOver): Promise<void> {
  await waitFor(
    `message ${message.messageId} to be accepted`,
    async () => {
      const reply = await handOver(settings, message);
      return reply.startsWith('250') ? true : undefined;
    },
    ACCEPT_DEADLINE_MS,
  );
}

function expect(reply: string, code: string): void {
  if (!reply.startsWith(code)) throw new Error(`"${reply}" instead of ${code}`);
}
