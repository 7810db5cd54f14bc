/**
 * The deadlines of one session, each an absolute one: smtp-server's own timer is reset by each byte (RS-1). A message
 * also has a minimum rate (RS-2).
 */

import type { Reply } from '../lib/mail/reply.ts';
import { createDeadline, type Deadline } from './deadline.ts';
import { replies } from './replies.ts';

export interface TimeLimits {
  commandTimeoutMs: number;
  dataTimeoutMs: number;
  sessionTimeoutMs: number;
  /** For the TLS handshake after STARTTLS (TL-8) */
  handshakeTimeoutMs: number;
  /** A message that brings less in `dataRateWindowMs` is ended (RS-2). */
  minDataBytesPerSecond: number;
  dataRateWindowMs: number;
}

export interface TimedSession {
  isOver(): boolean;
  /** RFC 5321 4.5.3.2: then a 421 would have the client repeat a message that was taken over. */
  waitsForUs(): boolean;
  /** Of the message that is coming in; undefined while none is */
  messageBytes(): number | undefined;
  end(reply: Reply): void;
}

/** How soon to look again when the answer that is waited for is ours to give. */
const POSTPONED_MS = 1_000;

export class SessionClock {
  readonly #limits: TimeLimits;
  readonly #session: TimedSession;
  readonly #step: Deadline = createDeadline(() => this.#expire(this.#step));
  readonly #whole: Deadline = createDeadline(() => this.#expire(this.#whole));
  readonly #rate: Deadline = createDeadline(() => this.#checkRate());
  #bytesBefore = 0;

  constructor(limits: TimeLimits, session: TimedSession) {
    this.#limits = limits;
    this.#session = session;
    this.#whole.set(limits.sessionTimeoutMs);
    this.awaitCommand();
  }

  awaitCommand(): void {
    this.#rate.clear();
    this.#step.set(this.#limits.commandTimeoutMs);
  }

  awaitHandshake(): void {
    this.#step.set(this.#limits.handshakeTimeoutMs);
  }

  awaitMessage(): void {
    this.#bytesBefore = 0;
    this.#step.set(this.#limits.dataTimeoutMs);
    this.#rate.set(this.#limits.dataRateWindowMs);
  }

  stop(): void {
    for (const deadline of [this.#step, this.#whole, this.#rate]) deadline.clear();
  }

  #expire(deadline: Deadline): void {
    if (this.#session.isOver()) return;
    if (this.#session.waitsForUs()) deadline.set(POSTPONED_MS);
    else this.#session.end(replies.timedOut);
  }

  #checkRate(): void {
    const bytes = this.#session.messageBytes();
    if (bytes === undefined || this.#session.isOver()) return;
    const { minDataBytesPerSecond, dataRateWindowMs } = this.#limits;
    if (bytes - this.#bytesBefore < (minDataBytesPerSecond * dataRateWindowMs) / 1_000) {
      this.#session.end(replies.tooSlow);
      return;
    }
    this.#bytesBefore = bytes;
    this.#rate.set(dataRateWindowMs);
  }
}
