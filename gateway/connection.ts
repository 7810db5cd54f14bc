/**
 * One SMTP session: smtp-server's, with what it lacks. Every command passes through `_onCommand` and every reply through
 * `send`, so those are where lines are judged, replies are put right, mistakes are counted and the deadlines start.
 * A client that does not read its replies is not read either (smtp-server), until its command's deadline (RS-3).
 */
import type { Socket } from 'node:net';
import { SMTPConnection } from 'smtp-server/lib/smtp-connection.js';
import type { Logger } from '../lib/log.ts';
import { formatReply, type Reply } from '../lib/mail/reply.ts';
import { judgeAuthenticationLine, judgeCommandLine, readBdatOctets, verbOf } from './command-line.ts';
import { CommandStream } from './command-stream.ts';
import { type EnvelopeCommand, parseEnvelopeCommand } from './envelope-command.ts';
import { findForeignProtocol } from './foreign-protocol.ts';
import { correctReply } from './library-replies.ts';
import { replies } from './replies.ts';
import { SessionClock, type TimeLimits } from './session-clock.ts';
import type { SubmissionServer } from './submission-server.ts';
import { Tolerance, type ToleranceLimits } from './tolerance.ts';

export type ConnectionLimits = TimeLimits & ToleranceLimits;

export interface ConnectionOptions {
  limits: ConnectionLimits;
  log: Logger;
  /** Called when the connection is gone */
  closed(): void;
}

type Done = () => void;

/** Who speaks before the greeting is no SMTP client; his first packet is here by then (CM-15). */
const GREETING_DELAY_MS = 10;
const OWN_ENHANCED_CODE = /^[245]\.\d{1,3}\.\d{1,3} /;
/** After these the rest of the stream cannot be told apart; smtp-server closes after a 421. */
const LAST_REPLIES: ReadonlySet<Reply> = new Set([replies.commandTooLong, replies.bareLineFeed]);

export class SubmissionConnection extends SMTPConnection {
  readonly #options: ConnectionOptions;
  readonly #clock: SessionClock;
  readonly #tolerance: Tolerance;
  #isAnsweringData = false;
  #isLeaving = false;

  constructor(server: SubmissionServer, socket: Socket, options: ConnectionOptions) {
    super(server, socket);
    this.#options = options;
    this.#tolerance = new Tolerance(options.limits);
    this.#clock = new SessionClock(options.limits, {
      isOver: () => this._closing || this._closed,
      waitsForUs: () => this.#waitsForUs(),
      messageBytes: () => this.#messageBytes(),
      end: (reply) => this.#sendReply(reply),
    });
  }

  override init(): void {
    this._socket.once('data', (first: Buffer) => this.#refuseForeignProtocol(first));
    const greet = () => this.connectionReady();
    // What came in while the process was busy is read before setImmediate.
    this._setListeners(() => void setTimeout(() => setImmediate(greet), GREETING_DELAY_MS).unref());
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

  /** Ends it now, with 421 unless its message has come in whole: that one may be taken over already. */
  cutShort(): void {
    if (!this.#waitsForUs()) this.#sendReply(replies.shuttingDown);
  }

  override _createParser(): CommandStream {
    const { maxCommandLength } = this._server.options;
    const parser = new CommandStream({ maxCommandLength }, () => this.#sendReply(replies.bareLineFeed));
    parser.oncommand = (command, callback) => this._onCommand(command, callback);
    parser.on('error', (error) => this.send(421, `Error: ${error.message}`));
    return parser;
  }

  override _onCommand(line: Buffer, callback: Done = () => {}): void {
    const refusal = this.#judgeLine(line);
    if (refusal === replies.commandNotOffered) this.#skipOctets(readBdatOctets(line));
    if (refusal) this.#refuseLine(refusal, callback);
    else super._onCommand(line, callback);
  }

  override _parseAddressCommand(name: string, line: Buffer | string): EnvelopeCommand | false {
    return parseEnvelopeCommand(name, line.toString());
  }

  override _rejectInvalidParams({ refusal }: EnvelopeCommand, _keys: string[], callback: Done): boolean {
    if (refusal) this.#refuseLine(refusal, callback);
    return refusal !== undefined;
  }

  override handler_MAIL(line: Buffer, callback: Done): void {
    // The parameters of a MAIL that was refused would stay in force (CM-14).
    if (!this.session.envelope.mailFrom) this._resetSession();
    super.handler_MAIL(line, callback);
  }

  override _onClose(): void {
    this.#clock.stop();
    super._onClose();
    this.#options.closed();
  }

  #refuseForeignProtocol(first: Buffer): void {
    const protocol = findForeignProtocol(first);
    if (!protocol) return;
    this.#options.log.info({ client: this.remoteAddress, protocol }, 'session.refused');
    this.#sendReply(replies.wrongProtocol);
  }

  #judgeLine(line: Buffer): Reply | undefined {
    if (!this._ready || this._upgrading) return undefined;
    if (!this._nextHandler) return this.#tolerance.countCommand(verbOf(line)) ?? judgeCommandLine(line);
    const refusal = judgeAuthenticationLine(line);
    if (refusal) this._nextHandler = false; // AUTH is over
    return refusal;
  }

  #refuseLine(reply: Reply, callback: Done): void {
    this.send(reply.code, formatReply(reply));
    if (LAST_REPLIES.has(reply)) this.close();
    else this._whenWritable(callback);
  }

  /** The octets of a BDAT follow it all the same, and its transaction is over (SM-20). */
  #skipOctets(octets: number | undefined): void {
    if (octets === undefined) return;
    if (this._parser instanceof CommandStream) this._parser.skip(octets);
    this._resetSession();
  }

  #sendLine(code: number, text: string, context?: string | false): void {
    const isOurs = OWN_ENHANCED_CODE.test(text);
    const reply = isOurs ? undefined : correctReply(text, { isSecure: this.secure });
    if (reply) this.#sendReply(reply);
    else super.send(code, text, isOurs ? false : context);
  }

  #sendReply(reply: Reply): void {
    super.send(reply.code, formatReply(reply), false);
    if (LAST_REPLIES.has(reply)) this.close();
  }

  #startNextStep(code: number, data?: string | string[] | null): void {
    const wasAnsweringData = this.#isAnsweringData;
    this.#isAnsweringData = code === 354;
    if (wasAnsweringData && code === 250) this.#tolerance.startAnew();
    if (code === 354) this.#clock.awaitMessage();
    else if (code === 220 && data === 'Ready to start TLS') this.#clock.awaitHandshake();
    else this.#clock.awaitCommand();
    const end = this.#tolerance.countReply(code);
    if (wasAnsweringData && this.#isLeaving) this.#sendReply(replies.shuttingDown);
    else if (end) this.#sendReply(end);
  }

  #messageBytes(): number | undefined {
    if (!this._parser) return undefined;
    return this._parser._dataMode ? this._parser.dataBytes : undefined;
  }

  #waitsForUs(): boolean {
    const hasWholeMessage = this._dataStream && this._parser && !this._parser._dataMode;
    return Boolean(this._handlerPending || hasWholeMessage);
  }
}
