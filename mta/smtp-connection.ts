/**
 * In place of nodemailer's SMTPConnection, which ZoneMTA's sender delivers over: header, body and final dot of a message
 * leave in one write instead of three, and the conversation is not formatted for a log that nobody reads. Commands are
 * nodemailer's to batch; it does (RFC 2920).
 *
 * Servers are strangers (OB-6, OB-7). A connection whose replies cannot be told apart any more is dropped, and the mail
 * put off: a reply before its command, a 250 before the end of the message or in place of 354, a line that is no reply, a
 * reply of two codes, one that never ends. Before the session is open, whatever is not a refusal for good makes ZoneMTA
 * go on to the next host. What the server cannot take is not sent: a message above its SIZE, an address beyond ASCII
 * without SMTPUTF8, which nodemailer would send all the same (RFC 6531 3.2, CM-14).
 *
 * Messages go as they are, also to a server without 8BITMIME: to encode them anew would break their signatures.
 */
import { findReplyProblem } from './smtp-reply.ts';
import { type SmtpConnectionOptions, type SmtpEnvelope, smtpConnection } from './zone-mta.ts';

type Sent = (error: Error | null, info?: unknown) => void;

/** Of errors that ZoneMTA takes to the next host with (its lib/tls-retry.js). */
const NEXT_HOST = 'ETIMEDOUT';
const DESYNC = 'EPROTOCOL';
/** A reply that has begun is complete by then, however slowly it drips (RFC 5321 4.5.3.2.1). */
const REPLY_TIMEOUT_MS = 300_000;

class PosternSmtpConnection extends smtpConnection() {
  /** Set by plugins/message-size for the message that is sent next. */
  messageBytes?: number;
  readonly #replyTimeoutMs: number;
  #replyTimer: NodeJS.Timeout | undefined;
  #isOpen = false;

  constructor(options: SmtpConnectionOptions) {
    super({ ...options, transactionLog: false, logger: false });
    this.#replyTimeoutMs = Number(options.replyTimeout ?? REPLY_TIMEOUT_MS);
    this.once('connect', () => {
      this.#isOpen = true;
    });
  }

  /** ZoneMTA's callback takes no error: it would go on with a connection that was closed before a greeting. */
  override connect(callback: () => void): void {
    super.connect((error?: Error) => {
      if (error) this.emit('error', Object.assign(error, { code: NEXT_HOST }));
      else callback();
    });
  }

  override send(envelope: SmtpEnvelope, message: unknown, callback: Sent): void {
    const size = this.messageBytes;
    const isAscii = /^[\0-\x7f]*$/.test([envelope.from, envelope.to].flat().join());
    if (!isAscii && !this._supportedExtensions.includes('SMTPUTF8')) callback(utf8Refusal());
    else if (size && this._maxAllowedSize && size > this._maxAllowedSize)
      callback(sizeRefusal(size, this._maxAllowedSize));
    else super.send({ ...envelope, use8BitMime: true, ...(size && { size }) }, message, callback);
  }

  override _createSendStream(callback: (error: Error | null, response?: string) => void): unknown {
    const socket = this._socket;
    socket.cork();
    // All of a message that is in memory passes before this; a longer one goes on uncorked.
    setImmediate(() => socket.uncork());
    const stream = super._createSendStream(callback);
    if (this.#hasUnaskedReply()) this.#desync('The server answered the message before it had it');
    return stream;
  }

  override _sendCommand(command: string, logged?: string): void {
    if (this.#hasUnaskedReply()) this.#desync(`The server answered ${verbOf(command)} before it was sent`);
    else super._sendCommand(command, logged);
  }

  override _onData(chunk: Buffer): void {
    super._onData(chunk);
    if (this._destroyed) return;
    const isIncomplete = this._responsePartial || this._remainder !== '';
    if (!isIncomplete) this.#stopReplyTimer();
    else this.#replyTimer ??= setTimeout(() => this.#giveUpReply(), this.#replyTimeoutMs).unref();
  }

  override _processResponse(): void {
    const [reply = ''] = this._responseQueue;
    const problem = reply.trim() === '' ? undefined : findReplyProblem(reply);
    if (problem === undefined) super._processResponse();
    else this.#desync(`The server said ${problem}`);
  }

  override _onError(error: Error, code: string, reply: string | false, command: string): void {
    // Of TLS, ZoneMTA has its own opinion: it tries the same host again without.
    const isOfTls = this.secure || this.upgrading === true;
    const isFinal = reply !== false && reply.startsWith('5');
    super._onError(error, this.#isOpen || isOfTls || isFinal ? code : NEXT_HOST, reply, command);
  }

  override _destroy(): void {
    this.#stopReplyTimer();
    super._destroy();
  }

  override _actionMAIL(reply: string, callback: Sent): void {
    if (reply.startsWith('3')) this.#desync(`The server asked for more at MAIL: ${reply}`);
    else super._actionMAIL(reply, callback);
  }

  override _actionRCPT(reply: string, callback: Sent): void {
    if (reply.startsWith('3')) this.#desync(`The server asked for more at RCPT: ${reply}`);
    else super._actionRCPT(reply, callback);
  }

  override _actionDATA(reply: string, callback: Sent): void {
    const isGranted = reply.startsWith('2') && !this._envelopeError(reply);
    if (isGranted) this.#desync(`The server did not ask for the message at DATA: ${reply}`);
    else super._actionDATA(reply, callback);
  }

  override _actionSMTPStream(reply: string, callback: Sent): void {
    const isEarly = reply.startsWith('2') && Boolean(this._currentDataStream);
    if (isEarly) this.#desync('The server took the message before it had it');
    else if (reply.startsWith('3')) this.#desync(`The server asked for more behind the message: ${reply}`);
    else super._actionSMTPStream(reply, callback);
  }

  /** Something that no command of ours has asked for yet; empty lines are nothing. */
  #hasUnaskedReply(): boolean {
    return this._remainder.trim() !== '' || this._responseQueue.some((reply) => reply.trim() !== '');
  }

  #desync(problem: string): void {
    this._onError(new Error(problem), DESYNC, false, 'CONN');
  }

  #giveUpReply(): void {
    this._onError(new Error('The reply of the server never ended'), NEXT_HOST, false, 'CONN');
  }

  #stopReplyTimer(): void {
    clearTimeout(this.#replyTimer);
    this.#replyTimer = undefined;
  }
}

function verbOf(command: string): string {
  return /^[A-Z]+/i.exec(command)?.[0] ?? 'a command';
}

/** As if the server had said it at RCPT */
function utf8Refusal(): Error {
  return refusal('RCPT TO', '553 5.6.7 The server of the recipient does not take addresses beyond ASCII');
}

/** As if it had said it at MAIL (RFC 1870 6.1) */
function sizeRefusal(bytes: number, limit: number): Error {
  return refusal(
    'MAIL FROM',
    `552 5.3.4 The message has ${bytes} bytes, the server of the recipient takes ${limit}`,
  );
}

function refusal(command: string, response: string): Error {
  const responseCode = Number(response.slice(0, 3));
  return Object.assign(new Error(response), { code: 'EENVELOPE', command, response, responseCode });
}

export { PosternSmtpConnection as 'module.exports' };
