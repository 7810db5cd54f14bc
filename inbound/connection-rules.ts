/**
 * What we put around Haraka's connections, from outside: the exact end of a message, its bytes as they came, our words
 * in replies, deadlines, and no command line for whoever comes from loopback (INTERNALCMD).
 */
import type { Settings } from '../config/schema.ts';
import { formatReply } from '../lib/mail/reply.ts';
import { MemoryBudget } from '../lib/memory-budget.ts';
import { takePendingReply } from './guard.ts';
import { type HarakaConnection, harakaConnection, type Transaction } from './haraka.ts';
import { IncomingMessage } from './incoming-message.ts';
import { translateReply } from './replies.ts';
import { Sessions } from './sessions.ts';

/** A client that does not read is cut off when so much of our replies waits for it (RS-3). */
const MAX_UNREAD_REPLY_BYTES = 64 * 1024;
const END_OF_MESSAGE = Buffer.from('.\r\n');

const messages = new WeakMap<Transaction, IncomingMessage>();

/** The message of the transaction; undefined before DATA. */
export function messageOf(transaction: Transaction): IncomingMessage | undefined {
  return messages.get(transaction);
}

/** Once a process. */
export function applyConnectionRules({ inbound, limits }: Settings): {
  sessions: Sessions;
  budget: MemoryBudget;
} {
  const Connection = harakaConnection();
  const { setupClient } = Connection;
  const { respond, accumulate_data: accumulate } = Connection.prototype;
  const budget = new MemoryBudget(inbound.maxBufferedBytes);
  const sessions = new Sessions(inbound, (connection) => currentMessage(connection)?.receivedBytes ?? 0);
  delete Connection.prototype.cmd_internalcmd;

  Connection.setupClient = (connection) => {
    sessions.enter(connection);
    setupClient(connection);
  };

  Connection.prototype.accumulate_data = function (line) {
    const { transaction } = this;
    if (!transaction || typeof line === 'string') return;
    let message = messages.get(transaction);
    if (!message) {
      message = new IncomingMessage(limits.maxMessageBytes, budget);
      messages.set(transaction, message);
    }
    const isEnd = message.push(line);
    if (transaction.notes.data_line_length_exceeded) message.refuse('lineTooLong');
    if (isEnd) accumulate.call(this, END_OF_MESSAGE);
    else if (!message.fault) accumulate.call(this, line);
  };

  Connection.prototype.respond = function (code, text, then) {
    // RFC 2920 3.1: the next MAIL may come right behind the dot. Haraka refuses what does, because it might have
    // taken a wrong dot for the end (SM-16); ours is the right one, unless the message has a fault.
    const message = currentMessage(this);
    if (message && !message.fault) this.awaiting_data_reply = false;
    const reply = takePendingReply(this) ?? translateReply(code, text, this.local.host);
    sessions.replied(this);
    if ((this.client.targetsocket?.writableLength ?? 0) > MAX_UNREAD_REPLY_BYTES) {
      this.client.destroy();
      return undefined;
    }
    return reply
      ? respond.call(this, reply.code, formatReply(reply), then)
      : respond.call(this, code, text, then);
  };
  return { sessions, budget };
}

function currentMessage({ transaction }: HarakaConnection): IncomingMessage | undefined {
  return transaction ? messages.get(transaction) : undefined;
}
