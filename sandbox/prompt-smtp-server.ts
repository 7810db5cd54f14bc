/**
 * smtp-server without its wait: it holds back each greeting for 100 ms to catch clients that talk too early
 * (SMTPConnection.init), which here would only slow every delivery down.
 */
import type { Socket } from 'node:net';
import { SMTPServer } from 'smtp-server';
import { SMTPConnection, type SMTPConnectionOptions } from 'smtp-server/lib/smtp-connection';

export class PromptSmtpServer extends SMTPServer {
  override connect(socket: Socket, options?: SMTPConnectionOptions | null): void {
    const connection = new PromptConnection(this, socket, options);
    this.connections.add(connection);
    connection.on('error', (error: Error) => this.emit('error', error));
    connection.init();
  }

  /** Closes a client's connection without a word. */
  disconnect(sessionId: string): void {
    for (const connection of this.connections) {
      if (connection.id === sessionId) connection._socket.destroy();
    }
  }
}

class PromptConnection extends SMTPConnection {
  override init(): void {
    this._setListeners(() => this.connectionReady());
  }
}
