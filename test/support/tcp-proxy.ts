/** A TCP proxy in front of a server, to be that server's bad network: slow, half open, cut, out of reach. */
import { once } from 'node:events';
import { createConnection, createServer, type Socket } from 'node:net';
import { portOf } from '../../sandbox/port.ts';

export interface TcpProxy {
  port: number;
  /** Connections at the moment. */
  readonly connections: number;
  /** Everything goes through at once; also what was held. */
  pass(): void;
  /** Every chunk arrives this much later, in both directions. */
  delay(ms: number): void;
  /** Half open: connections are taken and stay, and nothing goes through any more. */
  hold(): void;
  /** New connections are closed at once, the present ones as well: the server is gone. */
  refuse(): void;
  /** Ends the connections that are open; new ones are welcome. */
  cut(): void;
  close(): Promise<void>;
}

type Mode = 'pass' | 'hold' | 'refuse';

/** @param target what it stands in front of */
export async function startTcpProxy(target: { host: string; port: number }): Promise<TcpProxy> {
  let mode: Mode = 'pass';
  let delayMs = 0;
  const pipes = new Set<Pipe>();
  const sockets = new Set<Socket>();
  const rules = { isHeld: () => mode === 'hold', delayMs: () => delayMs };

  const server = createServer((client) => {
    if (mode === 'refuse') {
      client.destroy();
      return;
    }
    const upstream = createConnection(target);
    link(client, upstream);
  });

  function link(client: Socket, upstream: Socket): void {
    const both = [new Pipe(client, upstream, rules), new Pipe(upstream, client, rules)];
    for (const pipe of both) pipes.add(pipe);
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.setNoDelay(true);
      socket.on('error', () => {}); // 'close' follows
      socket.once('close', () => {
        for (const pipe of both) pipes.delete(pipe);
        for (const other of [client, upstream]) {
          sockets.delete(other);
          other.destroy();
        }
      });
    }
  }

  function change(next: Mode, delay = 0): void {
    mode = next;
    delayMs = delay;
    for (const pipe of pipes) pipe.flush();
  }

  function cut(): void {
    for (const socket of sockets) socket.destroy();
  }

  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: portOf(server),
    get connections() {
      return sockets.size / 2;
    },
    pass: () => change('pass'),
    delay: (ms) => change('pass', ms),
    hold: () => change('hold'),
    refuse() {
      change('refuse');
      cut();
    },
    cut,
    async close() {
      cut();
      server.close();
      await once(server, 'close');
    },
  };
}

interface Rules {
  isHeld(): boolean;
  delayMs(): number;
}

/** One direction of a connection. */
class Pipe {
  readonly #to: Socket;
  readonly #rules: Rules;
  readonly #waiting: { bytes: Buffer; at: number }[] = [];
  #timer: NodeJS.Timeout | undefined;

  constructor(from: Socket, to: Socket, rules: Rules) {
    this.#to = to;
    this.#rules = rules;
    from.on('data', (bytes: Buffer) => {
      this.#waiting.push({ bytes, at: performance.now() + rules.delayMs() });
      this.flush();
    });
    from.once('close', () => clearTimeout(this.#timer));
  }

  /** Sends on what may go now, and comes back for the rest. */
  flush(): void {
    clearTimeout(this.#timer);
    if (this.#rules.isHeld()) return;
    for (let [first] = this.#waiting; first; [first] = this.#waiting) {
      const waitMs = first.at - performance.now();
      if (this.#rules.delayMs() > 0 && waitMs > 0) {
        this.#timer = setTimeout(() => this.flush(), waitMs);
        return;
      }
      this.#waiting.shift();
      if (!this.#to.destroyed) this.#to.write(first.bytes);
    }
  }
}
