/**
 * One SMTP session: smtp-server's, with what it lacks. Every reply passes through `send`, so that is where replies
 * are put right, errors are counted, and the deadlines start: smtp-server's own timer is reset by each byte (RS-1).
 */
import type { Socket } from 'node:net';
import { SMTPConnection } from 'smtp-server/lib/smtp-connection.js';
import { createDeadline, type Deadline } from './deadline.ts';
import { correctReply } from './library-replies.ts';
import { formatReply, type Reply, replies } from './replies.ts';
import type { SubmissionServer } from './submission-server.ts';

export interface ConnectionLimits {
  commandTimeoutMs: number;
  dataTimeoutMs: number;
  sessionTimeoutMs: number;
  /** For the TLS handshake after STARTTLS (TL-8) */
  handshakeTimeoutMs: number;
  /** 4xx and 5xx replies before 421; an accepted message clears the count (CM-9). */
  maxErrors: number;
}

/** How soon to look again when the answer that is waited for is ours to give. */
const POSTPONED_MS = 1_000;
const OWN_ENHANCED_CODE = /^[245]\.\d{1,3}\.\d{1,3} /;

export class SubmissionConnection extends SMTPConnection {
  readonly #limits: ConnectionLimits;
  readonly #stepDeadline: Deadline = createDeadline(() => this.#expire(this.#stepDeadline));
  readonly #sessionDeadline: Deadline = createDeadline(() => this.#expire(this.#sessionDeadline));
  readonly #closed: () => void;
  #errors = 0;
  #isAnsweringData = false;
  #isLeaving = false;

  /** @param closed called when the connection is gone */
  constructor(server: SubmissionServer, socket: Socket, limits: ConnectionLimits, closed: () => void) {
    super(server, socket);
    this.#limits = limits;
    this.#closed = closed;
    this.#stepDeadline.set(limits.commandTimeoutMs);
    this.#sessionDeadline.set(limits.sessionTimeoutMs);
  }

  override init(): void {
    // The library would let each client wait 100 ms for its greeting, to catch spam bots. These clients authenticate.
    this._setListeners(() => this.connectionReady());
  }

  override send(code: number, data?: string | string[] | null, context?: string | false): void {
    if (Array.isArray(data)) {
      super.send(code, this.secure ? data : data.filter((line) => !line.startsWith('AUTH ')), context);
    } else {
      this.#sendLine(code, data ?? '', context);
    }
    this.#startNextStep(code, data);
  }

  /** Ends the session with 421: at once, or after the reply to the message that is being received. */
  leave(): void {
    this.#isLeaving = true;
    if (!this._dataStream) this.#sendReply(replies.shuttingDown);
  }

  /** Cuts the connection. */
  abort(): void {
    this.close();
    this._socket.destroy();
  }

  override _onClose(): void {
    this.#stepDeadline.clear();
    this.#sessionDeadline.clear();
    super._onClose();
    this.#closed();
  }

  #sendLine(code: number, text: string, context?: string | false): void {
    const isOurs = OWN_ENHANCED_CODE.test(text);
    const reply = isOurs ? undefined : correctReply(text, { isSecure: this.secure });
    if (reply) this.#sendReply(reply);
    else super.send(code, text, isOurs ? false : context);
    if (reply === replies.commandTooLong) this.close();
  }

  #sendReply(reply: Reply): void {
    super.send(reply.code, formatReply(reply), false);
  }

  #startNextStep(code: number, data?: string | string[] | null): void {
    const wasAnsweringData = this.#isAnsweringData;
    this.#isAnsweringData = code === 354;
    if (wasAnsweringData && code === 250) this.#errors = 0;
    if (code >= 400) this.#errors += 1;
    this.#stepDeadline.set(this.#stepTimeoutMs(code, data));
    if (wasAnsweringData && this.#isLeaving) this.#sendReply(replies.shuttingDown);
    else if (this.#errors >= this.#limits.maxErrors) this.#sendReply(replies.tooManyErrors);
  }

  #stepTimeoutMs(code: number, data?: string | string[] | null): number {
    const { commandTimeoutMs, dataTimeoutMs, handshakeTimeoutMs } = this.#limits;
    if (code === 354) return dataTimeoutMs;
    return code === 220 && data === 'Ready to start TLS' ? handshakeTimeoutMs : commandTimeoutMs;
  }

  #expire(deadline: Deadline): void {
    if (this._closing || this._closed) return;
    // The client waits for us (RFC 5321 4.5.3.2): a 421 now would have it repeat a message that was taken over.
    const hasWholeMessage = this._dataStream && this._parser && !this._parser._dataMode;
    if (this._handlerPending || hasWholeMessage) deadline.set(POSTPONED_MS);
    else this.#sendReply(replies.timedOut);
  }
}
