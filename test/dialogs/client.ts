/** An SMTP client for tests that knows nothing of SMTP but replies: what it sends is up to the test. */
import { once } from 'node:events';
import { connect as connectTcp, type Socket } from 'node:net';
import { type ConnectionOptions, connect as connectTls } from 'node:tls';

const REPLY_TIMEOUT_MS = 5_000;
const CLOSE_TIMEOUT_MS = 3_000;
const LAST_LINE = /^\d{3} .*\r\n/m;

export interface OpenOptions {
  tls: boolean;
  localAddress?: string;
}

export class DialogClient {
  /** All replies so far, as readReply gave them */
  readonly replies: string[] = [];
  #socket: Socket;
  #received = '';
  #isClosed = false;
  #wake: () => void = () => undefined;

  private constructor(socket: Socket) {
    this.#socket = socket;
    this.#listen();
  }

  /** @param options.localAddress to come from, of 127.0.0.0/8 */
  static async open(host: string, port: number, options: OpenOptions): Promise<DialogClient> {
    const { tls, ...from } = options;
    const socket = tls
      ? connectTls({ host, port, rejectUnauthorized: false, ...from })
      : connectTcp({ host, port, ...from });
    await once(socket, tls ? 'secureConnect' : 'connect');
    return new DialogClient(socket);
  }

  /** Puts TLS over the open connection. Rejects when the handshake fails. */
  async handshake(options: ConnectionOptions = {}): Promise<void> {
    this.#socket.removeAllListeners();
    this.#socket.on('error', () => undefined);
    const socket = connectTls({ socket: this.#socket, rejectUnauthorized: false, ...options });
    try {
      await Promise.race([
        once(socket, 'secureConnect'),
        once(socket, 'close').then(() => Promise.reject(new Error('closed during the handshake'))),
      ]);
    } finally {
      this.#socket = socket;
      this.#listen();
    }
  }

  async send(bytes: Buffer | string): Promise<void> {
    if (this.#isClosed) return;
    await new Promise<void>((resolve) => {
      this.#socket.write(bytes, () => resolve()); // an error here shows at the next reply that is waited for
    });
  }

  /** Sends in writes of `size` bytes, each a packet of its own. */
  async sendSlowly(bytes: Buffer, size: number): Promise<void> {
    this.#socket.setNoDelay(true);
    for (let at = 0; at < bytes.length; at += size) {
      await this.send(bytes.subarray(at, at + size));
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  /** One reply with all its lines, joined by LF, without the last line end. */
  async readReply(): Promise<string> {
    const end = await this.#waitFor(() => {
      const last = LAST_LINE.exec(this.#received);
      return last ? last.index + last[0].length : undefined;
    }, REPLY_TIMEOUT_MS);
    if (end === undefined) throw new Error(`no reply, only ${JSON.stringify(this.#received)}`);
    const reply = this.#received.slice(0, end);
    this.#received = this.#received.slice(end);
    const lines = reply.slice(0, -2).replaceAll('\r\n', '\n');
    this.replies.push(lines);
    return lines;
  }

  /** Waits for the server to close; throws when it does not, or says something before. */
  async expectClosed(): Promise<void> {
    await this.#waitFor(() => this.#isClosed || undefined, CLOSE_TIMEOUT_MS);
    if (!this.#isClosed) throw new Error('the server did not close');
    if (this.#received !== '') throw new Error(`unexpected reply ${JSON.stringify(this.#received)}`);
  }

  close(): void {
    this.#socket.destroy();
  }

  #listen(): void {
    const closed = () => {
      this.#isClosed = true;
      this.#wake();
    };
    this.#isClosed = this.#socket.destroyed;
    this.#socket.on('data', (bytes: Buffer) => {
      this.#received += bytes.toString('latin1');
      this.#wake();
    });
    this.#socket.on('error', closed);
    this.#socket.on('end', closed);
    this.#socket.on('close', closed);
  }

  async #waitFor<T>(look: () => T | undefined, timeoutMs: number): Promise<T | undefined> {
    const deadline = Date.now() + timeoutMs;
    let found = look();
    while (found === undefined && Date.now() < deadline && !(this.#isClosed && look() === undefined)) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, deadline - Date.now());
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
      found = look();
    }
    return found;
  }
}
