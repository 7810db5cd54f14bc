/**
 * In place of nodemailer's SMTPConnection, which ZoneMTA's sender delivers over: header, body and final dot of a message
 * leave in one write instead of three, and the conversation is not formatted for a log that nobody reads. Commands are
 * nodemailer's to batch; it does (RFC 2920). A server without SMTPUTF8 is not shown an address beyond ASCII: nodemailer
 * would send it all the same (RFC 6531 3.2, CM-14).
 */
import { type SmtpConnectionOptions, type SmtpEnvelope, smtpConnection } from './zone-mta.ts';

type Sent = (error: Error | null, info?: unknown) => void;

class PosternSmtpConnection extends smtpConnection() {
  constructor(options: SmtpConnectionOptions) {
    super({ ...options, transactionLog: false, logger: false });
  }

  override send(envelope: SmtpEnvelope, message: unknown, callback: Sent): void {
    const isAscii = /^[\0-\x7f]*$/.test([envelope.from, envelope.to].flat().join());
    if (isAscii || this._supportedExtensions.includes('SMTPUTF8')) super.send(envelope, message, callback);
    else callback(utf8Refusal());
  }

  override _createSendStream(callback: (error: Error | null, response?: string) => void): unknown {
    const socket = this._socket;
    socket.cork();
    // All of a message that is in memory passes before this; a longer one goes on uncorked.
    setImmediate(() => socket.uncork());
    return super._createSendStream(callback);
  }
}

/** As if the server had said it at RCPT */
function utf8Refusal(): Error {
  const response = '553 5.6.7 The server of the recipient does not take addresses beyond ASCII';
  return Object.assign(new Error(response), {
    code: 'EENVELOPE',
    command: 'RCPT TO',
    response,
    responseCode: 553,
  });
}

export { PosternSmtpConnection as 'module.exports' };
