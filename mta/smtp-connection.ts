/**
 * In place of nodemailer's SMTPConnection, which ZoneMTA's sender delivers over: header, body and final dot of a message
 * leave in one write instead of three, and the conversation is not formatted for a log that nobody reads. Commands are
 * nodemailer's to batch; it does (RFC 2920).
 */
import { type SmtpConnectionOptions, smtpConnection } from './zone-mta.ts';

class PosternSmtpConnection extends smtpConnection() {
  constructor(options: SmtpConnectionOptions) {
    super({ ...options, transactionLog: false, logger: false });
  }

  override _createSendStream(callback: (error: Error | null, response?: string) => void): unknown {
    const socket = this._socket;
    socket.cork();
    // All of a message that is in memory passes before this; a longer one goes on uncorked.
    setImmediate(() => socket.uncork());
    return super._createSendStream(callback);
  }
}

export { PosternSmtpConnection as 'module.exports' };
