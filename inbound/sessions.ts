/**
 * The sessions of a worker: how long each may take, and their end at a shutdown. Haraka's own timer is one of idleness,
 * which a byte now and then sets back (RS-1); it also reads on while a client takes no replies (RS-3).
 */
import type { Settings } from '../config/schema.ts';
import { formatReply, type Reply } from '../lib/mail/reply.ts';
import { type HarakaConnection, states } from './haraka.ts';
import { replies } from './replies.ts';

export type TimeLimits = Pick<
  Settings['inbound'],
  'commandTimeoutMs' | 'dataTimeoutMs' | 'sessionTimeoutMs' | 'minDataBytesPerSecond' | 'dataRateWindowMs'
>;

/** Times by performance.now() */
export interface Progress {
  startedAt: number;
  /** When the client had our last reply */
  repliedAt: number;
  /** Of the rate: when its window began, and the bytes there were */
  windowAt: number;
  windowBytes: number;
}

/** Within the ten seconds that a process has to end (lib/shutdown.ts) */
const DRAIN_MS = 8_000;
const DRAIN_POLL_MS = 50;
/** How long a client may take to read why it is sent away */
const LINGER_MS = 2_000;
const MAX_LOOK_INTERVAL_MS = 1_000;

/** Why the session is to be ended, or undefined. Moves the window of the rate on. */
export function findExpiry(
  progress: Progress,
  phase: { isOurs: boolean; receivedBytes: number | undefined },
  limits: TimeLimits,
  now: number,
): Reply | undefined {
  // RFC 5321 4.5.3.2: then a 421 would have the client repeat a message that was taken over.
  if (phase.isOurs) return undefined;
  if (now - progress.startedAt > limits.sessionTimeoutMs) return replies.timedOut;
  const waitedMs = now - progress.repliedAt;
  if (phase.receivedBytes === undefined) {
    return waitedMs > limits.commandTimeoutMs ? replies.timedOut : undefined;
  }
  if (waitedMs > limits.dataTimeoutMs) return replies.timedOut;
  if (now - progress.windowAt < limits.dataRateWindowMs) return undefined;
  const bytes = phase.receivedBytes - progress.windowBytes;
  progress.windowAt = now;
  progress.windowBytes = phase.receivedBytes;
  return bytes < (limits.minDataBytesPerSecond * limits.dataRateWindowMs) / 1_000
    ? replies.tooSlow
    : undefined;
}

export class Sessions {
  readonly #limits: TimeLimits;
  readonly #receivedBytes: (connection: HarakaConnection) => number;
  readonly #inside = new Map<HarakaConnection, Progress>();
  readonly #timer: NodeJS.Timeout;

  /** @param receivedBytes of the message that is coming in */
  constructor(limits: TimeLimits, receivedBytes: (connection: HarakaConnection) => number) {
    this.#limits = limits;
    this.#receivedBytes = receivedBytes;
    const shortest = Math.min(limits.commandTimeoutMs, limits.dataTimeoutMs, limits.dataRateWindowMs);
    this.#timer = setInterval(() => this.#look(), Math.min(MAX_LOOK_INTERVAL_MS, shortest / 4)).unref();
  }

  get count(): number {
    return this.#inside.size;
  }

  enter(connection: HarakaConnection): void {
    const now = performance.now();
    this.#inside.set(connection, { startedAt: now, repliedAt: now, windowAt: now, windowBytes: 0 });
    connection.client.on('close', () => this.#inside.delete(connection));
  }

  replied(connection: HarakaConnection): void {
    const progress = this.#inside.get(connection);
    if (!progress) return;
    const now = performance.now();
    Object.assign(progress, { repliedAt: now, windowAt: now, windowBytes: 0 });
  }

  /** Who is amid a message gets its reply first, within eight seconds; all others get 421. */
  async drain(): Promise<void> {
    clearInterval(this.#timer);
    const deadline = performance.now() + DRAIN_MS;
    while (this.#inside.size > 0 && performance.now() < deadline) {
      for (const connection of this.#inside.keys()) {
        if (connection.transaction === null) end(connection, replies.shuttingDown);
      }
      await new Promise((resolve) => setTimeout(resolve, DRAIN_POLL_MS));
    }
    for (const connection of this.#inside.keys()) connection.client.destroy();
  }

  #look(): void {
    const now = performance.now();
    for (const [connection, progress] of this.#inside) {
      const isData = connection.state === states.data;
      const isOurs = !isData && connection.state !== states.command && connection.state !== states.loop;
      const receivedBytes = isData ? this.#receivedBytes(connection) : undefined;
      const reply = findExpiry(progress, { isOurs, receivedBytes }, this.#limits, now);
      if (reply) end(connection, reply);
    }
  }
}

function end(connection: HarakaConnection, reply: Reply): void {
  if (connection.state >= states.disconnecting) return;
  connection.respond(reply.code, formatReply(reply), () => connection.disconnect());
  setTimeout(() => connection.client.destroy(), LINGER_MS).unref();
}
