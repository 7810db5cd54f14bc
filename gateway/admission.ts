/** Lets clients in while there is room, and tells the others why not. */
import type { Socket } from 'node:net';
import { ClientCounter, type ClientLimits } from '../lib/client-limits.ts';
import type { Logger } from '../lib/log.ts';
import { formatReply, type Reply } from '../lib/mail/reply.ts';
import { replies } from './replies.ts';

/** How long a refused client may take to read why. */
const REFUSAL_LINGER_MS = 1_000;

const refusalReplies = {
  too_many: replies.tooManyConnections,
  too_many_of_client: replies.tooManyClientConnections,
  too_fast: replies.tooManyNewConnections,
} as const;

export class Admission {
  readonly #clients: ClientCounter;
  readonly #log: Logger;
  readonly #inside = new Set<Socket>();

  constructor(limits: ClientLimits, log: Logger) {
    this.#clients = new ClientCounter(limits);
    this.#log = log;
  }

  /** Clients that are inside, those amid a TLS handshake with them */
  get count(): number {
    return this.#clients.total;
  }

  /**
   * Calls `take` with the socket when there is room. The place is given back when the socket closes, or by `leave`:
   * smtp-server takes all listeners off a socket at STARTTLS.
   */
  admit(socket: Socket, { canReply }: { canReply: boolean }, take: (leave: () => void) => void): void {
    const admission = this.#clients.enter(socket.remoteAddress ?? '');
    if (!admission.ok) {
      this.#log.warn({ client: socket.remoteAddress, reason: admission.reason }, 'session.refused');
      refuse(socket, canReply, refusalReplies[admission.reason]);
      return;
    }
    const leave = () => {
      this.#inside.delete(socket);
      admission.leave();
    };
    this.#inside.add(socket);
    socket.once('close', leave);
    take(leave);
  }

  /** Cuts off whoever is still inside. */
  clear(): void {
    for (const socket of this.#inside) socket.destroy();
  }
}

function refuse(socket: Socket, canReply: boolean, reply: Reply): void {
  socket.on('error', () => undefined); // its end is near anyhow
  if (!canReply) {
    socket.destroy();
    return;
  }
  socket.end(`${reply.code} ${formatReply(reply)}\r\n`);
  socket.resume();
  setTimeout(() => socket.destroy(), REFUSAL_LINGER_MS).unref();
}
